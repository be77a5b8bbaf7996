//! Type-erased items of a subscription, as JSON text.

use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use antiphon_proto::ErrorObject;
use futures_core::Stream;
use serde::Serialize;

use crate::memory_budget::{Account, Payload, Wait};
use crate::topic::Feed;

/// The type-erased items of a subscription.
pub(crate) enum Items {
    /// A stream that is polled for each subscriber.
    Stream(Pin<Box<dyn ItemStream + Send>>),
    /// Items that all subscribers of a topic share.
    Topic(Box<Feed>),
}

/// What one item may take.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    /// The most bytes.
    pub(crate) max: usize,
    /// What is held for the subscriber.
    pub(crate) account: Arc<Account>,
}

/// A stream that serializes its items into a buffer.
pub(crate) trait ItemStream {
    /// Appends the JSON text of the next item, within its room.
    ///
    /// # Errors
    ///
    /// The error that ends the stream.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut Payload,
        room: &Room,
    ) -> Poll<Option<Result<(), ErrorObject>>>;

    /// Where the item that was written last stands, if it came from another server that says so; at the
    /// end, what is missing before it.
    fn take_place(self: Pin<&mut Self>) -> Option<ItemPlace> {
        None
    }
}

/// Where an item of another server stands.
#[derive(Debug, Default)]
pub(crate) struct ItemPlace {
    /// How many items are missing before it; `Some(None)` if nobody knows.
    pub(crate) missed: Option<Option<u64>>,
    pub(crate) cursor: Option<Box<str>>,
    pub(crate) key: Option<Arc<str>>,
}

/// A stream whose items `split` turns into a value, or into the error that ends the stream.
pub(crate) struct Outcomes<S, F, T> {
    stream: Pin<Box<S>>,
    split: F,
    value: PhantomData<fn() -> T>,
}

/// Erases the item type of a stream.
pub(crate) fn erase<S, F, T>(stream: S, split: F) -> Items
where
    S: Stream + Send + 'static,
    F: Fn(S::Item) -> Result<T, ErrorObject> + Send + Unpin + 'static,
    T: Serialize + 'static,
{
    Items::Stream(Box::pin(Outcomes {
        stream: Box::pin(stream),
        split,
        value: PhantomData,
    }))
}

impl<S, F, T> ItemStream for Outcomes<S, F, T>
where
    S: Stream,
    F: Fn(S::Item) -> Result<T, ErrorObject> + Unpin,
    T: Serialize,
{
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut Payload,
        room: &Room,
    ) -> Poll<Option<Result<(), ErrorObject>>> {
        let this = &mut *self;
        let Some(item) = ready!(this.stream.as_mut().poll_next(cx)) else {
            return Poll::Ready(None);
        };
        let written = (this.split)(item).and_then(|value| write(&value, out, room));
        Poll::Ready(Some(written))
    }
}

/// Appends the JSON text of one item.
///
/// # Errors
///
/// −32003 for an item beyond its limit, −32000 for one that the memory for responses has no room for.
pub(crate) fn write<T: Serialize>(
    item: &T,
    out: &mut Payload,
    room: &Room,
) -> Result<(), ErrorObject> {
    let max = out.len().saturating_add(room.max);
    out.write(item, max, &room.account, Wait::Never, &"an item")
}
