//! Subscriptions of a client: a remote stream as a local one.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use antiphon_proto::{ErrorObject, RawJson};
use futures_core::Stream;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::error::{Error, Reason};
use super::session::Sending;
use super::shared::Shared;
use super::transport::ClientTransport;
use crate::current_call::CurrentCall;
use crate::session_state::{Inbox, InboxEnd, InboxSender, NewCall, SessionHandle, is_id};

/// The default size of the queue of items.
const DEFAULT_BUFFER: usize = 1024;

/// A subscription that begins when it is awaited; see
/// [`Client::subscribe`](super::Client::subscribe).
#[must_use = "a subscription begins when it is awaited"]
pub struct PendingSubscription<T> {
    request: Request,
    item: PhantomData<fn() -> T>,
}

/// A request to subscribe, kept for resubscribing after a reconnect.
#[derive(Clone)]
struct Request {
    shared: Arc<Shared>,
    method: String,
    params: Result<Option<String>, String>,
    unsubscribe: String,
    buffer: usize,
    timeout: Option<Duration>,
    current: CurrentCall,
}

impl<T: DeserializeOwned> PendingSubscription<T> {
    pub(super) fn new(
        shared: Arc<Shared>,
        method: String,
        params: Result<Option<String>, String>,
    ) -> Self {
        Self {
            request: Request {
                timeout: shared.calls.timeout,
                shared,
                method,
                params,
                unsubscribe: "rpc.unsubscribe".to_owned(),
                buffer: DEFAULT_BUFFER,
                current: CurrentCall::get(),
            },
            item: PhantomData,
        }
    }

    /// The server's method for ending subscriptions, for example `eth_unsubscribe`. Default:
    /// `rpc.unsubscribe`.
    pub fn unsubscribe_method(mut self, name: impl Into<String>) -> Self {
        self.request.unsubscribe = name.into();
        self
    }

    /// How many items may be queued until they are taken, at least 1, and at most 4 MiB in total.
    /// One more ends the subscription with [`StreamError::Lagged`]. Default: 1024.
    pub fn buffer(mut self, items: usize) -> Self {
        self.request.buffer = items.max(1);
        self
    }

    /// Sets the timeout of the subscribing call instead of the client's; `None` means no timeout.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.request.timeout = timeout.into();
        self
    }
}

impl<T: DeserializeOwned + 'static> IntoFuture for PendingSubscription<T> {
    type Output = Result<Subscription<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut request = self.request;
            let caller = CurrentCall::get().caller;
            let open = request.clone().open().await?;
            if request.current.is_none() {
                // It is opened again on behalf of the same caller.
                request.current.caller = caller;
            }
            Ok(Subscription {
                request,
                open: Some(open),
                reopening: None,
                ready: VecDeque::new(),
                item: PhantomData,
            })
        })
    }
}

impl Request {
    async fn open(self) -> Result<Open, Error> {
        let subject = format!("`{}`", self.method);
        let ClientTransport::Session(source) = &self.shared.transport else {
            return Err(Error::local(
                &subject,
                "a subscription needs a connection that stays: ws:, tcp:, unix: or stdio:",
            ));
        };
        let params = self.params.as_ref();
        let params = params.map_err(|fault| Error::local(&subject, fault.clone()))?;
        let inbox = Mutex::new(None);
        let sending = Sending {
            subject: &subject,
            method: &self.method,
            params: params.as_deref(),
            timeout: self.timeout,
            current: self.current.clone(),
            // Safe to retry: a lost connection ends its subscriptions.
            idempotent: true,
        };
        let call = || {
            let (sender, receiver) = InboxSender::new(self.buffer, &self.unsubscribe);
            *inbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(receiver);
            NewCall {
                opens: Some(sender),
                ..self.shared.new_call()
            }
        };
        let (outcome, handle) = self.shared.call_over(source, sending, call).await?;
        let id = outcome.map_err(|error| Error::refused(&subject, error))?;
        match inbox.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(inbox) if is_id(id.as_str()) => Ok(Open {
                handle,
                id: id.as_str().into(),
                inbox,
                next: 1,
                over: false,
            }),
            _ => {
                let fault = "the result is no id of a subscription";
                Err(Error::unknown(&subject, Reason::Answer(fault.into())))
            }
        }
    }
}

/// The items of a subscription, as they arrive.
///
/// It implements `Stream`. [`next`](Self::next) works without that trait. Missing items are never
/// skipped silently: an error takes their place. After an error for which [`StreamError::is_end`]
/// is true, the stream ends. It ends without an error if the server's stream has ended normally.
/// Dropping the subscription unsubscribes.
///
/// ```no_run
/// # async fn example() -> Result<(), antiphon::client::Error> {
/// use antiphon::client::{Client, StreamError};
///
/// let client = Client::connect("ws://localhost:8060")?;
/// let mut prices = client.subscribe::<f64>("prices", ("gold",)).await?;
/// while let Some(price) = prices.next().await {
///     match price {
///         Ok(price) => println!("{price}"),
///         Err(StreamError::Gap { missed }) => println!("… {missed} left out"),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "it is over when it is dropped"]
pub struct Subscription<T> {
    request: Request,
    open: Option<Open>,
    reopening: Option<Opening>,
    /// Items and errors to yield before the next notification is read.
    ready: VecDeque<Result<RawJson, StreamError>>,
    item: PhantomData<fn() -> T>,
}

/// A future that resubscribes.
type Opening = Pin<Box<dyn Future<Output = Result<Open, Error>> + Send>>;

/// A subscription that the server has accepted.
struct Open {
    handle: SessionHandle,
    /// The JSON text of its id.
    id: Box<str>,
    inbox: Inbox,
    /// The expected sequence number of the next item.
    next: u64,
    over: bool,
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.over {
            self.handle.forget(&self.id, &self.inbox.key());
        }
    }
}

/// An error in place of an item.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamError {
    /// The server has dropped items, because they were not taken in time. The stream continues.
    Gap {
        /// The number of missing items.
        missed: u64,
    },
    /// The connection was lost, and the client has reconnected and resubscribed; items in between
    /// are missing. The stream continues.
    Interrupted,
    /// An item is not of the requested type. The stream continues.
    Decode(Error),
    /// Too many items were queued, on the server or here. The subscription is over.
    Lagged,
    /// The server is shutting down. The subscription is over.
    Shutdown,
    /// The server's stream has failed. The subscription is over.
    Failed(ErrorObject),
    /// The connection is lost, or reconnecting failed. The subscription is over.
    Lost(Error),
}

impl StreamError {
    /// Whether the stream ends after this error.
    #[must_use]
    pub fn is_end(&self) -> bool {
        !matches!(self, Self::Gap { .. } | Self::Interrupted | Self::Decode(_))
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { missed } => write!(f, "{missed} items were left out"),
            Self::Interrupted => f.write_str("the connection was lost for a while"),
            Self::Decode(error) | Self::Lost(error) => error.fmt(f),
            Self::Lagged => f.write_str("too many items have waited"),
            Self::Shutdown => f.write_str("the server stops"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Decode(error) | Self::Lost(error) => Some(error),
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

/// The parameters of a notification that carries an item.
#[derive(Deserialize)]
struct Item<'a> {
    seq: Option<u64>,
    /// `Some` even for null, which is a valid item.
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    end: Option<String>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

fn present<'de: 'a, 'a, D: Deserializer<'de>>(d: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(d).map(Some)
}

/// The error that ends a stream: an error object, or whatever other servers send.
fn failure(error: &RawValue) -> ErrorObject {
    let text = error.get();
    ErrorObject::from_json(text).unwrap_or_else(|| match serde_json::from_str::<String>(text) {
        Ok(text) => ErrorObject::new(0, text),
        Err(_) => ErrorObject::new(0, "the stream has failed").with_data(error),
    })
}

impl<T: DeserializeOwned> Subscription<T> {
    /// The id assigned by the server, as JSON text; `None` while the connection is lost.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.open.as_ref().map(|open| &*open.id)
    }

    /// The next item; `None` when the stream has ended. Cancel safe: dropping the future loses no
    /// item.
    pub async fn next(&mut self) -> Option<Result<T, StreamError>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, StreamError>>> {
        loop {
            if let Some(next) = self.ready.pop_front() {
                return Poll::Ready(Some(next.and_then(|raw| self.decode(&raw))));
            }
            if let Some(reopening) = &mut self.reopening {
                let reopened = ready!(reopening.as_mut().poll(cx));
                self.reopening = None;
                match reopened {
                    Ok(open) => {
                        self.open = Some(open);
                        return Poll::Ready(Some(Err(StreamError::Interrupted)));
                    }
                    Err(error) => return Poll::Ready(Some(Err(StreamError::Lost(error)))),
                }
            }
            let Some(open) = &mut self.open else {
                return Poll::Ready(None);
            };
            match ready!(open.inbox.poll_next(cx)) {
                Some(event) => self.read(event.params.as_str()),
                None => self.lose(),
            }
        }
    }

    fn decode(&self, raw: &RawJson) -> Result<T, StreamError> {
        let subject = format!("an item of `{}`", self.request.method);
        super::call::decode(&subject, raw).map_err(StreamError::Decode)
    }

    /// Reads a notification.
    fn read(&mut self, params: &str) {
        let Some(open) = &mut self.open else {
            return;
        };
        let item: Item<'_> = match serde_json::from_str(params) {
            Ok(item) => item,
            Err(error) => {
                let error = Error::decode::<T>(&format!("an item of `{}`", open.id), error);
                return self.ready.push_back(Err(StreamError::Decode(error)));
            }
        };
        // `seq` is optional: not all servers send it.
        if let Some(seq) = item.seq {
            if seq > open.next {
                let missed = seq - open.next;
                self.ready.push_back(Err(StreamError::Gap { missed }));
            }
            open.next = seq.saturating_add(1);
        }
        let end = match (item.result, item.error, item.end.as_deref()) {
            (_, Some(error), _) => Some(StreamError::Failed(failure(error))),
            (_, _, Some("lagged")) => Some(StreamError::Lagged),
            (_, _, Some("shutdown")) => Some(StreamError::Shutdown),
            (_, _, Some(_)) => None,
            (Some(result), None, None) => {
                let raw = RawJson::from_value(result);
                let item =
                    raw.map_err(|error| StreamError::Decode(Error::decode::<T>("an item", error)));
                return self.ready.push_back(item);
            }
            (None, None, None) => return,
        };
        open.over = true;
        self.open = None;
        self.ready.extend(end.map(Err));
    }

    /// Handles the end of the inbox without a last message from the server.
    fn lose(&mut self) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        open.over = true;
        let end = match open.inbox.end() {
            Some(InboxEnd::Lagged) => StreamError::Lagged,
            Some(InboxEnd::Lost(end)) if !end.ours && self.request.shared.reconnects() => {
                let again = self.request.clone();
                self.reopening = Some(Box::pin(again.open()));
                return;
            }
            Some(InboxEnd::Lost(end)) => {
                let subject = format!("the subscription to `{}`", self.request.method);
                let reason = Reason::over(end);
                StreamError::Lost(Error::unknown(&subject, reason))
            }
            Some(InboxEnd::Confused) => {
                let subject = format!("the subscription to `{}`", self.request.method);
                let fault = "the server has given its id to another subscription";
                StreamError::Lost(Error::unknown(&subject, Reason::Answer(fault.into())))
            }
            None => return,
        };
        self.ready.push_back(Err(end));
    }
}

impl<T: DeserializeOwned> Stream for Subscription<T> {
    type Item = Result<T, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<T> fmt::Debug for PendingSubscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingSubscription")
            .field("method", &self.request.method)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("method", &self.request.method)
            .field("id", &self.open.as_ref().map(|open| &*open.id))
            .finish_non_exhaustive()
    }
}
