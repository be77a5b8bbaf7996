//! Progress of the streams of one HTTP/2 connection.
//!
//! HTTP/1 answers one request at a time, so a peer that does not read blocks only itself, and the
//! socket's write deadline catches it. Over HTTP/2 a peer can leave a hundred responses unread
//! while its socket stays active, or send and cancel a thousand requests per second. Both are
//! tracked here.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// No deadline.
pub(super) const NEVER: u64 = u64::MAX;

/// How many requests a connection may cancel beyond the number that it lets complete
/// (CVE-2023-44487, rapid reset).
const MAX_CANCELLED: usize = 500;

/// The responses that are being sent, and the number of cancelled requests.
#[derive(Debug)]
pub(super) struct Streams {
    moving: Mutex<Moving>,
    /// The earliest deadline of a response.
    stalled_by: AtomicU64,
    /// How many more requests may be cancelled.
    spare: AtomicUsize,
}

#[derive(Debug, Default)]
struct Moving {
    /// The number of the latest response.
    last: u64,
    answers: Vec<Answer>,
}

/// A response that is being sent.
#[derive(Debug)]
struct Answer {
    number: u64,
    /// Deadline for its next progress.
    by: u64,
    /// Chunks that have not been sent. Without one the peer has nothing to read.
    pieces: usize,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            moving: Mutex::default(),
            stalled_by: AtomicU64::new(NEVER),
            spare: AtomicUsize::new(MAX_CANCELLED),
        }
    }
}

impl Streams {
    /// Registers a response and returns its number.
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

    /// Records that another chunk waits to be sent. hyper polls for it when all but the last chunk
    /// have been sent.
    pub(super) fn taken(&self, answer: u64, by: u64) {
        self.with(answer, |answer| {
            answer.pieces += 1;
            answer.by = by;
        });
    }

    /// Records that a chunk has been sent.
    pub(super) fn sent(&self, answer: u64, by: u64) {
        self.with(answer, |answer| {
            answer.pieces = answer.pieces.saturating_sub(1);
            answer.by = if answer.pieces > 0 { by } else { NEVER };
        });
    }

    /// Records that the body has no chunk ready. The peer is not to blame for that, but it may
    /// still have to read earlier chunks.
    pub(super) fn waits(&self, answer: u64) {
        self.with(answer, |answer| {
            if answer.pieces == 0 {
                answer.by = NEVER;
            }
        });
    }

    /// Removes a response, complete or not.
    pub(super) fn end(&self, answer: u64) {
        self.change(|moving| moving.answers.retain(|known| known.number != answer));
    }

    /// Counts a request that has ended: its response was sent, or the request was cancelled.
    pub(super) fn settle(&self, taken: bool) {
        let count = |spare: usize| match taken {
            true => (spare < MAX_CANCELLED).then_some(spare + 1),
            false => spare.checked_sub(1),
        };
        let _ = self
            .spare
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
    }

    /// Whether the peer has cancelled too many requests.
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
        // The next chunk is not ready, but two earlier ones are unsent.
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
        for _ in 1..MAX_CANCELLED {
            streams.settle(false);
        }
        assert!(!streams.flooded());
        streams.settle(false);
        assert!(streams.flooded());
    }
}
