//! Event: an item of a subscription with its place.

use std::sync::Arc;

use super::cursor::Cursor;

/// An item of a subscription, with its key and its place; see
/// [`Subscription::next_event`](crate::Subscription::next_event), and
/// [`next_event`](crate::client::Subscription::next_event) of a client.
// It has no JSON form of its own: a function that returns a `Subscription` would then be a method
// that returns a stream, too, and the compiler could not choose.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Event<T> {
    /// The item.
    pub item: T,
    /// The key under which it was published. A client is told it for subscriptions to all keys of a
    /// topic, and has `None` for all others.
    pub key: Option<Arc<str>>,
    /// Its place, behind which a subscription can go on; `None` if the item is not of a topic.
    pub cursor: Option<Cursor>,
}
