//! Blocking client, for programs without `async`.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use antiphon_proto::{Id, IntoParams};
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

pub use super::blocking_items::Subscription;
use crate::client::{
    self, Balanced, ClientBuilder, Error, FullResponse, IntoUpstream, PendingCall, Responses,
    Ticket,
};
use crate::current_call::CurrentCall;

/// A client whose calls block the current thread.
///
/// A client is cheap to clone, and may be used by several threads at the same time. All clones
/// share one background thread, its connections and its limits.
///
/// ```no_run
/// use antiphon::{blocking::Client, call};
///
/// # fn main() -> Result<(), antiphon::client::Error> {
/// let client = Client::connect("http://localhost:8060")?;
/// let sum: f64 = client.call("calc.add", (3, 4))?;
/// let sum: f64 = call!(client.calc.add(a = 3, b = 4))?;
/// # Ok(())
/// # }
/// ```
///
/// The background thread drives all connections, so they stay open between calls. It ends with the
/// last clone. In `async` code, use [`client::Client`] instead: a blocking call works there, but
/// blocks the thread.
///
/// Calls with options, and everything else that [`client::Client`] offers, work through
/// [`as_async`](Self::as_async) and [`wait`](Self::wait):
///
/// ```no_run
/// # fn main() -> Result<(), antiphon::client::Error> {
/// # let client = antiphon::blocking::Client::connect("http://localhost:8060")?;
/// use std::time::Duration;
///
/// let call = client.as_async().call::<f64>("calc.add", (3, 4));
/// let sum = client.wait(call.id("x").timeout(Duration::from_secs(1)))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    client: client::Client,
    worker: Arc<Worker>,
}

/// The thread that drives a client's connections.
struct Worker {
    runtime: Handle,
    /// The thread waits for its end.
    _alive: oneshot::Sender<()>,
}

impl Worker {
    fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel();
        thread::Builder::new()
            .name("antiphon-client".to_owned())
            .spawn(move || {
                // The sender is never used, only dropped: with the last client.
                let _ = runtime.block_on(ended);
                // A name that is still being looked up must not hold up the end.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            runtime: handle,
            _alive: alive,
        })
    }
}

impl Client {
    /// Creates a client with default options. It does not connect before its first call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Local`](client::ErrorKind::Local) if `url` is not a valid [`Address`](crate::Address), or
    /// if the background thread cannot be started.
    pub fn connect(url: impl AsRef<str>) -> Result<Self, Error> {
        Self::builder(url).build_blocking()
    }

    /// Creates a client of several servers that serve the same; see [`client::Client::balanced`].
    ///
    /// # Errors
    ///
    /// As for [`client::Client::balanced`], or if the background thread cannot be started.
    pub fn balanced<U: IntoUpstream>(
        upstreams: impl IntoIterator<Item = U>,
    ) -> Result<Self, Error> {
        Balanced::of(upstreams).build_blocking()
    }

    fn of(client: client::Client) -> Result<Self, Error> {
        Ok(Self {
            client,
            worker: Arc::new(Worker::start().map_err(Error::no_thread)?),
        })
    }

    /// Creates a builder of a client with other options;
    /// [`build_blocking`](ClientBuilder::build_blocking) creates the client.
    pub fn builder(url: impl AsRef<str>) -> ClientBuilder {
        client::Client::builder(url)
    }

    /// Calls a method and waits for its result; see [`client::Client::call`].
    ///
    /// # Errors
    ///
    /// As for [`client::Client::call`].
    pub fn call<R: DeserializeOwned + Send + 'static>(
        &self,
        method: &str,
        params: impl IntoParams,
    ) -> Result<R, Error> {
        let call: PendingCall<R> = self.client.call(method, params);
        self.wait(call)
    }

    /// Calls a method and returns the whole HTTP response; see [`client::Client::call_full`].
    ///
    /// # Errors
    ///
    /// As for [`client::Client::call_full`].
    pub fn call_full<R: DeserializeOwned + Send + 'static>(
        &self,
        method: &str,
        params: impl IntoParams,
    ) -> Result<FullResponse<R>, Error> {
        self.wait(self.client.call_full(method, params))
    }

    /// Sends a notification; see [`client::Client::notify`].
    ///
    /// # Errors
    ///
    /// As for [`client::Client::notify`].
    pub fn notify(&self, method: &str, params: impl IntoParams) -> Result<(), Error> {
        self.wait(self.client.notify(method, params))
    }

    /// Subscribes to a method that returns a stream, and waits until that has begun; see
    /// [`client::Client::subscribe`].
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = antiphon::blocking::Client::connect("ws://localhost:8060")?;
    /// for price in client.subscribe::<f64>("prices", ("gold",))? {
    ///     println!("{}", price?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`client::Client::subscribe`].
    pub fn subscribe<T: DeserializeOwned + Send + 'static>(
        &self,
        method: &str,
        params: impl IntoParams,
    ) -> Result<Subscription<T>, Error> {
        self.follow(self.client.subscribe(method, params))
    }

    /// Subscribes with options, which [`as_async`](Self::as_async) has.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), antiphon::client::Error> {
    /// # let client = antiphon::blocking::Client::connect("ws://localhost:8060")?;
    /// # let last = Some(antiphon::Cursor::from("5f0c9a1b27de-3-1a"));
    /// let prices = client.as_async().subscribe::<f64>("prices", ("gold",));
    /// let prices = client.follow(prices.after(last))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`client::Client::subscribe`].
    pub fn follow<T: DeserializeOwned + Send + 'static>(
        &self,
        subscription: client::PendingSubscription<T>,
    ) -> Result<Subscription<T>, Error> {
        let items = self.wait(subscription)?;
        let runtime = self.worker.runtime.clone();
        let worker = Arc::clone(&self.worker);
        Ok(Subscription::new(items, runtime, worker))
    }

    /// Creates an empty batch, for calls that are sent together in one request.
    pub fn batch(&self) -> Batch {
        Batch {
            batch: self.client.batch(),
            client: self.clone(),
        }
    }

    /// Returns the same client for the methods under a prefix; see [`client::Client::namespace`].
    #[must_use]
    pub fn namespace(&self, name: &str) -> Self {
        Self {
            client: self.client.namespace(name),
            worker: Arc::clone(&self.worker),
        }
    }

    /// The asynchronous client behind this one, for calls with options. Pass the calls to
    /// [`wait`](Self::wait).
    #[must_use]
    pub fn as_async(&self) -> &client::Client {
        &self.client
    }

    /// Runs a call or another future of the client to completion on the background thread.
    ///
    /// # Errors
    ///
    /// The error of the future. [`ErrorKind::Unknown`](client::ErrorKind::Unknown) if the future panics,
    /// which only a [`service`](ClientBuilder::service) of your own can cause.
    pub fn wait<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: IntoFuture<Output = Result<T, Error>>,
        F::IntoFuture: Send + 'static,
    {
        // On the other thread it still belongs to the method that waits for it.
        let work = CurrentCall::get().scope(work.into_future());
        // A plain channel: tokio's would refuse to block a thread that runs `async` code.
        let (result, wait) = mpsc::sync_channel(1);
        self.worker.runtime.spawn(async move {
            let _ = result.send(work.await);
        });
        wait.recv().unwrap_or_else(|_| Err(Error::panicked()))
    }
}

impl Balanced {
    /// Builds a blocking client. It does not connect yet.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build), or if the background thread cannot be started.
    pub fn build_blocking(self) -> Result<Client, Error> {
        Client::of(self.build()?)
    }
}

impl ClientBuilder {
    /// Builds a blocking client. It does not connect yet.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build), or if the background thread cannot be started.
    pub fn build_blocking(self) -> Result<Client, Error> {
        Client::of(self.build()?)
    }
}

impl TryFrom<ClientBuilder> for Client {
    type Error = Error;

    fn try_from(builder: ClientBuilder) -> Result<Self, Error> {
        builder.build_blocking()
    }
}

/// Calls and notifications that are sent together; see [`client::Batch`].
#[derive(Debug)]
#[must_use = "a batch is sent by `send`"]
pub struct Batch {
    batch: client::Batch,
    client: Client,
}

impl Batch {
    /// Adds a call. Errors in its parameters are returned by [`send`](Self::send).
    pub fn call<R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: impl IntoParams,
    ) -> Ticket<R> {
        self.batch.call(method, params)
    }

    /// Adds a call with a given id. If two calls have the same id, [`send`](Self::send) fails.
    pub fn call_with_id<R: DeserializeOwned>(
        &mut self,
        id: impl Into<Id>,
        method: &str,
        params: impl IntoParams,
    ) -> Ticket<R> {
        self.batch.call_with_id(id, method, params)
    }

    /// Adds a notification, which gets no response.
    pub fn notify(&mut self, method: &str, params: impl IntoParams) {
        self.batch.notify(method, params);
    }

    /// The number of calls and notifications.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether the batch is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Sends the batch in one request, and waits for the response.
    ///
    /// # Errors
    ///
    /// As for [`client::Batch::send`].
    pub fn send(self) -> Result<Responses, Error> {
        self.client.wait(self.batch.send())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("blocking::Client")
            .field(&self.client)
            .finish()
    }
}
