//! Progress of the streams of one HTTP/2 connection.
//!
//! HTTP/1 answers one request at a time, so a peer that does not read blocks only itself, and the
//! socket's write deadline catches it. Over HTTP/2 a peer can leave a hundred responses unread
//! while its socket stays active, or send and cancel a thousand requests per second. Both are
//! tracked here.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use crate::session::pace::Pace;

/// No deadline.
pub(super) const NEVER: u64 = u64::MAX;

/// How many requests a connection may cancel beyond the number that it lets complete
/// (CVE-2023-44487, rapid reset).
const MAX_CANCELLED: usize = 500;

/// The responses that are being sent, and the number of cancelled requests.
#[derive(Debug)]
pub(super) struct Streams {
    /// When the connection began.
    began: Instant,
    moving: Mutex<Moving>,
    /// The earliest deadline of a response, in nanoseconds after `began`.
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
    pace: Pace,
    /// Bytes that hyper has taken and the peer has not.
    unsent: usize,
    /// Whether the body has no more bytes at the moment. If there are no unsent ones either, the
    /// peer has nothing to read.
    paused: bool,
}

impl Streams {
    /// `began` is when the connection began.
    pub(super) fn new(began: Instant) -> Self {
        Self {
            began,
            moving: Mutex::default(),
            stalled_by: AtomicU64::new(NEVER),
            spare: AtomicUsize::new(MAX_CANCELLED),
        }
    }

    /// Registers a response and returns its number. The peer has to take it from now on: hyper asks
    /// a body for bytes only while the peer has a window for them.
    pub(super) fn begin(&self, mut pace: Pace) -> u64 {
        pace.waits(Instant::now);
        self.change(|moving| {
            moving.last += 1;
            moving.answers.push(Answer {
                number: moving.last,
                pace,
                unsent: 0,
                paused: false,
            });
            moving.last
        })
    }

    /// Records that more bytes wait to be sent.
    pub(super) fn taken(&self, answer: u64, bytes: usize) {
        self.with(answer, |answer| {
            answer.unsent += bytes;
            answer.paused = false;
            answer.pace.waits(Instant::now);
        });
    }

    /// Records that bytes have been sent.
    pub(super) fn sent(&self, answer: u64, bytes: usize) {
        self.with(answer, |answer| {
            answer.unsent = answer.unsent.saturating_sub(bytes);
            answer.pace.moved(bytes as u64, Instant::now);
            answer.rest();
        });
    }

    /// Records that the body has no bytes ready. The peer is not to blame for that, but it may
    /// still have to read earlier ones.
    pub(super) fn waits(&self, answer: u64) {
        self.with(answer, |answer| {
            answer.paused = true;
            answer.rest();
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
        let deadlines = moving.answers.iter().map(|answer| answer.pace.deadline());
        let by = deadlines.flatten().min().map_or(NEVER, |by| {
            let after = by.saturating_duration_since(self.began).as_nanos();
            u64::try_from(after).unwrap_or(NEVER)
        });
        self.stalled_by.store(by, Ordering::Relaxed);
        result
    }
}

impl Answer {
    fn rest(&mut self) {
        if self.paused && self.unsent == 0 {
            self.pace.rests(Instant::now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn streams() -> (Streams, impl Fn(&Streams) -> Option<u64>) {
        let began = Instant::now();
        let deadline = |streams: &Streams| match streams.stalled_by() {
            NEVER => None,
            by => Some(by / 1_000_000_000),
        };
        (Streams::new(began), deadline)
    }

    fn pace() -> Pace {
        Pace::new(
            Some(Duration::from_secs(30)),
            &crate::memory_budget::Account::unlimited(),
        )
    }

    async fn pass(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_answer_that_has_waited_longest_decides() {
        let (streams, deadline) = streams();
        assert_eq!(deadline(&streams), None);
        let first = streams.begin(pace());
        pass(10).await;
        let second = streams.begin(pace());
        assert_eq!(deadline(&streams), Some(30));
        streams.taken(first, 1 << 20);
        assert_eq!(deadline(&streams), Some(30));
        streams.sent(first, 5 * 1024);
        assert_eq!(deadline(&streams), Some(35));
        streams.sent(first, 500_000);
        assert_eq!(deadline(&streams), Some(40));
        pass(5).await;
        streams.sent(first, 500_000);
        streams.end(second);
        assert_eq!(deadline(&streams), Some(45));
        streams.end(first);
        assert_eq!(deadline(&streams), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_with_nothing_to_read_is_not_waited_for() {
        let (streams, deadline) = streams();
        let answer = streams.begin(pace());
        streams.waits(answer);
        assert_eq!(deadline(&streams), None);
        pass(100).await;
        streams.taken(answer, 100);
        assert_eq!(deadline(&streams), Some(130));
        // The next chunk is not ready, but a part of the earlier one is unsent.
        streams.sent(answer, 50);
        streams.waits(answer);
        assert_eq!(deadline(&streams), Some(130));
        streams.sent(answer, 50);
        assert_eq!(deadline(&streams), None);
        // All is sent, but whether there is more is not known before the peer has a window.
        streams.taken(answer, 100);
        streams.sent(answer, 100);
        assert_eq!(deadline(&streams), Some(130));
    }

    #[test]
    fn requests_may_be_taken_back_as_often_as_others_are_answered_and_some_more() {
        let streams = Streams::new(Instant::now());
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
