//! The client: calls the methods of a server as if they were here, alone or in batches.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Client`] |
//! | `builder.rs` | [`ClientBuilder`]: every option, its default and its limit |
//! | `build.rs` | options → client |
//! | `call.rs` | [`PendingCall`]: one call, from its parameters to its result |
//! | `batch.rs` | [`Batch`]: many calls in one request |
//! | `subscribe.rs` | [`Subscription`]: a remote stream |
//! | `channel.rs` | how messages go: over HTTP, or over a session |
//! | `request.rs` | HTTP: text, headers and deadline of a request |
//! | `answer.rs` | HTTP: what came back, held against what was asked |
//! | `http.rs` | HTTP: one exchange through any `tower` service |
//! | `connect.rs` | HTTP: the default service, a pool of connections |
//! | `https.rs` | HTTP: the same over TLS |
//! | `session.rs` | sessions: a call on its way |
//! | `driver.rs` | sessions: the connection, kept and made again |
//! | `dial.rs` | sessions: connections, by what they lead to |
//! | `peer.rs` | sessions: the caller of a method as a client's server |
//! | `error.rs` | [`Error`]: why there is no result, and whether the call has run |
//! | `macros.rs` | [`call!`](crate::call) |

mod batch;
pub mod blocking;
mod build;
mod builder;
mod call;
mod channel;
#[cfg_attr(not(feature = "client"), path = "no_connect.rs")]
mod connect;
mod dial;
mod driver;
mod error;
mod http;
mod macros;
mod peer;
mod request;
mod response;
mod session;
mod subscribe;
mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use antiphon_proto::{Id, IntoParams, Params};
use serde::de::DeserializeOwned;

use crate::connection::NewCall;
use crate::dispatch::Dispatcher;
use channel::Channel;

pub use batch::{Batch, Responses, Ticket};
pub use builder::{ClientBuilder, Encoding};
pub use call::{CallFuture, Full, PendingCall};
pub use driver::{ConnectionState, ConnectionWatch, Reconnect};
pub use error::{Error, Kind};
pub use http::Body;
#[cfg(all(unix, feature = "supervisor"))]
pub(crate) use peer::over;
pub use subscribe::{PendingSubscription, StreamError, Subscription};

/// A client of one server. Cheap to clone; clones share connections, ids and limits.
///
/// ```no_run
/// use antiphon::{Params, call};
/// use antiphon::client::{Client, Error};
///
/// # async fn example() -> Result<(), Error> {
/// let client = Client::connect("http://localhost:8060")?;
///
/// let sum: f64 = client.call("calc.add", (3, 4)).await?;
/// let sum: f64 = client.call("calc.add", Params::none().insert("a", 3).insert("b", 4)).await?;
/// let sum: f64 = call!(client.calc.add(3, 4)).await?;
/// client.notify("log", ("done",)).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Where it runs
///
/// Its futures are awaited inside a tokio runtime whose I/O and timer are enabled. Connections
/// belong to the runtime in which they were made. Dropping the future of a call closes its request,
/// by which a server learns that nobody waits any more.
///
/// # Limits
///
/// A call takes 30 s, an answer is 10 MiB, an answer to a batch 25 MiB, 1024 requests are under way
/// at the same time, a connection comes about within 10 s and is kept for 60 s without use.
/// Redirects are not followed. [`ClientBuilder`] changes most of this.
///
/// # Inside a method of a server
///
/// A call made there ends with the caller's deadline, if that is sooner, and carries its
/// `traceparent` and `tracestate` on. Every call tells the server how long it waits, in the header
/// `RPC-Timeout-Ms`.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    /// What stands before every method's name, separator included.
    prefix: Option<Arc<str>>,
}

/// What clones of a client have in common.
struct Shared {
    /// The server, as errors name it: without path and query.
    place: String,
    channel: Channel,
    version: String,
    separator: String,
    /// Merged into the named parameters of every call.
    data: Params,
    next_id: Box<dyn Fn() -> Id + Send + Sync>,
    encoding: Encoding,
    timeout: Option<Duration>,
    max_response: usize,
    max_batch_response: usize,
}

impl Shared {
    /// A call with an id of the client's.
    fn new_call(&self) -> NewCall {
        NewCall::from((self.next_id)())
    }

    /// Whether a connection that is lost is made again.
    fn reconnects(&self) -> bool {
        matches!(&self.channel, Channel::Session(lane) if lane.reconnects())
    }
}

impl Client {
    /// A client with all defaults. Nothing is sent and nothing connected before the first call.
    ///
    /// # Errors
    ///
    /// [`Kind::Local`] if `url` is no [`Address`](crate::Address).
    pub fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// A client of a router in the same process, over a session: both sides may call, and streams
    /// work. For tests, and for parts of a program that may be apart one day.
    ///
    /// ```
    /// use antiphon::{Router, client::Client};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let dispatcher = Router::default().method_fn("add", |a: i64, b: i64| a + b).build()?;
    /// let client = Client::in_process(&dispatcher);
    /// let client = Client::in_process(&dispatcher)?;
    /// assert_eq!(client.call::<i64>("add", (3, 4)).await?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// None: it is a `Result` because [`ClientBuilder::build`] is.
    pub fn in_process(dispatcher: &Dispatcher) -> Result<Self, Error> {
        Self::builder("").in_process(dispatcher).build()
    }

    /// A client with options.
    pub fn builder(url: impl AsRef<str>) -> ClientBuilder {
        ClientBuilder::new(url.as_ref())
    }

    /// A call, which is sent when it is awaited.
    ///
    /// `R` is any type that can be read from the result; it follows from what the result is used
    /// as, or is given as `call::<f64>`. Parameters are a tuple or a list (by position),
    /// [`Params`] or a map (by name), or `()`.
    ///
    /// # Errors
    ///
    /// Awaiting it gives an [`Error`]; parameters that have no JSON form are told there, too.
    ///
    /// ```no_run
    /// # async fn example(client: antiphon::client::Client) -> Result<(), antiphon::client::Error> {
    /// use std::time::Duration;
    ///
    /// let sum: f64 = client.call("calc.add", (3, 4)).id("x").timeout(Duration::from_secs(1)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn call<R: DeserializeOwned>(
        &self,
        method: &str,
        params: impl IntoParams,
    ) -> PendingCall<R> {
        PendingCall::new(
            Arc::clone(&self.shared),
            self.name(method),
            self.params(params),
        )
    }

    /// A call that brings the HTTP answer along, also if that holds an error.
    ///
    /// # Errors
    ///
    /// Awaiting it fails only when there was no HTTP answer.
    pub fn call_full<R: DeserializeOwned>(
        &self,
        method: &str,
        params: impl IntoParams,
    ) -> CallFuture<Full<R>> {
        self.call(method, params).full()
    }

    /// A notification: the method runs, and its outcome is not told.
    ///
    /// It is over when the server has taken it, with any HTTP status 2xx.
    ///
    /// # Errors
    ///
    /// As for a call, but for nothing that the method does.
    pub fn notify(&self, method: &str, params: impl IntoParams) -> CallFuture<()> {
        call::notify(
            Arc::clone(&self.shared),
            self.name(method),
            self.params(params),
        )
    }

    /// Subscribes to a method that answers with a stream. It needs a session: a `ws:`, `tcp:`,
    /// `unix:` or `stdio:` address.
    ///
    /// `T` is the type of the items.
    ///
    /// # Errors
    ///
    /// Awaiting it gives an [`Error`], as a call does. What happens later, the stream tells.
    pub fn subscribe<T: DeserializeOwned>(
        &self,
        method: &str,
        params: impl IntoParams,
    ) -> PendingSubscription<T> {
        PendingSubscription::new(
            Arc::clone(&self.shared),
            self.name(method),
            self.params(params),
        )
    }

    /// Watches the connection of a client that speaks over a session.
    #[must_use]
    pub fn connection(&self) -> ConnectionWatch {
        match &self.shared.channel {
            Channel::Session(lane) => lane.watch(),
            Channel::Http(_) => ConnectionWatch::none(),
        }
    }

    /// Makes the connection now, without a call. Over HTTP there is nothing to do.
    ///
    /// # Errors
    ///
    /// [`Kind::NotSent`] if there is no connection to be had within the client's time.
    pub async fn ready(&self) -> Result<(), Error> {
        let Channel::Session(lane) = &self.shared.channel else {
            return Ok(());
        };
        let journey = session::Journey::new(
            "the connection",
            lane,
            self.shared.timeout,
            crate::task_local::CurrentCall::get(),
        );
        journey.session_handle(0).await.map(drop)
    }

    /// Calls to be sent together, in one request.
    pub fn batch(&self) -> Batch {
        Batch::new(self.clone())
    }

    /// The same client for the methods under a name: `add` becomes `calc.add`.
    ///
    /// ```
    /// # use antiphon::client::Client;
    /// # let client = Client::connect(":8060")?;
    /// let calc = client.namespace("calc");
    /// let deep = calc.namespace("statistics"); // calc.statistics.…
    /// # Ok::<(), antiphon::client::Error>(())
    /// ```
    #[must_use]
    pub fn namespace(&self, name: &str) -> Self {
        let prefix = format!("{}{}", self.name(name), self.shared.separator);
        Self {
            shared: Arc::clone(&self.shared),
            prefix: Some(prefix.into()),
        }
    }

    fn name(&self, method: &str) -> String {
        match &self.prefix {
            Some(prefix) => format!("{prefix}{method}"),
            None => method.to_owned(),
        }
    }

    /// The text of the parameters, with the client's own data merged into them.
    fn params(&self, params: impl IntoParams) -> Result<Option<String>, String> {
        let params = params.into_params().merge(&self.shared.data);
        params.to_json().map_err(ToString::to_string)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("place", &self.shared.place)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
