//! What is measured of each method, summed over the workers of a server, and as text for Prometheus.
//!
//! Counting costs a few atomic additions for each call. A clock costs more than that, so the duration
//! of calls that are ready at once is measured for one in eight of them, which then counts for eight;
//! calls that wait are all measured.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Series`]: the counters of one method |
//! | `snapshot.rs` | [`Snapshot`]: all of them at one moment, to be sent and summed |
//! | `stopwatch.rs` | the time of one call |
//! | `text.rs` | the text |

mod snapshot;
mod stopwatch;
mod text;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use antiphon_proto::ErrorCode;

pub(crate) use snapshot::Snapshot;
pub(crate) use stopwatch::Stopwatch;
pub(crate) use text::{MEDIA_TYPE, render};

/// One in so many calls that are ready at once is timed.
pub(crate) const SAMPLE: u64 = 8;

/// Upper bounds of the buckets, in microseconds; a last one has none.
pub(crate) const BOUNDS: [u64; 15] = [
    10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000,
    5_000_000, 30_000_000,
];

/// Errors that are counted by themselves; a last counter is for all others.
pub(crate) const CODES: [i64; 8] = [
    -32700, -32600, -32601, -32602, -32603, -32000, -32001, -32800,
];

/// The counters of one method.
#[derive(Debug, Default)]
pub(crate) struct Series {
    codes: [AtomicU64; CODES.len() + 1],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
    in_flight: AtomicUsize,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Series {
    /// A call begins to wait.
    pub(crate) fn enter(&self) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// It waits no more.
    pub(crate) fn leave(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// A call has ended with an error.
    pub(crate) fn failed(&self, code: ErrorCode) {
        let at = CODES
            .iter()
            .position(|known| *known == code.0)
            .unwrap_or(CODES.len());
        if let Some(count) = self.codes.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call has come with so many bytes of parameters.
    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A call has been answered with so many bytes.
    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A call took so long, and stands for so many.
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
