//! Setup of a new connection: the header of a proxy, TLS, then HTTP or raw messages.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::timeout;

use crate::address::client_address::ClientAddress;
use crate::address::trusted_proxies::TrustedProxies;
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
use crate::transport::http::deadlines::LAST_BYTE;
use crate::transport::http::{Caller, SessionPlace};
use crate::transport::nats::ServiceSetup;
use crate::transport::proxy_protocol::read_header;
use crate::transport::tls::server::{HANDSHAKE_TIMEOUT, ServerTls, TlsPayload};

/// Everything needed to serve a new connection, under the current settings.
#[derive(Clone)]
pub(super) struct ConnectionSetup {
    pub(super) http: Http,
    /// `None` only if there is no route; a server without routes does not start.
    pub(super) raw: Option<StreamConnections>,
    /// What calls through a broker run with; `None` if there is no broker.
    pub(super) broker: Option<ServiceSetup>,
    pub(super) tls: Option<ServerTls>,
    /// What the accounts of new connections are made from.
    pub(super) accounts: Accounts,
    pub(super) proxies: Arc<TrustedProxies>,
    /// Timeout for the header of a proxy.
    pub(super) header_timeout: Option<Duration>,
}

/// The other end of a connection, and who is behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    pub(super) transport: Transport,
    pub(super) address: Option<SocketAddr>,
    pub(super) client: ClientAddress,
    /// Whether the client is a proxy that is trusted to name the clients of its requests.
    pub(super) is_proxy: bool,
    /// Whether a proxy has passed the connection on, with a header before it.
    pub(super) passed_on: bool,
}

impl std::fmt::Debug for ConnectionSetup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionSetup").finish_non_exhaustive()
    }
}

impl ConnectionSetup {
    /// The address by which an accepted connection counts; `None` if it does not, or if the header of
    /// a proxy is still to come.
    pub(super) fn counted_address(
        &self,
        incoming: &Incoming,
        kind: ListenerKind,
    ) -> Option<IpAddr> {
        let peer = incoming.address();
        let is_proxy = kind.proxy || self.proxies.has_peer(peer);
        peer.filter(|_| !is_proxy).map(|peer| peer.ip())
    }

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
        let mut peer = self.peer(&incoming);
        let mut socket = match incoming {
            Incoming::Tcp(socket, _) => socket,
            Incoming::Unix(mut socket) => {
                if kind.proxy {
                    let header = self.read_proxy_header(&mut socket, peer, &place, &shutdown);
                    peer = Box::pin(header).await?;
                }
                return self
                    .serve_stream(socket, protocol, peer, place, shutdown)
                    .await;
            }
        };
        // Responses are written in one piece, so Nagle's algorithm would only add latency.
        let _ = socket.set_nodelay(true);
        if kind.proxy {
            let header = self.read_proxy_header(&mut socket, peer, &place, &shutdown);
            peer = Box::pin(header).await?;
        }
        if kind.secure {
            let payload = match protocol {
                Protocol::Http => TlsPayload::Http,
                Protocol::Raw(_) => TlsPayload::Raw,
            };
            let tls = self.tls.clone()?;
            let handshake = tls.accept(socket, payload, HANDSHAKE_TIMEOUT);
            return match shutdown.until_killed(handshake).await? {
                Ok(socket) => {
                    // In a box, so that connections without TLS have no room for it.
                    let serving = self.serve_stream(socket, protocol, peer, place, shutdown);
                    Box::pin(serving).await
                }
                Err(error) => {
                    tracing::debug!("a TLS handshake failed: {}", Printable(error));
                    None
                }
            };
        }
        self.serve_stream(socket, protocol, peer, place, shutdown)
            .await
    }

    fn peer(&self, incoming: &Incoming) -> Peer {
        let address = incoming.address();
        Peer {
            transport: match incoming {
                Incoming::Tcp(..) => Transport::Tcp,
                Incoming::Unix(_) => Transport::Unix,
            },
            address,
            client: address.into(),
            is_proxy: self.proxies.has_peer(address),
            passed_on: false,
        }
    }

    /// Reads the header of a proxy, and counts the connection to the address in it; `None` if the
    /// connection is to be closed. Its future is boxed, since most connections have no header.
    async fn read_proxy_header<S>(
        &self,
        socket: &mut S,
        peer: Peer,
        place: &Weak<dyn SessionPlace>,
        shutdown: &Shutdown,
    ) -> Option<Peer>
    where
        S: Socket,
    {
        let from = peer.address;
        if !self.proxies.is_empty() && !peer.is_proxy {
            tracing::debug!(
                ?from,
                "closed: a PROXY header is taken from trusted proxies only"
            );
            return None;
        }
        let client = match in_time(read_header(socket), self.header_timeout, shutdown).await {
            Some(Ok(client)) => client,
            Some(Err(reason)) => {
                tracing::debug!(?from, "closed: no PROXY header: {reason}");
                return None;
            }
            None => {
                tracing::debug!(?from, "closed: no PROXY header in time");
                return None;
            }
        };
        let peer = match client {
            Some(_) => Peer {
                client: client.into(),
                is_proxy: self.proxies.has_peer(client),
                passed_on: true,
                ..peer
            },
            // Not even the proxy has an address.
            None if peer.client == ClientAddress::None => Peer {
                client: ClientAddress::Hidden,
                passed_on: true,
                ..peer
            },
            None => Peer {
                passed_on: true,
                ..peer
            },
        };
        if let Some(address) = peer.client.ip().filter(|_| !peer.is_proxy)
            && !place.upgrade()?.count_address(address)
        {
            tracing::debug!(?from, %address, "closed: too many connections from this address");
            return None;
        }
        Some(peer)
    }

    pub(super) async fn serve_stream<S>(
        self,
        socket: S,
        protocol: Protocol,
        peer: Peer,
        place: Weak<dyn SessionPlace>,
        shutdown: Shutdown,
    ) -> Option<SessionFuture>
    where
        S: Socket,
    {
        // What a proxy proves is its own, and says nothing of its clients. A certificate is shown inside
        // of what a proxy passes on.
        let proof = match peer.is_proxy {
            true => PeerCredentials::default(),
            false => PeerCredentials {
                certificate: socket.peer_certificate(),
                unix: socket.unix_peer().filter(|_| !peer.passed_on),
            },
        };
        let account = self.accounts.open();
        let connection =
            |transport| Connection::proven(transport, peer.address, peer.client, proof, account);
        match protocol {
            Protocol::Http => {
                let caller = Caller {
                    connection: connection(Transport::Http),
                    local: self.http.local,
                    named: peer.transport == Transport::Tcp,
                    proxies: peer.is_proxy.then_some(self.proxies),
                    stopping: shutdown.stopping(),
                    slot: None,
                    wire: None,
                };
                self.http.serve(socket, caller, place, shutdown).await
            }
            Protocol::Raw(framing) => {
                let connection = connection(peer.transport);
                let raw = self.raw?;
                let identity = raw.identify(&connection);
                let identity = shutdown.until_killed(identity).await??;
                Some(raw.serve(socket, framing, connection, identity, shutdown))
            }
        }
    }
}

/// Runs a future until it is done. It has so much time, or from a stop of the server on only as long
/// as bytes may be on their way.
async fn in_time<F: Future>(
    future: F,
    time: Option<Duration>,
    shutdown: &Shutdown,
) -> Option<F::Output> {
    let mut limited = pin!(async {
        match time {
            Some(time) => timeout(time, future).await.ok(),
            None => Some(future.await),
        }
    });
    match shutdown.until_stopped(limited.as_mut()).await {
        Some(output) => output,
        None => timeout(LAST_BYTE, limited).await.ok().flatten(),
    }
}
