//! Context of a call, for the method that answers it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use antiphon_proto::Id;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::call_origin::{Origin, Transport};
use crate::current_call::CurrentCall;
use crate::describe::{Access, MethodInfo, Node, Reader, Tree};
use crate::identity::Identity;
use crate::metrics::places::PlaceLimits;

/// The notification that tells of the progress of a call, as LSP names it.
pub(crate) const PROGRESS: &str = "$/progress";

/// The context of a running call: its caller, its deadline, and the method that handles it.
///
/// A method gets the context as a parameter of type `Context` or `&Context`. With
/// [`#[rpc]`](macro@crate::rpc) this may be any of its parameters, in a closure it must be the
/// first one. Callers do not pass or see it.
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use antiphon::{Context, rpc};
///
/// struct Clock;
///
/// #[rpc]
/// impl Clock {
///     /// Says how long the caller is still going to wait, in milliseconds.
///     fn rpc_remaining(&self, ctx: &Context) -> Option<u64> {
///         let left = ctx.deadline()?.saturating_duration_since(tokio::time::Instant::now());
///         u64::try_from(left.as_millis()).ok()
///     }
/// }
/// # }
/// ```
///
/// | question | methods |
/// |---|---|
/// | Who calls, and from where? | [`client_ip`](Self::client_ip), [`peer_addr`](Self::peer_addr), [`transport`](Self::transport), [`headers`](Self::headers), [`is_local`](Self::is_local), [`access`](Self::access), [`connection_id`](Self::connection_id) |
/// | How long may the call take? | [`deadline`](Self::deadline), [`cancellation`](Self::cancellation) |
/// | What has a layer attached? | [`get`](Self::get), [`http`](Self::http) |
/// | What is running? | [`id`](Self::id), [`method`](Self::method), [`node`](Self::node), [`router`](Self::router) |
/// | How to reach the caller before the response? | [`progress`](Self::progress), [`peer`](Self::peer) |
/// | How to continue after the response? | [`spawn`](Self::spawn) |
///
/// A clone is cheap and may outlive the call. After the response, the token of
/// [`cancellation`](Self::cancellation) is no longer cancelled.
///
/// # Deadlines
///
/// At its deadline, an `async` method is dropped, and its caller gets error −32001. A blocking
/// method cannot be dropped. Its caller gets the same error, and the method continues, so it should
/// check [`cancellation`](Self::cancellation) from time to time. A [`Client`](crate::Client) that
/// is used inside a method inherits the deadline and the trace context, and the caller if it
/// [forwards](crate::client::ClientBuilder::forward_identity) it.
///
/// # See also
///
/// [`Call`](crate::Call) is the call as layers see it. [`Limits`](crate::Limits) sets the default
/// deadline.
#[derive(Clone)]
pub struct Context {
    pub(crate) origin: Arc<Origin>,
    pub(crate) method: usize,
    pub(crate) id: Option<Id>,
    pub(crate) current: CurrentCall,
    pub(crate) data: Option<Arc<Data>>,
    pub(crate) cancel: Arc<Cancel>,
    /// For work on other threads, which needs a place.
    pub(crate) places: PlaceLimits,
}

impl Context {
    /// The id of the call; `None` for a notification.
    #[must_use]
    pub fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// The deadline of the call; `None` if there is none.
    ///
    /// It is the earliest of the server's own limit, the member `timeout` of the request, and the
    /// header `RPC-Timeout-Ms`. A method that is still running then is dropped; the caller gets
    /// error −32001.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.current.deadline
    }

    /// A token that is cancelled when nobody waits for the result any more: the caller has
    /// cancelled the call, its connection has ended, or the deadline has passed.
    ///
    /// An `async` method is dropped then, and does not need the token. A blocking method should
    /// check it from time to time.
    #[must_use]
    pub fn cancellation(&self) -> CancellationToken {
        self.cancel.0.get_or_init(CancellationToken::new).clone()
    }

    /// The IP address of the client; `None` if the transport has no addresses.
    ///
    /// Without a proxy it is the address of [`peer_addr`](Self::peer_addr). If the peer is one of
    /// `Settings::trusted_proxies`, it is the client that the proxy names in `Forwarded` or
    /// `X-Forwarded-For`, or in a PROXY protocol header. Limits by address and the log use it, too. A
    /// proxy that does not name its client stands for it with its own address; over a Unix socket
    /// there is then none. A call on behalf of somebody else has the address of that one.
    ///
    /// It tells where a call comes from, not who makes it. A client behind a proxy is never local, even
    /// if its address is 127.0.0.1.
    ///
    /// ```
    /// # #[cfg(feature = "macros")] {
    /// use antiphon::{Context, rpc};
    ///
    /// struct Desk;
    ///
    /// #[rpc]
    /// impl Desk {
    ///     /// Tells the caller how it is seen.
    ///     fn rpc_where_am_i(&self, ctx: &Context) -> String {
    ///         match (ctx.client_ip(), ctx.peer_addr()) {
    ///             (Some(client), Some(peer)) if peer.ip() != client => {
    ///                 format!("at {client}, behind the proxy at {peer}")
    ///             }
    ///             (Some(client), _) => format!("at {client}"),
    ///             (None, _) => "on this machine".to_owned(),
    ///         }
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.origin.client.ip()
    }

    /// The address of the other end of the connection, which is the proxy if there is one in front;
    /// `None` if the transport has no addresses. [`client_ip`](Self::client_ip) is the client's.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.origin.connection.peer
    }

    /// The transport that carried the call.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.origin.connection.transport
    }

    /// The number of the connection. No two connections of a process have the same number. A
    /// service that is mounted in another server does not see connections: all its calls have the
    /// same number.
    #[must_use]
    pub fn connection_id(&self) -> u64 {
        self.origin.connection.id
    }

    /// Whether the caller is on this machine and has connected directly, not through a proxy.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.origin.local
    }

    /// The access level of the caller. Whether it is known, and its scopes, count besides: see
    /// [`reader`](Self::reader) and [`identity`](Self::identity).
    #[must_use]
    pub fn access(&self) -> Access {
        self.origin.access()
    }

    /// Which methods the caller may see.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.origin.reader()
    }

    /// Who the caller was when the call began; `None` if it was anonymous, if what it had presented
    /// had expired, or if the server has no [`Authenticator`](crate::Authenticator). In a call on behalf
    /// of somebody else ([`forward_identity`](crate::client::ClientBuilder::forward_identity)) it is
    /// that one.
    ///
    /// ```
    /// use antiphon::{Context, Router};
    ///
    /// let router = Router::new().method_fn("whoami", |ctx: Context| {
    ///     ctx.identity().map(|identity| identity.subject().to_owned())
    /// });
    /// ```
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.current.caller.as_ref()?.identity.clone()
    }

    /// The headers of the HTTP request; `None` if there was none.
    #[must_use]
    pub fn headers(&self) -> Option<&http::HeaderMap> {
        self.http().map(|head| &head.headers)
    }

    /// The head of the HTTP request, with the extensions that HTTP layers have added; `None` if
    /// there was no HTTP request.
    #[must_use]
    pub fn http(&self) -> Option<&http::request::Parts> {
        self.origin.http.as_ref()
    }

    /// The value of this type that a layer has attached with [`Call::insert`](crate::Call::insert).
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.data.as_ref()?.get()
    }

    /// The `format` of the running method. Default: `json`.
    #[must_use]
    pub fn format(&self) -> &str {
        self.method().map_or("json", MethodInfo::format)
    }

    /// The description of all methods of the router that is served.
    #[must_use]
    pub fn router(&self) -> &Tree {
        &self.origin.common.tree
    }

    /// The description of the running method.
    #[must_use]
    pub fn method(&self) -> Option<&MethodInfo> {
        self.origin.common.tree.method(self.method)
    }

    /// The router that the running method belongs to.
    #[must_use]
    pub fn node(&self) -> Node {
        match self.method() {
            Some(method) => self.origin.common.tree.node_of(method),
            None => self.origin.common.tree.root(),
        }
    }

    /// The number of calls in flight in this router, on all connections. The running call counts
    /// once it has waited for something.
    #[must_use]
    pub fn calls_in_flight(&self) -> usize {
        self.origin.common.counters.in_flight()
    }

    /// Spawns a task that may continue after the response.
    ///
    /// The task is dropped when the connection ends, or in a service that is mounted in another
    /// server, with the service. Clients that are used in it inherit the deadline and trace context
    /// of this call, so their calls fail once that deadline has passed, and its caller if they
    /// [forward](crate::client::ClientBuilder::forward_identity) it.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.origin
            .connection
            .spawn(self.current.clone().scope(task));
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("method", &self.method().map(MethodInfo::name))
            .field("id", &self.id)
            .field("client_ip", &self.client_ip())
            .field("peer_addr", &self.peer_addr())
            .field("transport", &self.transport())
            .finish_non_exhaustive()
    }
}

/// Tells a method that nobody waits for it any more; the token is made only if somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Cancel(OnceLock<CancellationToken>);

/// Cancels a call that is dropped before it has answered.
#[derive(Debug)]
pub(crate) struct CancelOnDrop(Option<Arc<Cancel>>);

impl CancelOnDrop {
    pub(crate) fn new(ctx: &Context) -> Self {
        Self(Some(Arc::clone(&ctx.cancel)))
    }

    pub(crate) fn answered(&mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(token) = self.0.as_ref().and_then(|cancel| cancel.0.get()) {
            token.cancel();
        }
    }
}

/// Values that layers attach to a call, one of each type.
#[derive(Default, Clone)]
pub(crate) struct Data(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Data {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    pub(crate) fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }
}
