//! What the sessions of a server through a broker run with, and how many there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::dispatch::Dispatcher;
use crate::memory_budget::account::Accounts;
use crate::session::SessionConfig;

/// What sessions through brokers run with.
#[derive(Clone, Debug)]
pub(super) struct SessionSetup {
    pub(super) dispatcher: Dispatcher,
    pub(super) config: SessionConfig,
    pub(super) accounts: Accounts,
    /// How many there may be.
    pub(super) max: usize,
}

/// The number of sessions of a server through one broker.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionCount(Arc<AtomicUsize>);

/// The place of a session.
pub(super) struct SessionPlace(SessionCount);

impl SessionCount {
    /// A place, if fewer than `max` are taken.
    pub(super) fn take(&self, max: usize) -> Option<SessionPlace> {
        let count = &self.0;
        let taken = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
            (count < max).then(|| count + 1)
        });
        taken.is_ok().then(|| SessionPlace(self.clone()))
    }
}

impl Drop for SessionPlace {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_session_has_ended() {
        let count = SessionCount::default();
        let first = count.take(2);
        let second = count.take(2);
        assert!(first.is_some() && second.is_some());
        assert!(count.take(2).is_none());
        drop(first);
        assert!(count.take(2).is_some());
        assert!(count.take(0).is_none());
    }
}
