//! Origin of a call: the connection, and the message that carried it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::address::client_address::ClientAddress;
use crate::address::group::AddressGroup;
use crate::describe::{Access, Reader};
use crate::identity::{Identification, PeerCredentials, Principal};
use crate::memory_budget::{Account, Reservation};
use crate::metrics::counters::RouterState;
use crate::metrics::places::{ConnectionPlaces, Shares, TransportKind};
use crate::metrics::status::ServerStatus;
use crate::session_state::SessionHandle;

/// The transport that carried a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Transport {
    /// The same process: a [`Client`](crate::Client) in process, or
    /// [`Dispatcher::handle`](crate::Dispatcher::handle).
    InProcess,
    /// HTTP/1 or HTTP/2.
    Http,
    /// A WebSocket.
    WebSocket,
    /// A raw TCP stream.
    Tcp,
    /// A Unix socket.
    Unix,
    /// Standard input and output.
    Stdio,
    /// A NATS server.
    Nats,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InProcess => "in-process",
            Self::Http => "http",
            Self::WebSocket => "websocket",
            Self::Tcp => "tcp",
            Self::Unix => "unix",
            Self::Stdio => "stdio",
            Self::Nats => "nats",
        })
    }
}

/// The most bytes of each member of a trace context; a longer one is ignored.
pub(crate) const MAX_TRACE: usize = antiphon_proto::message::MAX_TRACE_LEN;

/// Who calls, as the log names them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallerId {
    pub(crate) connection: u64,
    pub(crate) transport: Transport,
    peer: Option<SocketAddr>,
    pub(crate) client: ClientAddress,
}

impl fmt::Display for CallerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connection {}", self.transport, self.connection)?;
        let is_peer = self.client == ClientAddress::from(self.peer);
        match (self.client.ip().filter(|_| !is_peer), self.peer) {
            (Some(client), Some(peer)) => write!(f, " from {client} through {peer}"),
            (Some(client), None) if self.transport == Transport::InProcess => {
                write!(f, " on behalf of {client}")
            }
            (Some(client), None) => write!(f, " from {client} through a proxy"),
            (None, Some(peer)) => write!(f, " from {peer}"),
            (None, None) => Ok(()),
        }
    }
}

/// One connection: everything on it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) transport: Transport,
    /// The other end of the socket.
    pub(crate) peer: Option<SocketAddr>,
    /// The client of the connection: the peer, or whom the header of a proxy names. A request can
    /// have another one, which is in its [`Origin`].
    pub(crate) client: ClientAddress,
    /// What it proves of its peer.
    pub(crate) proof: PeerCredentials,
    /// What is held for the peer.
    pub(crate) memory: Arc<Account>,
    /// The places that its calls hold; `None` if it stands for many connections, or for this process.
    places: Option<ConnectionPlaces>,
    closed: CancellationToken,
    tasks: TaskTracker,
}

impl Connection {
    pub(crate) fn new(
        transport: Transport,
        peer: Option<SocketAddr>,
        memory: Arc<Account>,
    ) -> Arc<Self> {
        Self::of_client(transport, peer, peer.into(), memory)
    }

    /// A connection that a proxy may have passed on for this client.
    pub(crate) fn of_client(
        transport: Transport,
        peer: Option<SocketAddr>,
        client: ClientAddress,
        memory: Arc<Account>,
    ) -> Arc<Self> {
        let places = (transport != Transport::InProcess).then(ConnectionPlaces::default);
        let proof = PeerCredentials::default();
        Self::with(transport, peer, client, proof, memory, places)
    }

    /// Like [`of_client`](Self::of_client), with what the connection proves of its peer.
    pub(crate) fn proven(
        transport: Transport,
        peer: Option<SocketAddr>,
        client: ClientAddress,
        proof: PeerCredentials,
        memory: Arc<Account>,
    ) -> Arc<Self> {
        let places = Some(ConnectionPlaces::default());
        Self::with(transport, peer, client, proof, memory, places)
    }

    /// All connections of a server that does not show them.
    pub(crate) fn unknown(transport: Transport, memory: Arc<Account>) -> Arc<Self> {
        let (client, proof) = (ClientAddress::None, PeerCredentials::default());
        Self::with(transport, None, client, proof, memory, None)
    }

    fn with(
        transport: Transport,
        peer: Option<SocketAddr>,
        client: ClientAddress,
        proof: PeerCredentials,
        memory: Arc<Account>,
        places: Option<ConnectionPlaces>,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            transport,
            peer,
            client,
            proof,
            memory,
            places,
            closed: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// The other end and the client behind it, for the log.
    pub(crate) fn caller_id(&self, client: ClientAddress) -> CallerId {
        CallerId {
            connection: self.id,
            transport: self.transport,
            peer: self.peer,
            client,
        }
    }

    /// Whose shares of the places calls count to, if their client is in this group.
    pub(crate) fn shares(&self, address: Option<AddressGroup>) -> Shares {
        let kind = match self.transport {
            Transport::InProcess => return Shares::default(),
            Transport::Http | Transport::Nats => TransportKind::Requests,
            Transport::WebSocket | Transport::Tcp | Transport::Unix | Transport::Stdio => {
                TransportKind::Sessions
            }
        };
        Shares {
            connection: self.places.clone(),
            kind: Some(kind),
            address,
        }
    }

    /// Runs a task until it ends or the connection does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let closed = self.closed.clone();
        self.tasks.spawn(async move {
            closed.run_until_cancelled(task).await;
        });
    }

    /// Ends the tasks. The connection itself knows when: it is shared with calls that may outlive
    /// the socket by a moment.
    pub(crate) fn close(&self) {
        self.closed.cancel();
        self.tasks.close();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// The client of a call: what of an [`Origin`] has to be known where the origin itself has gone with
/// the call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallClient {
    pub(crate) address: ClientAddress,
    pub(crate) local: bool,
}

impl CallClient {
    /// The group that limits by address count the client to; `None` for one that is on this machine,
    /// or has no address.
    pub(crate) fn address_group(self) -> Option<AddressGroup> {
        match self.local {
            true => None,
            false => self.address.group(),
        }
    }
}

/// One message on a connection, shared by all the calls in it.
pub(crate) struct Origin {
    pub(crate) common: Arc<RouterState>,
    /// The server that was called, where it is one.
    pub(crate) server: Option<Arc<ServerStatus>>,
    pub(crate) connection: Arc<Connection>,
    /// The client's address. On an HTTP connection of a proxy each request may have another one.
    pub(crate) client: ClientAddress,
    /// Whether the caller is on this machine and came here directly.
    pub(crate) local: bool,
    /// Whether the caller has shown that the server is theirs.
    pub(crate) admin: bool,
    /// Whether its calls may open subscriptions and do nothing else: to them, all other methods do not
    /// exist.
    pub(crate) only_streams: bool,
    /// The only method that its calls may name, where the transport has addressed one.
    pub(crate) addressed: Option<Box<str>>,
    /// Who the caller is.
    pub(crate) identification: Identification,
    /// The session, where there is one; also where only messages to the caller can follow.
    pub(crate) session: Option<SessionHandle>,
    /// What the transport says about how long the caller waits.
    pub(crate) timeout: Option<Duration>,
    pub(crate) traceparent: Option<Arc<str>>,
    pub(crate) tracestate: Option<Arc<str>>,
    /// The head of the HTTP request, if there was one.
    pub(crate) http: Option<http::request::Parts>,
    /// What is reserved for that head, if it stays for the life of a session.
    pub(crate) held: Option<Box<Reservation>>,
}

impl Origin {
    pub(crate) fn new(common: Arc<RouterState>, connection: Arc<Connection>, local: bool) -> Self {
        Self {
            common,
            server: None,
            client: connection.client,
            connection,
            local,
            admin: false,
            only_streams: false,
            addressed: None,
            identification: Identification::Unasked,
            session: None,
            timeout: None,
            traceparent: None,
            tracestate: None,
            http: None,
            held: None,
        }
    }

    /// The origin of a message on the same connection that is sent on behalf of this caller. It has the
    /// rights of that caller, not those of the connection.
    pub(crate) fn on_behalf_of(&self, principal: Principal) -> Self {
        let (common, connection) = (Arc::clone(&self.common), Arc::clone(&self.connection));
        let local = principal.local;
        Self {
            server: self.server.clone(),
            client: principal.client,
            session: self.session.clone(),
            identification: principal.identification(),
            ..Self::new(common, connection, local)
        }
    }

    /// A method by its index, and the caller, for the log.
    pub(crate) fn named(&self, method: usize) -> (String, CallerId) {
        let method = self.common.tree.method(method);
        let name = method.map_or_else(String::new, |method| method.name().to_owned());
        (name, self.caller_id())
    }

    /// The caller, for the log.
    pub(crate) fn caller_id(&self) -> CallerId {
        self.connection.caller_id(self.client)
    }

    /// The client, as limits and the log need to know it.
    pub(crate) fn call_client(&self) -> CallClient {
        CallClient {
            address: self.client,
            local: self.local,
        }
    }

    /// The group that every limit by address counts the caller to; `None` for one that is local, or
    /// has no address.
    pub(crate) fn address_group(&self) -> Option<AddressGroup> {
        self.call_client().address_group()
    }

    /// Whose shares of the places its calls count to.
    pub(crate) fn shares(&self) -> Shares {
        self.connection.shares(self.address_group())
    }

    /// What the caller may see.
    pub(crate) fn reader(&self) -> Reader {
        let reader = Reader::from(self.access());
        match !self.admin && self.identification.is_anonymous() {
            true => reader.anonymous(),
            false => reader,
        }
    }

    /// The access level of the caller.
    pub(crate) fn access(&self) -> Access {
        Access::of(self.local, self.admin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_the_peer_and_the_client_behind_it() {
        let socket = |text: &str| Some(text.parse().unwrap());
        let client = ClientAddress::from("192.0.2.1".parse::<std::net::IpAddr>().unwrap());
        let peer = socket("192.0.2.9:4711");
        for (transport, peer, client, expected) in [
            (Transport::Tcp, None, ClientAddress::None, ""),
            (Transport::Tcp, peer, peer.into(), " from 192.0.2.9:4711"),
            (
                Transport::Tcp,
                peer,
                client,
                " from 192.0.2.1 through 192.0.2.9:4711",
            ),
            (
                Transport::Unix,
                None,
                client,
                " from 192.0.2.1 through a proxy",
            ),
            (Transport::Unix, None, ClientAddress::Hidden, ""),
            (Transport::InProcess, None, ClientAddress::None, ""),
            (
                Transport::InProcess,
                None,
                client,
                " on behalf of 192.0.2.1",
            ),
        ] {
            let caller = CallerId {
                connection: 7,
                transport,
                peer,
                client,
            };
            let expected = format!("{transport} connection 7{expected}");
            assert_eq!(caller.to_string(), expected);
        }
    }
}
