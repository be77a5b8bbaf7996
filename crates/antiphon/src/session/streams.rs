//! Streams of the peer's subscriptions that are open, woken, or wait for room.

use std::collections::{BTreeMap, VecDeque};

use crate::session_state::{Arrivals, Source};

/// The most polls of streams in one poll of the session.
pub(super) const POLLS: usize = 256;

/// Items of subscriptions are fetched while fewer bytes than this are unwritten.
pub(super) const WRITE_AHEAD: usize = 64 * 1024;

/// The streams of one peer.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) sources: BTreeMap<u64, Box<Source>>,
    /// Those that are to be polled.
    pub(super) ready: VecDeque<u64>,
    /// Those that wait until something is written.
    pub(super) waiting: Vec<u64>,
    pub(super) arrivals: Arrivals,
}

impl Streams {
    pub(super) fn is_empty(&self) -> bool {
        self.sources.is_empty() && self.arrivals.opened.is_empty()
    }

    /// Whether streams wait until something is written.
    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes in the streams that have come, and drops those that are over.
    pub(super) fn arrive(&mut self) {
        for source in self.arrivals.opened.drain(..) {
            self.ready.push_back(source.key());
            self.sources.insert(source.key(), Box::new(source));
        }
        for key in self.arrivals.gone.drain(..) {
            self.sources.remove(&key);
        }
    }

    /// Drops all streams.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
