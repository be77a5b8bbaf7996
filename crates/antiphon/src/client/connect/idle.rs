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

    /// Takes out the entry at this place, the oldest one being the first, to look at it without a lock.
    pub(super) fn remove(&mut self, place: usize) -> Option<(C, Instant)> {
        self.0.remove(place)
    }

    /// Puts an entry back to its place, or to the end if newer ones have been taken meanwhile. Returns
    /// the connection if there are too many.
    pub(super) fn put_back(
        &mut self,
        place: usize,
        (connection, since): (C, Instant),
    ) -> Option<C> {
        if self.0.len() >= MAX_IDLE {
            return Some(connection);
        }
        self.0.insert(place.min(self.0.len()), (connection, since));
        None
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
    fn entries_stay_in_order_while_one_is_looked_at() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        // The place of the entry, how many are taken meanwhile, and what is left then.
        for (place, taken, expected) in [
            (0, 0, &[0, 10, 20, 30][..]),
            (2, 0, &[0, 10, 20, 30]),
            (1, 2, &[0, 10]),
            (1, 3, &[10]),
            (3, 2, &[0, 30]),
        ] {
            let mut idle = Idle::default();
            for n in [0, 10, 20, 30] {
                idle.push(n, at(n));
            }
            let entry = idle.remove(place).unwrap();
            for _ in 0..taken {
                idle.pop(at(31));
            }
            assert_eq!(idle.put_back(place, entry), None);
            let left: Vec<_> = idle.0.iter().map(|(n, _)| *n).collect();
            assert_eq!(left, expected, "{place}, {taken}");
            let first = expected.first().map(|n| at(*n) + IDLE_TIMEOUT);
            assert_eq!(idle.next_end(), first);
        }
    }

    #[test]
    fn the_last_one_is_given_out_while_it_is_fresh_or_not_too_old() {
        let begun = Instant::now();
        let filled = || {
            let mut idle = Idle::default();
            assert_eq!(idle.push(1, begun), None);
            idle
        };
        assert_eq!(filled().pop_fresh(begun), Some(1));
        assert_eq!(filled().pop_fresh(begun + FRESH), None);
        let end = begun + IDLE_TIMEOUT;
        assert_eq!(filled().pop(end - FRESH), Some((1, false)));
        assert_eq!(filled().pop(end), Some((1, true)));
    }
}
