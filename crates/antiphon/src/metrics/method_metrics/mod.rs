//! Metrics of one method.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`MethodMetrics`]: calls, errors, bytes, durations |
//! | `stopwatch.rs` | [`Stopwatch`]: measures the duration of one call |

mod stopwatch;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use antiphon_proto::ErrorCode;

use super::snapshot::{BOUNDS, CODES, MethodSnapshot};
pub(crate) use stopwatch::Stopwatch;

/// Of the calls that are ready at their first poll, one in this many is timed.
const SAMPLE: u64 = 8;

/// Whether this build has metrics.
pub(crate) const ENABLED: bool = true;

/// The metrics of one method.
#[derive(Debug, Default)]
pub(crate) struct MethodMetrics {
    codes: [AtomicU64; CODES.len() + 1],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
    in_flight: AtomicUsize,
    received: AtomicU64,
    sent: AtomicU64,
    limited: AtomicU64,
}

impl MethodMetrics {
    /// The current values. The number of calls is counted elsewhere.
    pub(crate) fn snapshot(&self, calls: u64) -> MethodSnapshot {
        let Self {
            codes,
            buckets,
            nanoseconds,
            in_flight,
            received,
            sent,
            limited,
        } = self;
        MethodSnapshot {
            calls,
            in_flight: in_flight.load(Ordering::Relaxed) as u64,
            received: received.load(Ordering::Relaxed),
            sent: sent.load(Ordering::Relaxed),
            limited: limited.load(Ordering::Relaxed),
            nanoseconds: nanoseconds.load(Ordering::Relaxed),
            codes: codes
                .iter()
                .map(|count| count.load(Ordering::Relaxed))
                .collect(),
            buckets: buckets
                .iter()
                .map(|count| count.load(Ordering::Relaxed))
                .collect(),
        }
    }

    /// Counts a call as in flight.
    pub(crate) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends what [`enter`](Self::enter) began.
    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a call that ended with an error.
    pub(crate) fn failed(&self, code: ErrorCode) {
        let at = CODES
            .iter()
            .position(|known| *known == code.0)
            .unwrap_or(CODES.len());
        if let Some(count) = self.codes.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a call that a rate limit has refused.
    pub(crate) fn limited(&self) {
        self.limited.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds the size of a call's parameters.
    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Adds the size of a response.
    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Records the duration of a call, which counts `weight` times.
    pub(crate) fn took(&self, time: Duration, weight: u64) {
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS.iter().position(|bound| microseconds <= *bound);
        if let Some(bucket) = self.buckets.get(at.unwrap_or(BOUNDS.len())) {
            bucket.fetch_add(weight, Ordering::Relaxed);
        }
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let all = nanoseconds.saturating_mul(weight);
        self.nanoseconds.fetch_add(all, Ordering::Relaxed);
    }
}
