//! Subscribers that get nothing until it is known where they go on.

use std::sync::{Arc, Weak};

use super::cursor::Place;
use super::queue::Subscriber;

/// Such a subscriber, and what it waits for.
pub(super) struct Waiting {
    pub(super) subscriber: Weak<Subscriber>,
    /// `None` for all keys.
    pub(super) key: Option<Arc<str>>,
    /// Where it goes on; `None` if its cursor names no place.
    pub(super) place: Option<Place>,
    /// The question to the supervisor whose answer it waits for; 0 for the history of the topic.
    pub(super) question: u64,
}

/// All of a topic.
#[derive(Default)]
pub(super) struct Paused {
    pub(super) waiting: Vec<Waiting>,
    /// The number of the last question.
    pub(super) asked: u64,
}

impl Paused {
    /// Subscribers of which this is true and that still exist, each with its question.
    pub(super) fn those(&self, is_so: impl Fn(&Waiting) -> bool) -> Vec<(Arc<Subscriber>, u64)> {
        let those = self.waiting.iter().filter(|waiting| is_so(waiting));
        those
            .filter_map(|waiting| Some((waiting.subscriber.upgrade()?, waiting.question)))
            .collect()
    }

    /// Removes a subscriber, and those that have gone.
    pub(super) fn remove(&mut self, subscriber: &Arc<Subscriber>) -> Option<Waiting> {
        self.waiting
            .retain(|waiting| waiting.subscriber.strong_count() > 0);
        let is_it = |waiting: &Waiting| std::ptr::eq(waiting.subscriber.as_ptr(), &**subscriber);
        let at = self.waiting.iter().position(is_it)?;
        Some(self.waiting.swap_remove(at))
    }
}
