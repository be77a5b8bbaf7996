//! Origin of a call: the connection, and the message that carried it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::address::group::AddressGroup;
use crate::describe::{Access, Reader};
use crate::identity::{Identification, PeerCredentials};
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
        })
    }
}

/// The most bytes of each member of a trace context; a longer one is ignored.
pub(crate) const MAX_TRACE: usize = antiphon_proto::message::MAX_TRACE_LEN;

/// Who calls, as the log names them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallerId {
    connection: u64,
    transport: Transport,
    peer: Option<SocketAddr>,
}

impl fmt::Display for CallerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} connection {}", self.transport, self.connection)?;
        match self.peer {
            Some(peer) => write!(f, " from {peer}"),
            None => Ok(()),
        }
    }
}

/// One connection: everything on it ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: u64,
    pub(crate) transport: Transport,
    pub(crate) peer: Option<SocketAddr>,
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
        let places = (transport != Transport::InProcess).then(ConnectionPlaces::default);
        Self::with(transport, peer, PeerCredentials::default(), memory, places)
    }

    /// A connection that proves something of its peer.
    pub(crate) fn proven(
        transport: Transport,
        peer: Option<SocketAddr>,
        proof: PeerCredentials,
        memory: Arc<Account>,
    ) -> Arc<Self> {
        let places = Some(ConnectionPlaces::default());
        Self::with(transport, peer, proof, memory, places)
    }

    /// All connections of a server that does not show them.
    pub(crate) fn unknown(transport: Transport, memory: Arc<Account>) -> Arc<Self> {
        Self::with(transport, None, PeerCredentials::default(), memory, None)
    }

    fn with(
        transport: Transport,
        peer: Option<SocketAddr>,
        proof: PeerCredentials,
        memory: Arc<Account>,
        places: Option<ConnectionPlaces>,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            transport,
            peer,
            proof,
            memory,
            places,
            closed: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// The other end, for the log.
    pub(crate) fn caller_id(&self) -> CallerId {
        CallerId {
            connection: self.id,
            transport: self.transport,
            peer: self.peer,
        }
    }

    /// Whose shares of the places its calls count to.
    pub(crate) fn shares(&self, local: bool) -> Shares {
        let kind = match self.transport {
            Transport::InProcess => return Shares::default(),
            Transport::Http => TransportKind::Requests,
            Transport::WebSocket | Transport::Tcp | Transport::Unix | Transport::Stdio => {
                TransportKind::Sessions
            }
        };
        let peer = self.peer.filter(|_| !local);
        Shares {
            connection: self.places.clone(),
            kind: Some(kind),
            address: peer.map(|peer| AddressGroup::from(peer.ip())),
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

/// One message on a connection, shared by all the calls in it.
pub(crate) struct Origin {
    pub(crate) common: Arc<RouterState>,
    /// The server that was called, where it is one.
    pub(crate) server: Option<Arc<ServerStatus>>,
    pub(crate) connection: Arc<Connection>,
    /// Whether the caller is on this machine and came here directly.
    pub(crate) local: bool,
    /// Whether the caller has shown that the server is theirs.
    pub(crate) admin: bool,
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
            connection,
            local,
            admin: false,
            identification: Identification::Unasked,
            session: None,
            timeout: None,
            traceparent: None,
            tracestate: None,
            http: None,
            held: None,
        }
    }

    /// A method by its index, and the caller, for the log.
    pub(crate) fn named(&self, method: usize) -> (String, CallerId) {
        let method = self.common.tree.method(method);
        let name = method.map_or_else(String::new, |method| method.name().to_owned());
        (name, self.connection.caller_id())
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
