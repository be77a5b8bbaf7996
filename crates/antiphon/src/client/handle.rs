//! Handle of a client: calls, notifications, subscriptions and batches by name.

use std::fmt;
use std::sync::Arc;

use antiphon_proto::IntoParams;
use serde::de::DeserializeOwned;

use super::batch::Batch;
use super::builder::ClientBuilder;
use super::call::{self, CallFuture, Full, PendingCall};
use super::error::Error;
use super::reconnect::ConnectionWatch;
use super::session::SessionExchange;
use super::shared::Scope;
use super::subscribe::PendingSubscription;
use super::transport::ClientTransport;
use crate::router::{IntoRouter, Router, RouterError};

/// A client of one server: calls, notifications, batches and subscriptions.
///
/// It is cheap to clone; clones share connections, ids and limits. The address decides the transport:
/// `http:`, `https:`, `ws:`, `wss:`, `tcp:`, `tls:`, `unix:` or `stdio:`; see
/// [`Address`](crate::Address). [`blocking::Client`](crate::blocking::Client) is the same for programs
/// without `async`.
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
/// A call fails with an [`Error`], whose [`kind`](Error::kind) says whether the server has refused it,
/// whether it may have run, or whether it was never sent and may be repeated.
///
/// # Limits
///
/// A call has 30 s. A response has at most 10 MiB, the response to a batch 25 MiB. At most 1024
/// requests are in flight. A connection is made within 10 s and kept for 60 s without use. Redirects
/// are not followed. [`ClientBuilder`] changes most of this.
///
/// # Runtime
///
/// Futures are awaited inside a tokio runtime whose I/O and timer are enabled. Connections belong to
/// the runtime in which they were made. Dropping the future of a call cancels its request, by which a
/// server learns that nobody waits any more.
///
/// # Inside a method of a server
///
/// A call made there ends with the caller's deadline, if that is sooner, and carries on its
/// `traceparent` and `tracestate`. Every call tells the server how long it waits, in the header
/// `RPC-Timeout-Ms`.
///
/// # See also
///
/// [`call!`](macro@crate::call), remote methods written like methods; the typed clients that
/// [`#[rpc]`](macro@crate::rpc) makes; `antiphon codegen`, which makes clients in other languages.
#[derive(Clone)]
pub struct Client {
    pub(super) scope: Scope,
}

impl Client {
    /// A client with all defaults. Nothing is sent and nothing connected before the first call.
    ///
    /// # Errors
    ///
    /// [`Kind::Local`](super::Kind::Local) if `url` is no [`Address`](crate::Address).
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
    /// let router = Router::default().method_fn("add", |a: i64, b: i64| a + b);
    /// let client = Client::in_process(router)?;
    /// assert_eq!(client.call::<i64>("add", (3, 4)).await?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// A [`Dispatcher`](crate::Dispatcher), which is a router that was frozen before, is called
    /// through [`ClientBuilder::in_process`]; there are the other options, too.
    ///
    /// # Errors
    ///
    /// All that is wrong with the router's names.
    pub fn in_process(router: impl IntoRouter) -> Result<Self, RouterError> {
        let server = Router::new(router).build()?;
        let offered = Router::default().build()?;
        Ok(ClientBuilder::new("").over(server, offered))
    }

    /// A client with options.
    pub fn builder(url: impl AsRef<str>) -> ClientBuilder {
        ClientBuilder::new(url.as_ref())
    }

    /// A call, which is sent when it is awaited.
    ///
    /// `R` is any type that can be read from the result; it follows from what the result is used
    /// as, or is given as `call::<f64>`. Parameters are a tuple or a list (by position),
    /// [`Params`](crate::Params) or a map (by name), or `()`.
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
            Arc::clone(&self.scope.shared),
            self.scope.name(method),
            self.scope.params(params),
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
            Arc::clone(&self.scope.shared),
            self.scope.name(method),
            self.scope.params(params),
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
            Arc::clone(&self.scope.shared),
            self.scope.name(method),
            self.scope.params(params),
        )
    }

    /// Watches the connection of a client that speaks over a session.
    #[must_use]
    pub fn connection(&self) -> ConnectionWatch {
        match &self.scope.shared.transport {
            ClientTransport::Session(source) => source.watch(),
            ClientTransport::Http(_) => ConnectionWatch::none(),
        }
    }

    /// Makes the connection now, without a call. Over HTTP there is nothing to do.
    ///
    /// # Errors
    ///
    /// [`Kind::NotSent`](super::Kind::NotSent) if there is no connection to be had within the client's time.
    pub async fn ready(&self) -> Result<(), Error> {
        let ClientTransport::Session(source) = &self.scope.shared.transport else {
            return Ok(());
        };
        let exchange = SessionExchange::new(
            "the connection",
            source,
            self.scope.shared.timeout,
            crate::current_call::CurrentCall::get(),
        );
        exchange.handle(0).await.map(drop)
    }

    /// Calls to be sent together, in one request.
    pub fn batch(&self) -> Batch {
        Batch::new(self.scope.clone())
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
        let prefix = format!("{}{}", self.scope.name(name), self.scope.shared.separator);
        let scope = Scope {
            shared: Arc::clone(&self.scope.shared),
            prefix: Some(prefix.into()),
        };
        Self { scope }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("place", &self.scope.shared.place)
            .field("prefix", &self.scope.prefix)
            .finish_non_exhaustive()
    }
}
