//! Context of a call, for the method that answers it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use antiphon_proto::{Id, message};
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::call_origin::{Origin, Transport};
use crate::current_call::CurrentCall;
use crate::describe::{Access, MethodInfo, Node, Tree};

/// The notification that tells of the progress of a call, as LSP names it.
pub(crate) const PROGRESS: &str = "$/progress";

/// The context of a call: the caller, its deadline, and the method that answers it.
///
/// A method gets it by a parameter of type `Context` or `&Context`, in any place under
/// [`#[rpc]`](macro@crate::rpc) and in the first place of a closure. It is no parameter of the remote
/// method: callers do not see it.
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
/// | question | answer |
/// |---|---|
/// | Who calls, and from where? | [`peer_addr`](Self::peer_addr), [`transport`](Self::transport), [`headers`](Self::headers), [`is_local`](Self::is_local), [`access`](Self::access), [`connection_id`](Self::connection_id) |
/// | How long may it take? | [`deadline`](Self::deadline), [`cancellation`](Self::cancellation) |
/// | What did a layer find out? | [`get`](Self::get) |
/// | What is running? | [`id`](Self::id), [`method`](Self::method), [`node`](Self::node), [`router`](Self::router) |
/// | How to reach the caller before the answer? | [`progress`](Self::progress), [`peer`](Self::peer) |
/// | How to go on after the answer? | [`spawn`](Self::spawn) |
///
/// A clone costs a few reference counts. It may outlive the call; after the answer its
/// [`cancellation`](Self::cancellation) token is not cancelled any more.
///
/// # Deadlines
///
/// At the deadline an `async` method is dropped and its caller gets −32001. A blocking method cannot
/// be dropped: its caller gets the same answer, and the method should ask
/// [`cancellation`](Self::cancellation) now and then. A [`Client`](crate::Client) that is used inside
/// a method inherits the deadline and the trace context by itself.
///
/// # See also
///
/// [`Call`](crate::Call), the same for layers; [`Limits`](crate::Limits), where deadlines come from.
#[derive(Clone)]
pub struct Context {
    pub(crate) origin: Arc<Origin>,
    pub(crate) method: usize,
    pub(crate) id: Option<Id>,
    pub(crate) current: CurrentCall,
    pub(crate) data: Option<Arc<Data>>,
    pub(crate) cancel: Arc<Cancel>,
}

impl Context {
    /// The id of the call; `None` for a notification.
    #[must_use]
    pub fn id(&self) -> Option<&Id> {
        self.id.as_ref()
    }

    /// When the caller stops waiting: the shortest of the server's limit, the member `timeout` and
    /// the header `RPC-Timeout-Ms`. A method that is still running then is dropped.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.current.deadline
    }

    /// A token that is cancelled when nobody waits for the call any more: the request was cancelled,
    /// its connection has ended, or its deadline has passed.
    ///
    /// An `async` method is dropped then and need not ask. A blocking one should ask now and then.
    #[must_use]
    pub fn cancellation(&self) -> CancellationToken {
        self.cancel.0.get_or_init(CancellationToken::new).clone()
    }

    /// The address of the other end, where the transport has addresses.
    #[must_use]
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.origin.connection.peer
    }

    /// The transport that carried the call.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.origin.connection.transport
    }

    /// A number that is the same for all calls on one connection, and for no other connection of
    /// this process. A service that is mounted in another server sees no connections: all its calls
    /// share one number.
    #[must_use]
    pub fn connection_id(&self) -> u64 {
        self.origin.connection.id
    }

    /// Whether the caller is on this machine and came here directly, not through a proxy.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.origin.local
    }

    /// The access of this caller: which methods it may see and call.
    #[must_use]
    pub fn access(&self) -> Access {
        self.origin.access()
    }

    /// The headers of the HTTP request, if there was one.
    #[must_use]
    pub fn headers(&self) -> Option<&http::HeaderMap> {
        self.http().map(|head| &head.headers)
    }

    /// The head of the HTTP request, if there was one, with what HTTP layers left in its
    /// extensions.
    #[must_use]
    pub fn http(&self) -> Option<&http::request::Parts> {
        self.origin.http.as_ref()
    }

    /// A value that a layer has attached with [`Call::insert`](crate::Call::insert).
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.data.as_ref()?.get()
    }

    /// The `format` of the running method; `json` by default.
    #[must_use]
    pub fn format(&self) -> &str {
        self.method().map_or("json", MethodInfo::format)
    }

    /// All methods of the router that is served, as data.
    #[must_use]
    pub fn router(&self) -> &Tree {
        &self.origin.common.tree
    }

    /// The method that is running.
    #[must_use]
    pub fn method(&self) -> Option<&MethodInfo> {
        self.origin.common.tree.method(self.method)
    }

    /// The router the running method belongs to.
    #[must_use]
    pub fn node(&self) -> Node {
        match self.method() {
            Some(method) => self.origin.common.tree.node_of(method),
            None => self.origin.common.tree.root(),
        }
    }

    /// How many calls are waiting for something right now, this one perhaps included.
    #[must_use]
    pub fn calls_in_flight(&self) -> usize {
        self.origin.common.counters.in_flight()
    }

    /// Tells the caller how far the call is: the notification `$/progress` with the call's id as its
    /// `token` and this `value`. It waits while too much waits to be written.
    ///
    /// Without a session, for a notification, and for a value without a JSON form nothing is sent.
    ///
    /// ```
    /// use antiphon::{Context, Router};
    ///
    /// let router = Router::default().method_fn("copy", |ctx: Context, files: u32| async move {
    ///     for file in 0..files {
    ///         ctx.progress(&file).await;
    ///     }
    /// });
    /// ```
    pub async fn progress<T: Serialize + ?Sized + Sync>(&self, value: &T) {
        if let Some(id) = &self.id {
            self.tell_progress(id.as_str(), value).await;
        }
    }

    /// The same with a token that the caller has given, as editors do: `workDoneToken` in LSP.
    pub async fn progress_to<T, V>(&self, token: &T, value: &V)
    where
        T: Serialize + ?Sized + Sync,
        V: Serialize + ?Sized + Sync,
    {
        if let Ok(token) = serde_json::to_string(token) {
            self.tell_progress(&token, value).await;
        }
    }

    async fn tell_progress<T: Serialize + ?Sized + Sync>(&self, token: &str, value: &T) {
        let (Some(handle), Ok(value)) = (&self.origin.session, serde_json::to_string(value)) else {
            return;
        };
        poll_fn(|cx| handle.poll_room(cx)).await;
        let params = format!("{{\"token\":{token},\"value\":{value}}}");
        let mut text = Vec::with_capacity(64 + params.len());
        message::write_request(&mut text, "2.0", None, PROGRESS, Some(&params));
        handle.post(text);
    }

    /// Starts work that goes on after the method has answered. It ends with the connection (of a
    /// service that is mounted in another server: with the service), and calls made in it inherit
    /// this call's deadline and trace.
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

    pub(crate) fn answered(mut self) {
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
