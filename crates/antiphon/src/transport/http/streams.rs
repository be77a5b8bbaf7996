//! Progress of the streams of one HTTP/2 connection.
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
    answers: Vec<Answer>,
}

/// An answer on its way.
#[derive(Debug)]
struct Answer {
    number: u64,
    /// By when it has to move on.
    by: u64,
    /// Pieces that have not been sent. Without one the peer has nothing to read.
    pieces: usize,
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
            moving.answers.push(Answer {
                number: moving.last,
                by,
                pieces: 0,
            });
            moving.last
        })
    }

    /// One more piece of it waits to be sent. It is asked for when all but the last have gone.
    pub(super) fn taken(&self, answer: u64, by: u64) {
        self.with(answer, |answer| {
            answer.pieces += 1;
            answer.by = by;
        });
    }

    /// A piece of it has been sent.
    pub(super) fn sent(&self, answer: u64, by: u64) {
        self.with(answer, |answer| {
            answer.pieces = answer.pieces.saturating_sub(1);
            answer.by = if answer.pieces > 0 { by } else { NEVER };
        });
    }

    /// Its next piece is yet to be made. That is not the peer's fault, but older pieces may be.
    pub(super) fn waits(&self, answer: u64) {
        self.with(answer, |answer| {
            if answer.pieces == 0 {
                answer.by = NEVER;
            }
        });
    }

    /// It has ended, well or not.
    pub(super) fn end(&self, answer: u64) {
        self.change(|moving| moving.answers.retain(|known| known.number != answer));
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

    fn with(&self, answer: u64, f: impl FnOnce(&mut Answer)) {
        self.change(|moving| {
            let mut answers = moving.answers.iter_mut();
            if let Some(known) = answers.find(|known| known.number == answer) {
                f(known);
            }
        });
    }

    fn change<R>(&self, f: impl FnOnce(&mut Moving) -> R) -> R {
        let mut moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        let result = f(&mut moving);
        let earliest = moving.answers.iter().map(|answer| answer.by).min();
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
        streams.taken(first, 30);
        assert_eq!(streams.stalled_by(), 20);
        streams.end(second);
        assert_eq!(streams.stalled_by(), 30);
        streams.end(first);
        assert_eq!(streams.stalled_by(), NEVER);
    }

    #[test]
    fn an_answer_with_nothing_to_read_is_not_waited_for() {
        let streams = Streams::default();
        let answer = streams.begin(10);
        streams.waits(answer);
        assert_eq!(streams.stalled_by(), NEVER);
        streams.taken(answer, 20);
        streams.taken(answer, 30);
        // The next piece is not there, but two older ones are.
        streams.waits(answer);
        assert_eq!(streams.stalled_by(), 30);
        streams.sent(answer, 40);
        assert_eq!(streams.stalled_by(), 40);
        streams.sent(answer, 50);
        assert_eq!(streams.stalled_by(), NEVER);
        streams.taken(answer, 60);
        assert_eq!(streams.stalled_by(), 60);
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
