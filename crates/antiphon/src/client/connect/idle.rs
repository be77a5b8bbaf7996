//! Idle connections: the last one that was used is the first to be used again.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How long an idle connection is kept: less than the 75 s after which servers commonly close it,
/// so that a call rarely picks a connection that is just being closed.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How many idle connections are kept.
const MAX_IDLE: usize = 128;

/// How long a connection may be idle and still count as fresh: nobody asks whether the server has closed
/// it meanwhile.
const FRESH: Duration = Duration::from_millis(1);

/// A bounded stack, from which the oldest entries are also taken.
pub(super) struct Idle<C>(VecDeque<(C, Instant)>);

impl<C> Default for Idle<C> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<C> Idle<C> {
    /// Keeps a connection that has been idle since now. Returns it if there are too many.
    pub(super) fn push(&mut self, connection: C, now: Instant) -> Option<C> {
        if self.0.len() >= MAX_IDLE {
            return Some(connection);
        }
        self.0.push_back((connection, now));
        None
    }

    /// The connection that was used last, if that was a moment ago.
    pub(super) fn pop_fresh(&mut self, now: Instant) -> Option<C> {
        let (_, since) = self.0.back()?;
        is_fresh(*since, now)
            .then(|| self.0.pop_back())?
            .map(|(connection, _)| connection)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The connection that was used last, and whether it was idle for too long.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(C, bool)> {
        let (connection, since) = self.0.pop_back()?;
        Some((connection, is_over(since, now)))
    }

    /// Takes out the connections that were idle for too long, and those that are of no use any more.
    pub(super) fn sweep(&mut self, now: Instant, is_usable: impl Fn(&mut C) -> bool) -> Vec<C> {
        let mut gone = Vec::new();
        for (mut connection, since) in std::mem::take(&mut self.0) {
            if !is_over(since, now) && is_usable(&mut connection) {
                self.0.push_back((connection, since));
            } else {
                gone.push(connection);
            }
        }
        gone
    }

    /// When the oldest entry has been idle for too long.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.0.front().map(|(_, since)| *since + IDLE_TIMEOUT)
    }
}

/// Whether a connection has been idle for too long.
pub(super) fn is_over(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) >= IDLE_TIMEOUT
}

/// Whether a connection was used a moment ago.
pub(super) fn is_fresh(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < FRESH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_is_used_first_and_there_are_not_too_many() {
        let now = Instant::now();
        let mut idle = Idle::default();
        for n in 0..MAX_IDLE {
            assert_eq!(idle.push(n, now), None);
        }
        assert_eq!(idle.push(999, now), Some(999));
        for n in (0..MAX_IDLE).rev() {
            assert_eq!(idle.pop(now), Some((n, false)));
        }
        assert_eq!(idle.pop(now), None);
    }

    #[test]
    fn what_is_old_or_of_no_use_is_swept() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let filled = || {
            let mut idle = Idle::default();
            for n in [0, 10, 20, 30] {
                idle.push(n, at(n));
            }
            idle
        };
        // The time, what is of no use, what goes, what is left, and when the next one ends.
        for (now, useless, gone, left, next) in [
            (59, 99, &[][..], &[0, 10, 20, 30][..], Some(60)),
            (60, 99, &[0], &[10, 20, 30], Some(70)),
            (75, 20, &[0, 10, 20], &[30], Some(90)),
            (90, 99, &[0, 10, 20, 30], &[], None),
        ] {
            let mut idle = filled();
            assert_eq!(idle.sweep(at(now), |n| *n != useless), gone, "at {now} s");
            let kept: Vec<_> = idle.0.iter().map(|(n, _)| *n).collect();
            assert_eq!((kept.as_slice(), idle.next_end()), (left, next.map(at)));
        }
        assert_eq!(filled().pop_fresh(at(30)), Some(30));
        assert_eq!(filled().pop_fresh(at(30) + FRESH), None);
        assert_eq!(filled().pop(at(89)), Some((30, false)));
        assert_eq!(filled().pop(at(90)), Some((30, true)));
    }
}
