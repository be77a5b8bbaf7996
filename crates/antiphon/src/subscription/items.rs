//! Type-erased streams that write their items as JSON text.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use antiphon_proto::ErrorObject;
use futures_core::Stream;
use serde::Serialize;

use crate::error::internal_error;

/// The type-erased items of a subscription.
pub(crate) type Items = Pin<Box<dyn ItemStream + Send>>;

/// A stream that serializes its items into a buffer.
pub(crate) trait ItemStream {
    /// Appends the JSON text of the next item.
    ///
    /// # Errors
    ///
    /// The error that ends the stream.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Poll<Option<Result<(), ErrorObject>>>;
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
    Box::pin(Outcomes {
        stream: Box::pin(stream),
        split,
        value: PhantomData,
    })
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
        out: &mut Vec<u8>,
    ) -> Poll<Option<Result<(), ErrorObject>>> {
        let this = &mut *self;
        let Some(item) = ready!(this.stream.as_mut().poll_next(cx)) else {
            return Poll::Ready(None);
        };
        let written = (this.split)(item).and_then(|value| write(&value, out));
        Poll::Ready(Some(written))
    }
}

/// Appends the JSON text of one item.
pub(super) fn write<T: Serialize>(item: &T, out: &mut Vec<u8>) -> Result<(), ErrorObject> {
    serde_json::to_writer(out, item)
        .map_err(|error| internal_error(&format_args!("an item cannot be written: {error}")))
}
