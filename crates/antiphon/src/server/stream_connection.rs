//! Raw connections: JSON-RPC messages on a byte stream, without HTTP.

use std::sync::Arc;

use antiphon_proto::{Framing, Printable};

use crate::call_origin::Connection;
use crate::dispatch::Dispatcher;
use crate::identity::{Credentials, Identification, Identity};
use crate::session::event_loop::{SessionFuture, run};
use crate::session::{Session, SessionConfig};
use crate::shutdown::Shutdown;
use crate::transport::byte_stream::Socket;
use crate::transport::framed::StreamWire;

/// Configuration shared by all raw connections of a server.
#[derive(Clone, Debug)]
pub(super) struct StreamConnections {
    /// Dispatcher of the route at `/`, or else of the first route: raw streams have no paths.
    pub(super) dispatcher: Dispatcher,
    pub(super) config: SessionConfig,
    /// Maximum size of a message, in bytes.
    pub(super) max_message: usize,
    pub(super) local: bool,
}

impl StreamConnections {
    /// Who the peer is, as far as the connection proves it. `None` if the proof is no good: the
    /// connection is closed.
    pub(super) async fn identify(&self, connection: &Connection) -> Option<Option<Identity>> {
        let credentials = Credentials::of_peer(&connection.proof);
        if self.config.authenticators.is_empty() || credentials.is_empty() {
            return Some(None);
        }
        let client = || connection.client;
        let verdict = self
            .config
            .authenticators
            .authenticate(&credentials, client)
            .await;
        if let Err(error) = &verdict {
            let caller = connection.caller_id(connection.client);
            tracing::debug!("credentials of {caller} were refused: {}", Printable(error));
            if let Some(audit) = self.dispatcher.audit() {
                audit.refused_credentials(caller, error);
            }
        }
        verdict.ok()
    }

    /// Serves a connection until it closes or the server stops.
    pub(super) fn serve<S>(
        self,
        stream: S,
        framing: Framing,
        connection: Arc<Connection>,
        identity: Option<Identity>,
        shutdown: Shutdown,
    ) -> SessionFuture
    where
        S: Socket,
    {
        let wire = StreamWire::new(stream, framing, self.max_message, &connection.memory);
        let session = Session::new(
            wire,
            self.dispatcher,
            connection,
            self.local,
            &self.config,
            |origin| {
                let authenticators = &self.config.authenticators;
                let client = origin.client;
                origin.identification =
                    Identification::of_session(authenticators, client, identity);
            },
        );
        Box::pin(run(session, shutdown))
    }
}
