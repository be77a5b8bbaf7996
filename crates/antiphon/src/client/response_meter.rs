//! Meter of the responses on one HTTP connection: what a server has earned with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that a server may send beside content for each response: its head, and what comes before.
const PER_RESPONSE: usize = 64 * 1024;

/// Counts what has been received as part of a response. The connection counts all bytes, and
/// compares the two; it leaves the meter in the extensions of its responses.
#[derive(Clone, Debug, Default)]
pub(super) struct ResponseMeter(Arc<AtomicUsize>);

impl ResponseMeter {
    /// A response has begun.
    pub(super) fn began(&self) {
        self.earn(PER_RESPONSE);
    }

    /// Content has arrived: it earns itself, and as many bytes of framing.
    pub(super) fn content(&self, bytes: usize) {
        self.earn(bytes.saturating_mul(2));
    }

    fn earn(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes what was earned since the last time.
    #[cfg(feature = "client")]
    pub(super) fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}
