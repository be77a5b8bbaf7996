//! What the streams of one HTTP/2 connection may cost.
//!
//! HTTP/1 answers one request after the other, so a peer that does not read holds up itself alone,
//! and the socket notices. Over HTTP/2 a peer can leave a hundred answers where they are while its
//! socket is as lively as ever, or ask and take it back a thousand times in a second. Both are
//! counted here.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// No deadline.
pub(super) const NEVER: u64 = u64::MAX;

/// So many more requests than answers may be taken back on one connection (CVE-2023-44487).
const ABANDONED: usize = 500;

/// The answers that are on their way, and the requests that were taken back.
#[derive(Debug)]
pub(super) struct Streams {
    moving: Mutex<Moving>,
    /// The earliest time by which one of them has to move on.
    stalled_by: AtomicU64,
    /// How many more requests may be taken back.
    spare: AtomicUsize,
}

#[derive(Debug, Default)]
struct Moving {
    /// The number of the answer that began last.
    last: u64,
    /// The number of each answer, and by when it has to move on.
    due: Vec<(u64, u64)>,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            moving: Mutex::default(),
            stalled_by: AtomicU64::new(NEVER),
            spare: AtomicUsize::new(ABANDONED),
        }
    }
}

impl Streams {
    /// An answer begins; what comes back is its number.
    pub(super) fn begin(&self, by: u64) -> u64 {
        self.change(|moving| {
            moving.last += 1;
            moving.due.push((moving.last, by));
            moving.last
        })
    }

    /// The peer has taken some of it.
    pub(super) fn moved(&self, answer: u64, by: u64) {
        self.change(|moving| {
            let mut due = moving.due.iter_mut();
            if let Some(known) = due.find(|known| known.0 == answer) {
                known.1 = by;
            }
        });
    }

    /// It has ended, well or not.
    pub(super) fn end(&self, answer: u64) {
        self.change(|moving| moving.due.retain(|known| known.0 != answer));
    }

    /// A request is over: its answer was taken, or it was taken back itself.
    pub(super) fn settle(&self, taken: bool) {
        let count = |spare: usize| match taken {
            true => (spare < ABANDONED).then_some(spare + 1),
            false => spare.checked_sub(1),
        };
        let _ = self
            .spare
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    }

    /// Whether the peer does little else than to take requests back.
    pub(super) fn flooded(&self) -> bool {
        self.spare.load(Ordering::Relaxed) == 0
    }

    pub(super) fn stalled_by(&self) -> u64 {
        self.stalled_by.load(Ordering::Relaxed)
    }

    fn change<R>(&self, f: impl FnOnce(&mut Moving) -> R) -> R {
        let mut moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut moving);
        let earliest = moving.due.iter().map(|&(_, by)| by).min();
        self.stalled_by
            .store(earliest.unwrap_or(NEVER), Ordering::Relaxed);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_that_has_waited_longest_decides() {
        let streams = Streams::default();
        assert_eq!(streams.stalled_by(), NEVER);
        let first = streams.begin(10);
        let second = streams.begin(20);
        assert_eq!(streams.stalled_by(), 10);
        streams.moved(first, 30);
        assert_eq!(streams.stalled_by(), 20);
        streams.end(second);
        assert_eq!(streams.stalled_by(), 30);
        streams.end(first);
        assert_eq!(streams.stalled_by(), NEVER);
    }

    #[test]
    fn requests_may_be_taken_back_as_often_as_others_are_answered_and_some_more() {
        let streams = Streams::default();
        for _ in 0..10_000 {
            streams.settle(false);
            streams.settle(true);
        }
        for _ in 1..ABANDONED {
            streams.settle(false);
        }
        assert!(!streams.flooded());
        streams.settle(false);
        assert!(streams.flooded());
    }
}
