//! Subscription to a topic: what a method returns, or the program reads.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::core::Core;
use super::cursor::Cursor;
use super::event::Event;
use super::feed::Feed;
use super::filter::Filter;
use super::item::Item;
use super::reader::{Reader, SubscriptionError};

/// A subscription to a [`Topic`](crate::Topic), to be returned by a method, or to be read in the process
/// itself with [`next`](Self::next) or as a `Stream`.
///
/// The caller gets the items from the moment of [`Topic::subscribe`](crate::Topic::subscribe) on. If
/// its request has the member `after`, with the cursor of an item, it gets what has come since that
/// item. Dropping a subscription ends it.
#[must_use = "it is over when it is dropped"]
pub struct Subscription<T> {
    feed: Feed,
    reader: Reader,
    item: PhantomData<fn(&T)>,
}

impl<T> Subscription<T> {
    pub(super) fn new(core: &Arc<Core>, key: Option<&str>) -> Self {
        Self {
            feed: Feed::new(core, key),
            reader: Reader::default(),
            item: PhantomData,
        }
    }

    pub(super) fn refused(core: &Arc<Core>) -> Self {
        Self {
            feed: Feed::refused(core),
            reader: Reader::default(),
            item: PhantomData,
        }
    }

    /// Passes on only items for which `test` is true; several filters must all be true.
    ///
    /// The test runs where an item is published, before the subscriber is woken, and under the lock of
    /// the topic. So it must be quick, and look at nothing but the item. If it panics, as it does when
    /// it uses a topic, the item does not pass. Items of the history are read from their JSON text for it.
    ///
    /// ```
    /// use antiphon::{Subscription, Topic};
    ///
    /// fn expensive(prices: &Topic<f64>) -> Subscription<f64> {
    ///     prices.subscribe("gold").filter(|price| *price > 2000.0)
    /// }
    /// # let prices = Topic::builder("prices").build();
    /// # let _prices = expensive(&prices);
    /// # prices.publish("gold", &1.0);
    /// # assert_eq!(prices.held_bytes(), (0, 0));
    /// ```
    ///
    /// # Panics
    ///
    /// In a filter of a topic.
    pub fn filter(mut self, test: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self
    where
        T: DeserializeOwned + 'static,
    {
        self.feed.filter(Filter::new(test));
        self.reader.renumber();
        self
    }

    /// Begins behind the item with this cursor, as the member `after` of a request does, which takes
    /// precedence. To be called before the first item is taken.
    ///
    /// If the topic has not kept all items since, the first item's message has the member `missed`: how
    /// many are missing, or `null` if nobody knows, because the cursor is of another key or from before
    /// a restart of the topic. Then all items follow that were kept.
    ///
    /// If the topic has no memory for so many items in one more queue, the call is answered with error
    /// −32000.
    ///
    /// # Panics
    ///
    /// In a filter of a topic.
    pub fn after(mut self, cursor: &Cursor) -> Self {
        self.feed.resume(cursor.as_str());
        self.reader.renumber();
        self
    }

    pub(crate) fn into_feed(self) -> Feed {
        self.feed
    }
}

impl<T: DeserializeOwned> Subscription<T> {
    /// The next item, read from its JSON text; `None` when the topic is gone, or its worker is cut off
    /// from the supervisor and about to be replaced, or after an error for which
    /// [`SubscriptionError::is_end`] is true. Cancel safe: dropping the future loses no item.
    ///
    /// A program may read its own topics like this, or as a `Stream`. What waits for it is limited as it
    /// is for a subscriber of a connection: 256 items or 1 MiB, with the [`Overflow`](crate::Overflow) of
    /// the topic.
    ///
    /// ```
    /// use antiphon::{SubscriptionError, Topic};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let prices = Topic::<f64>::builder("prices").build();
    /// let mut gold = prices.subscribe("gold");
    /// prices.publish("gold", &2043.5);
    /// match gold.next().await {
    ///     Some(Ok(price)) => assert_eq!(price, 2043.5),
    ///     Some(Err(SubscriptionError::Gap { missed })) => println!("{missed:?} are missing"),
    ///     Some(Err(error)) => println!("{error}"),
    ///     None => println!("the topic is gone"),
    /// }
    /// # });
    /// ```
    pub async fn next(&mut self) -> Option<Result<T, SubscriptionError>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    /// The next item with its key and its cursor; otherwise as [`next`](Self::next).
    pub async fn next_event(&mut self) -> Option<Result<Event<T>, SubscriptionError>> {
        let next = poll_fn(|cx| self.reader.poll(&self.feed, cx)).await?;
        Some(next.and_then(|item| {
            Ok(Event {
                item: decode(&item)?,
                key: Some(Arc::clone(&item.key)),
                cursor: Some(Cursor::from(item.cursor(self.feed.is_of_all()))),
            })
        }))
    }

    fn poll_item(&mut self, cx: &Context<'_>) -> Poll<Option<Result<T, SubscriptionError>>> {
        let next = self.reader.poll(&self.feed, cx);
        next.map(|next| Some(next?.and_then(|item| decode(&item))))
    }
}

impl<T: DeserializeOwned> Stream for Subscription<T> {
    type Item = Result<T, SubscriptionError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

fn decode<T: DeserializeOwned>(item: &Item) -> Result<T, SubscriptionError> {
    serde_json::from_slice(item.json()).map_err(SubscriptionError::Decode)
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}
