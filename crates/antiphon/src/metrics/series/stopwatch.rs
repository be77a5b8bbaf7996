//! The time of one call.

use std::cell::Cell;
use std::time::Instant;

use super::{SAMPLE, Series};

thread_local! {
    /// Calls that have begun on this thread.
    static BEGUN: Cell<u64> = const { Cell::new(0) };
}

/// Runs while a call does.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    /// `None` for a call that is not timed, unless it has to wait.
    began: Option<Instant>,
    /// Whether the call had to wait.
    waited: bool,
    /// Bytes of the request.
    received: usize,
}

impl Stopwatch {
    /// A call begins. One in eight is timed from here.
    pub(crate) fn start(received: usize) -> Self {
        let number = BEGUN.get();
        BEGUN.set(number.wrapping_add(1));
        Self {
            began: number.is_multiple_of(SAMPLE).then(Instant::now),
            waited: false,
            received,
        }
    }

    /// The call has to wait: it is timed in any case. What went before took no time to speak of.
    pub(crate) fn waits(&mut self) {
        self.waited = true;
        self.began.get_or_insert_with(Instant::now);
    }

    /// The call has ended with an answer of so many bytes.
    pub(crate) fn stop(&self, series: &Series, sent: usize) {
        series.received(self.received);
        series.sent(sent);
        if let Some(began) = self.began {
            let weight = if self.waited { 1 } else { SAMPLE };
            series.took(began.elapsed(), weight);
        }
    }
}
