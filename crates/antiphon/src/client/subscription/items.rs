//! Items of a subscription, as they arrive.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use antiphon_proto::RawJson;
use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::super::call::decode;
use super::super::error::{Error, Reason};
use super::error::StreamError;
use super::message::{Ending, Message, RawItem};
use super::request::{Open, Request};
use crate::session_state::{InboxEnd, SessionHandle};
use crate::topic::{Cursor, Event};

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
///         Err(StreamError::Gap { missed: Some(missed) }) => println!("… {missed} missing"),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// # After an outage
///
/// With [`ClientBuilder::reconnect`](crate::client::ClientBuilder::reconnect) the client subscribes again
/// when the connection was lost, or the server has stopped. This happens once the items that have
/// come before are taken.
///
/// - Items of a [`Topic`](crate::Topic) have a [`cursor`](Self::cursor), and the subscription goes on behind the
///   last one: without gap or repetition, as far as the server has kept what came meanwhile, else with
///   [`StreamError::Gap`].
///   If none has come yet, it goes on where it has begun, which the server tells.
/// - Any other stream begins anew, after [`StreamError::Interrupted`].
#[must_use = "it is over when it is dropped"]
pub struct Subscription<T> {
    request: Request,
    open: Option<Open>,
    reopening: Option<Opening>,
    /// Items and errors to yield before the next notification is read.
    ready: VecDeque<Result<RawItem, StreamError>>,
    /// The place of the last item that was yielded, or that where it has begun.
    cursor: Option<Cursor>,
    item: PhantomData<fn() -> T>,
}

/// A future that resubscribes.
type Opening = Pin<Box<dyn Future<Output = Result<Open, Error>> + Send>>;

/// An item, or an error in its place.
type NextItem = Poll<Option<Result<RawItem, StreamError>>>;

impl<T: DeserializeOwned> Subscription<T> {
    pub(super) fn new(mut request: Request, open: Open) -> Self {
        Self {
            cursor: request.after.take(),
            request,
            open: Some(open),
            reopening: None,
            ready: VecDeque::new(),
            item: PhantomData,
        }
    }

    /// The id assigned by the server, as JSON text; `None` while the connection is lost.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.open.as_ref().map(|open| &*open.id)
    }

    /// The cursor of the last item that was returned, or of the place where the subscription began: where
    /// another one would go on, with [`after`](crate::client::PendingSubscription::after). `None` if the items have
    /// none, because they are not of a topic.
    #[must_use]
    pub fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// The next item; `None` when the stream has ended. Cancel safe: dropping the future loses no
    /// item.
    pub async fn next(&mut self) -> Option<Result<T, StreamError>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    /// The next item with its key and its cursor; otherwise as [`next`](Self::next).
    pub async fn next_event(&mut self) -> Option<Result<Event<T>, StreamError>> {
        let next = poll_fn(|cx| self.poll_raw(cx)).await?;
        Some(next.and_then(|raw| {
            Ok(Event {
                item: self.decode(&raw.json)?,
                key: raw.key,
                cursor: self.cursor.clone(),
            })
        }))
    }

    /// The next item as it came, with its key and its cursor.
    pub(in crate::client) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Event<RawJson>, StreamError>>> {
        let next = ready!(self.poll_raw(cx));
        let event = |raw: RawItem| Event {
            item: raw.json,
            key: raw.key,
            cursor: self.cursor.clone(),
        };
        Poll::Ready(next.map(|next| next.map(event)))
    }

    fn poll_item(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, StreamError>>> {
        let next = ready!(self.poll_raw(cx));
        Poll::Ready(next.map(|next| next.and_then(|raw| self.decode(&raw.json))))
    }

    fn decode(&self, json: &RawJson) -> Result<T, StreamError> {
        let subject = format!("an item of `{}`", self.request.method);
        decode(&subject, json).map_err(StreamError::Decode)
    }

    /// The next item; from here on its place is the last one.
    fn poll_raw(&mut self, cx: &mut Context<'_>) -> NextItem {
        loop {
            if let Some(mut next) = self.ready.pop_front() {
                if let Ok(item) = &mut next {
                    self.cursor = item.cursor.take();
                }
                return Poll::Ready(Some(next));
            }
            if let Some(reopening) = &mut self.reopening {
                let reopened = ready!(reopening.as_mut().poll(cx));
                self.reopening = None;
                match reopened {
                    Ok(open) => {
                        let resumes = open.resumes;
                        self.open = Some(open);
                        if !resumes {
                            return Poll::Ready(Some(Err(StreamError::Interrupted)));
                        }
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

    /// Reads a notification.
    fn read(&mut self, params: &str) {
        let Some(open) = &mut self.open else {
            return;
        };
        let message: Message<'_> = match serde_json::from_str(params) {
            Ok(message) => message,
            Err(error) => {
                let error = Error::decode::<T>(&format!("an item of `{}`", open.id), error);
                return self.ready.push_back(Err(StreamError::Decode(error)));
            }
        };
        // `seq` is optional: not all servers send it.
        let left_out = message.seq.map_or(0, |seq| {
            let left_out = seq.saturating_sub(open.next);
            open.next = seq.saturating_add(1);
            left_out
        });
        let mut missed = message.missed(left_out);
        let Some(ending) = message.ending() else {
            let cursor = message.cursor();
            let Some(result) = message.result else {
                // It says where it begins.
                self.cursor = cursor.or(self.cursor.take());
                return self.miss(missed);
            };
            open.progressed = true;
            if std::mem::take(&mut open.resumes) && cursor.is_none() {
                // Who does not tell a place did not begin behind one.
                missed = None;
            }
            self.miss(missed);
            let item = RawJson::from_value(result).map(|json| RawItem {
                json,
                key: message.key(),
                cursor,
            });
            let item =
                item.map_err(|error| StreamError::Decode(Error::decode::<T>("an item", error)));
            return self.ready.push_back(item);
        };
        open.over = true;
        let handle = open.handle.clone();
        self.open = None;
        match ending {
            Ending::Shutdown if self.request.shared.reconnects() => {
                if self.cursor.is_none() {
                    self.miss(missed);
                }
                // Else what was left out comes again.
                self.reopen(Some(handle));
            }
            ending => {
                self.miss(missed);
                match ending {
                    Ending::Complete => {}
                    Ending::Shutdown => self.ready.push_back(Err(StreamError::Shutdown)),
                    Ending::Error(error) => self.ready.push_back(Err(error)),
                }
            }
        }
    }

    /// Reports that items are missing, if they are.
    fn miss(&mut self, missed: Option<u64>) {
        if missed != Some(0) {
            self.ready.push_back(Err(StreamError::Gap { missed }));
        }
    }

    /// Handles the end of the inbox without a last message from the server. All that was in it is yielded.
    fn lose(&mut self) {
        let Some(mut open) = self.open.take() else {
            return;
        };
        open.over = true;
        let reconnects = self.request.shared.reconnects();
        let subject = || format!("the subscription to `{}`", self.request.method);
        let end = match open.inbox.end() {
            // If nothing had come, it would go on like this forever.
            Some(InboxEnd::Lagged) if reconnects && open.progressed && self.cursor.is_some() => {
                return self.reopen(None);
            }
            Some(InboxEnd::Lagged) => StreamError::Lagged,
            Some(InboxEnd::Lost(end)) if !end.ours && reconnects => return self.reopen(None),
            Some(InboxEnd::Lost(end)) => {
                StreamError::Lost(Error::unknown(&subject(), Reason::over(end)))
            }
            Some(InboxEnd::Confused) => {
                let fault = "the server has given its id to another subscription";
                StreamError::Lost(Error::unknown(&subject(), Reason::Answer(fault.into())))
            }
            None => return,
        };
        self.ready.push_back(Err(end));
    }

    /// Begins to subscribe again, behind the last item that has come.
    fn reopen(&mut self, stopping: Option<SessionHandle>) {
        let again = Request {
            after: self.cursor.clone(),
            ..self.request.clone()
        };
        // Whoever polls it: it belongs to the call in which it was opened, without the deadline of that.
        let current = again.current.clone();
        self.reopening = Some(Box::pin(current.scope(again.reopen(stopping))));
    }
}

impl<T: DeserializeOwned> Stream for Subscription<T> {
    type Item = Result<T, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
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
