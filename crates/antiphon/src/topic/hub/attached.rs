//! Topic of one worker, as its supervisor sees it.

use std::collections::HashSet;
use std::sync::Arc;

/// A topic of a worker.
pub(super) struct Attached {
    pub(super) topic: u64,
    /// The entry of the log from which on the worker is told; histories have what was before.
    pub(super) from: u64,
    /// The number of the last item of the topic that it has been told.
    pub(super) serial: u64,
    /// Whether it has to get the history first.
    pub(super) is_behind: bool,
    /// Whether it has got one.
    pub(super) is_live: bool,
    /// The keys that it has subscribers of, or produces.
    pub(super) keys: HashSet<Arc<str>>,
}
