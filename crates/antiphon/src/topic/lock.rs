//! Locks of a topic. When one is released, what filters have left for later is done.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use super::filter::Filter;
use super::keys::Keys;
use super::members::Members;
use super::queue::Subscriber;

/// The keys under their lock.
pub(super) struct Locked<'a> {
    // It is dropped first.
    keys: MutexGuard<'a, Keys<Members>>,
    _settles: Settles,
}

/// The right to change in several steps what waits for a subscriber. The keys may be locked and unlocked
/// meanwhile.
pub(super) struct Editing<'a> {
    // It is dropped first.
    _right: MutexGuard<'a, ()>,
    _settles: Settles,
}

struct Settles;

impl<'a> Locked<'a> {
    pub(super) fn new(keys: MutexGuard<'a, Keys<Members>>) -> Self {
        Self {
            keys,
            _settles: Settles,
        }
    }
}

impl<'a> Editing<'a> {
    /// # Panics
    ///
    /// In a filter, which may run under such a lock.
    pub(super) fn begin(subscriber: &'a Subscriber) -> Self {
        Filter::forbid("use a topic");
        Self {
            _right: subscriber.edit(),
            _settles: Settles,
        }
    }
}

impl Deref for Locked<'_> {
    type Target = Keys<Members>;

    fn deref(&self) -> &Self::Target {
        &self.keys
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.keys
    }
}

impl Drop for Settles {
    fn drop(&mut self) {
        Filter::settle();
    }
}
