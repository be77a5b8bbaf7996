//! Stub for builds without workers: nobody shares the listeners.

use std::convert::Infallible;
use std::io;

use crate::server::listener::Listener;
use crate::server::worker_slot::{Load, Slot};

/// The slot of this worker; cannot be constructed.
#[derive(Debug)]
pub(crate) struct WorkerCounts(Infallible);

impl WorkerCounts {
    pub(super) fn publish(&self, _: impl FnOnce() -> Load) {
        match self.0 {}
    }

    pub(super) fn leave(&self) {
        match self.0 {}
    }

    pub(super) fn read_others(&self, _: &mut Vec<Slot>) -> io::Result<()> {
        match self.0 {}
    }
}

/// Nobody asks, without a [`WorkerCounts`].
pub(super) fn has_waiting(_: &Listener) -> bool {
    false
}
