//! Topic of one worker, as its supervisor sees it.

use std::collections::HashSet;
use std::sync::Arc;

/// A topic of a worker.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) topic: u64,
    /// The entry of the log from which on the worker is told; histories have what was before. The highest
    /// number if it has to get the history first.
    pub(super) from: u64,
    /// The number of the last item of the topic that it has been told.
    pub(super) serial: u64,
    /// Whether it has to get the history first.
    pub(super) is_behind: bool,
    /// Whether it has got one.
    pub(super) is_live: bool,
    /// The keys that it has subscribers of, or produces.
    pub(super) keys: HashSet<Arc<str>>,
    /// How many items the worker has published in it.
    pub(super) published: u64,
}

impl Attached {
    /// A topic of which the worker knows nothing yet.
    pub(super) fn new(topic: u64) -> Self {
        Self {
            topic,
            from: u64::MAX,
            serial: 0,
            is_behind: true,
            is_live: false,
            keys: HashSet::new(),
            published: 0,
        }
    }

    /// What it knows does not count any more.
    pub(super) fn renew(&mut self) {
        (self.from, self.serial) = (u64::MAX, 0);
        (self.is_behind, self.is_live) = (true, false);
    }
}
