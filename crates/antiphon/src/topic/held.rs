//! Subscriber that gets nothing until it is known where it goes on.

use std::sync::{Arc, Weak};

use super::cursor::Place;
use super::queue::Subscriber;

/// Such a subscriber, and what it waits for.
pub(super) struct Held {
    pub(super) subscriber: Weak<Subscriber>,
    /// `None` for all keys.
    pub(super) key: Option<Arc<str>>,
    /// Where it goes on; `None` if its cursor names no place.
    pub(super) place: Option<Place>,
    /// The question to the supervisor whose answer it waits for; 0 for the history of the topic.
    pub(super) question: u64,
}
