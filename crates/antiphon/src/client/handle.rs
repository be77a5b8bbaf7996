//! Handle of a client: calls, notifications, subscriptions and batches by name.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use antiphon_proto::IntoParams;
use serde::de::DeserializeOwned;

use super::balance::{Attempt, Told};
use super::batch::Batch;
use super::builder::ClientBuilder;
use super::call::{self, CallFuture, FullResponse, PendingCall};
use super::connection_state::ConnectionWatch;
use super::error::Error;
use super::session::SessionExchange;
use super::shared::{Scope, Shared};
use super::subscription::PendingSubscription;
use super::transport::ClientTransport;
use crate::current_call::CurrentCall;
use crate::router::{IntoRouter, Router, RouterError};

/// The name of a connection in errors.
const CONNECTION: &str = "the connection";

/// A client of one server, or of several that serve the same ([`balanced`](Self::balanced)), for calls, notifications, batches and subscriptions.
///
/// A client is cheap to clone. All clones share connections, ids and limits. The address selects
/// the transport: `http:`, `https:`, `ws:`, `wss:`, `tcp:`, `tls:`, `unix:` or `stdio:`; see
/// [`Address`](crate::Address). For programs without `async` there is
/// [`blocking::Client`](crate::blocking::Client).
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
/// # Errors
///
/// A call fails with an [`Error`]. Its [`kind`](Error::kind) tells whether the call was not sent,
/// whether it may have run, or whether the server refused it.
///
/// # Limits
///
/// The timeout of a call is 30 s. A response has at most 10 MiB, the response to a batch at most 25
/// MiB. At most 1024 requests are in flight at a time. Establishing a connection takes at most 10
/// s. An idle HTTP connection is closed after 60 s. Redirects are not followed. [`ClientBuilder`]
/// has options for most of these.
///
/// # Runtime
///
/// Futures of the client must be polled inside a tokio runtime with I/O and time enabled. A
/// connection belongs to the runtime in which it was opened. Dropping the future of a call cancels
/// the call, and tells the server so.
///
/// # Inside a method of a server
///
/// A call that is made inside a method also ends at the deadline of that method's call, and carries
/// its trace context (`traceparent` and `tracestate`). Every call tells the server its timeout:
/// over HTTP in the header `RPC-Timeout-Ms`, over a session in the member `timeout`. The caller of that
/// method is not passed on, unless the client [forwards](ClientBuilder::forward_identity) it.
///
/// # See also
///
/// [`call!`](macro@crate::call) writes a call like a local method call.
/// [`#[rpc]`](macro@crate::rpc) generates typed clients. The command `antiphon codegen` generates
/// clients in other languages.
#[derive(Clone)]
pub struct Client {
    pub(super) scope: Scope,
}

impl Client {
    /// Creates a client with default options. It does not connect before its first call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`](super::ErrorKind::Local) if `url` is not a valid [`Address`](crate::Address).
    pub fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// Creates a client of a router in the same process, over a session: both sides may call, and
    /// subscriptions work. It is useful for tests, and for parts of a program that may become
    /// separate processes later.
    ///
    /// ```
    /// use antiphon::{Router, client::Client};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let router = Router::new().method_fn("add", |a: i64, b: i64| a + b);
    /// let client = Client::in_process(router)?;
    /// assert_eq!(client.call::<i64>("add", (3, 4)).await?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// [`ClientBuilder::in_process`] takes a [`Dispatcher`](crate::Dispatcher), that is, a router
    /// that is already built, and can be combined with other options.
    ///
    /// # Errors
    ///
    /// [`RouterError`] if names in the router conflict or are invalid.
    pub fn in_process(router: impl IntoRouter) -> Result<Self, RouterError> {
        let server = Router::of(router).build()?;
        let offered = Router::new().build()?;
        Ok(ClientBuilder::new("").over(server, offered))
    }

    /// Creates a builder of a client with other options.
    pub fn builder(url: impl AsRef<str>) -> ClientBuilder {
        ClientBuilder::new(url.as_ref())
    }

    /// Calls a method. The call is sent when it is awaited.
    ///
    /// `R` is the type of the result. It is inferred, or given as in `call::<f64>`. Positional
    /// parameters are a tuple, an array or a `Vec`. Named parameters are [`Params`](crate::Params)
    /// or a map. `()` means no parameters; see [`IntoParams`].
    ///
    /// The returned [`PendingCall`] has options for this call: an id, a timeout, and others.
    ///
    /// # Errors
    ///
    /// Awaiting the call returns an [`Error`] if it fails, also if the parameters cannot be
    /// serialized.
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
            Arc::clone(&self.scope.shared),
            self.scope.quoted_name(method),
            self.scope.params(params),
        )
    }

    /// Calls a method and returns the whole HTTP response, even if it contains an error; see
    /// [`FullResponse`].
    ///
    /// # Errors
    ///
    /// Awaiting the call fails only if there was no HTTP response. The error of the call itself is
    /// in [`FullResponse::result`].
    pub fn call_full<R: DeserializeOwned>(
        &self,
        method: &str,
        params: impl IntoParams,
    ) -> CallFuture<FullResponse<R>> {
        self.call(method, params).full()
    }

    /// Sends a notification: the method runs, but there is no response with its result.
    ///
    /// The future completes when the server has accepted the message, over HTTP with any status
    /// 2xx. Over a session, it completes when the message is written.
    ///
    /// # Errors
    ///
    /// The same as those of a call, except those of the method itself.
    pub fn notify(&self, method: &str, params: impl IntoParams) -> CallFuture<()> {
        call::notify(
            Arc::clone(&self.scope.shared),
            self.scope.quoted_name(method),
            self.scope.params(params),
        )
    }

    /// Subscribes to a method that returns a stream. `T` is the type of the items.
    ///
    /// This needs a session, that is, a `ws:`, `wss:`, `tcp:`, `tls:`, `unix:`, `stdio:` or `nats:` address,
    /// or a client [in the process](Self::in_process).
    ///
    /// # Errors
    ///
    /// Awaiting it returns an [`Error`] if the server refuses the subscription or cannot be
    /// reached. With an HTTP address the error is [`ErrorKind::Local`](super::ErrorKind::Local). Later errors
    /// are items of the stream; see [`StreamError`](super::StreamError).
    pub fn subscribe<T: DeserializeOwned>(
        &self,
        method: &str,
        params: impl IntoParams,
    ) -> PendingSubscription<T> {
        PendingSubscription::new(
            Arc::clone(&self.scope.shared),
            self.scope.name(method),
            self.scope.params(params),
        )
    }

    /// Returns a watch of the connection of a session. For a client over HTTP it never changes.
    #[must_use]
    pub fn connection(&self) -> ConnectionWatch {
        match &self.scope.shared.transport {
            ClientTransport::Session(source) => source.watch(),
            ClientTransport::Http(_) | ClientTransport::Balanced(_) => ConnectionWatch::none(),
        }
    }

    /// Connects now, without a call: a balanced client to one of its upstreams. Over HTTP this does
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotSent`](super::ErrorKind::NotSent) if the connection cannot be established within the
    /// client's timeout. [`ErrorKind::Rejected`](super::ErrorKind::Rejected) if an HTTP server rejects the
    /// WebSocket handshake.
    pub async fn ready(&self) -> Result<(), Error> {
        let shared = &self.scope.shared;
        let (timeout, current) = (shared.calls.timeout, CurrentCall::get());
        match &shared.transport {
            ClientTransport::Http(_) => Ok(()),
            ClientTransport::Session(_) => open(shared, timeout, current).await,
            ClientTransport::Balanced(balancer) => {
                let attempt = Attempt {
                    subject: CONNECTION,
                    timeout,
                    current: current.clone(),
                    idempotent: true,
                    streams: false,
                };
                let connect = |upstream: Arc<Shared>, left| {
                    let current = current.clone();
                    async move { open(&upstream, left, current).await }
                };
                shared
                    .with_upstream(balancer, attempt, connect, |()| Told::Nothing)
                    .await
            }
        }
    }

    /// Creates an empty batch, for calls that are sent together in one request.
    pub fn batch(&self) -> Batch {
        Batch::new(self.scope.clone())
    }

    /// Returns the same client for the methods under a prefix: its calls of `add` become calls of
    /// `calc.add`.
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
        let prefix = format!(
            "{}{}",
            self.scope.name(name),
            self.scope.shared.calls.separator
        );
        let scope = Scope {
            shared: Arc::clone(&self.scope.shared),
            prefix: Some(prefix.into()),
        };
        Self { scope }
    }
}

/// Waits for a session of this client, if it uses one.
async fn open(
    shared: &Shared,
    timeout: Option<Duration>,
    current: CurrentCall,
) -> Result<(), Error> {
    let ClientTransport::Session(source) = &shared.transport else {
        return Ok(());
    };
    let mut exchange = SessionExchange::new(CONNECTION, source, timeout, current);
    exchange.handle(0).await.map(drop)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("place", &self.scope.shared.place)
            .field("prefix", &self.scope.prefix)
            .finish_non_exhaustive()
    }
}
