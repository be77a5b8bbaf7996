//! Subscription to a topic: what a method returns.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::core::Core;
use super::cursor::Cursor;
use super::feed::Feed;
use super::filter::Filter;

/// A subscription to a [`Topic`](crate::Topic), to be returned by a method.
///
/// The caller gets the items from the moment of [`Topic::subscribe`](crate::Topic::subscribe) on. If
/// its request has the member `after`, with the cursor of an item, it gets what has come since that
/// item. Dropping a subscription ends it.
#[must_use = "it is over when it is dropped"]
pub struct Subscription<T> {
    feed: Feed,
    item: PhantomData<fn(&T)>,
}

impl<T> Subscription<T> {
    pub(super) fn new(core: &Arc<Core>, key: Option<&str>) -> Self {
        Self {
            feed: Feed::new(core, key),
            item: PhantomData,
        }
    }

    pub(super) fn refused(core: &Arc<Core>) -> Self {
        Self {
            feed: Feed::refused(core),
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
    pub fn filter(self, test: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self
    where
        T: DeserializeOwned + 'static,
    {
        self.feed.filter(Filter::new(test));
        self
    }

    /// Begins behind the item with this cursor, as the member `after` of a request does, which takes
    /// precedence.
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
        self
    }

    pub(crate) fn into_feed(self) -> Feed {
        self.feed
    }
}

impl<T> fmt::Debug for Subscription<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}
