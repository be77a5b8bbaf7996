//! Raw connections: JSON-RPC messages on a byte stream, without HTTP.

use std::sync::Arc;

use antiphon_proto::Framing;

use crate::call_origin::Connection;
use crate::dispatch::Dispatcher;
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
    /// Serves a connection until it closes or the server stops.
    pub(super) fn serve<S>(
        self,
        stream: S,
        framing: Framing,
        connection: Arc<Connection>,
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
            |_| {},
        );
        Box::pin(run(session, shutdown))
    }
}
