//! List of subscribers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::queue::Subscriber;

/// Those who have use of the items of a key.
pub(super) trait Audience: Default {
    fn is_empty(&self) -> bool;
}

/// The subscribers of one key, or of all, in any order.
#[derive(Default)]
pub(super) struct Members(Vec<Arc<Subscriber>>);

impl Members {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Subscriber>> {
        self.0.iter()
    }

    pub(super) fn add(&mut self, subscriber: Arc<Subscriber>) {
        if self.0.capacity() == 0 {
            // Most keys of many have one.
            self.0.reserve_exact(1);
        }
        subscriber.at.store(self.0.len(), Ordering::Relaxed);
        self.0.push(subscriber);
    }

    /// Removes a subscriber. Returns whether it was there.
    pub(super) fn remove(&mut self, subscriber: &Arc<Subscriber>) -> bool {
        let at = subscriber.at.load(Ordering::Relaxed);
        let is_here = |found: &Arc<Subscriber>| Arc::ptr_eq(found, subscriber);
        if !self.0.get(at).is_some_and(is_here) {
            return false;
        }
        self.0.swap_remove(at);
        if let Some(moved) = self.0.get(at) {
            moved.at.store(at, Ordering::Relaxed);
        }
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
        true
    }
}

impl Audience for Members {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
