//! Measures the duration of one call.

use std::cell::Cell;
use std::time::Instant;

use super::{MethodMetrics, SAMPLE};

thread_local! {
    /// Number of calls that have started on this thread.
    static BEGUN: Cell<u64> = const { Cell::new(0) };
}

/// Stopwatch of one call.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    /// `None` for a call that is not timed; set when a call has to wait.
    began: Option<Instant>,
    /// Whether the call had to wait.
    waited: bool,
    /// Bytes of the request.
    received: usize,
}

impl Stopwatch {
    /// Starts the stopwatch of a call. One call in eight is timed from here.
    pub(crate) fn start(received: usize) -> Self {
        let number = BEGUN.get();
        BEGUN.set(number.wrapping_add(1));
        Self {
            began: number.is_multiple_of(SAMPLE).then(Instant::now),
            waited: false,
            received,
        }
    }

    /// Records that the call has to wait, so it is timed in any case. The time before its first
    /// poll is negligible.
    pub(crate) fn waits(&mut self) {
        self.waited = true;
        self.began.get_or_insert_with(Instant::now);
    }

    /// Records the end of the call, with a response of `sent` bytes.
    pub(crate) fn stop(&self, metrics: &MethodMetrics, sent: usize) {
        metrics.received(self.received);
        metrics.sent(sent);
        if let Some(began) = self.began {
            let weight = if self.waited { 1 } else { SAMPLE };
            metrics.took(began.elapsed(), weight);
        }
    }
}
