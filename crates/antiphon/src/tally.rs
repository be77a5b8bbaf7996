//! How much a router has done, counted as calls begin and end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many calls a router has seen.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    calls: AtomicU64,
    errors: AtomicU64,
    in_flight: AtomicUsize,
}

impl Tally {
    /// All calls and notifications since the start, whatever became of them.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Those of them that ended with an error.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Those that wait right now: they had to when they were first polled.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn called(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn enter(self: &Arc<Self>) -> Permit {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Permit(Arc::clone(self))
    }
}

/// One call in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Tally>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
