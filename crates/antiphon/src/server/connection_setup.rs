//! Setup of a new connection: TLS, then HTTP or raw messages.

use std::net::SocketAddr;
use std::sync::Weak;

use crate::call_origin::{Connection, Transport};
use crate::error::Printable;
use crate::identity::PeerCredentials;
use crate::memory_budget::account::Accounts;
use crate::server::listener::{Incoming, ListenerKind, Protocol};
use crate::server::stream_connection::StreamConnections;
use crate::session::event_loop::SessionFuture;
use crate::shutdown::Shutdown;
use crate::transport::byte_stream::Socket;
use crate::transport::http::connection::Http;
use crate::transport::http::{Caller, SessionPlace};
use crate::transport::tls::server::{HANDSHAKE_TIMEOUT, ServerTls, TlsPayload};

/// Everything needed to serve a new connection, under the current settings.
#[derive(Clone)]
pub(super) struct ConnectionSetup {
    pub(super) http: Http,
    /// `None` only if there is no route; a server without routes does not start.
    pub(super) raw: Option<StreamConnections>,
    pub(super) tls: Option<ServerTls>,
    /// What the accounts of new connections are made from.
    pub(super) accounts: Accounts,
}

impl std::fmt::Debug for ConnectionSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionSetup").finish_non_exhaustive()
    }
}

impl ConnectionSetup {
    /// Serves an accepted connection. If it becomes a session (WebSocket or raw messages), returns
    /// the session for the caller to run.
    pub(super) async fn serve(
        self,
        incoming: Incoming,
        kind: ListenerKind,
        place: Weak<dyn SessionPlace>,
        shutdown: Shutdown,
    ) -> Option<SessionFuture> {
        let protocol = kind.protocol;
        let (socket, peer) = match incoming {
            Incoming::Tcp(socket, peer) => (socket, peer),
            Incoming::Unix(socket) => {
                return self
                    .serve_stream(socket, protocol, Transport::Unix, None, place, shutdown)
                    .await;
            }
        };
        // Responses are written in one piece, so Nagle's algorithm would only add latency.
        let _ = socket.set_nodelay(true);
        if kind.secure {
            let payload = match protocol {
                Protocol::Http => TlsPayload::Http,
                Protocol::Raw(_) => TlsPayload::Raw,
            };
            let tls = self.tls.clone()?;
            let handshake = tls.accept(socket, payload, HANDSHAKE_TIMEOUT);
            return match shutdown.until_killed(handshake).await? {
                Ok(socket) => {
                    let tcp = Transport::Tcp;
                    self.serve_stream(socket, protocol, tcp, Some(peer), place, shutdown)
                        .await
                }
                Err(error) => {
                    tracing::debug!("a TLS handshake failed: {}", Printable(error));
                    None
                }
            };
        }
        self.serve_stream(
            socket,
            protocol,
            Transport::Tcp,
            Some(peer),
            place,
            shutdown,
        )
        .await
    }

    pub(super) async fn serve_stream<S>(
        self,
        socket: S,
        protocol: Protocol,
        transport: Transport,
        peer: Option<SocketAddr>,
        place: Weak<dyn SessionPlace>,
        shutdown: Shutdown,
    ) -> Option<SessionFuture>
    where
        S: Socket,
    {
        let proof = PeerCredentials {
            certificate: socket.peer_certificate(),
            unix: socket.unix_peer(),
        };
        let accounts = self.accounts.open();
        match protocol {
            Protocol::Http => {
                let caller = Caller {
                    connection: Connection::proven(Transport::Http, peer, proof, accounts),
                    local: self.http.local,
                    named: transport == Transport::Tcp,
                    stopping: shutdown.stopping(),
                    slot: None,
                    wire: None,
                };
                self.http.serve(socket, caller, place, shutdown).await
            }
            Protocol::Raw(framing) => {
                let connection = Connection::proven(transport, peer, proof, accounts);
                let raw = self.raw?;
                let identity = raw.identify(&connection).await?;
                Some(raw.serve(socket, framing, connection, identity, shutdown))
            }
        }
    }
}
