//! Restart backoff for crashed workers: immediate at first, then with growing pauses.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Number of restarts within [`BURST_WINDOW`] that are made without a pause.
const BURST: usize = 5;
const BURST_WINDOW: Duration = Duration::from_secs(10);

/// First and longest pause once the burst is used up. The pause doubles each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Without a crash for this long, the backoff is reset.
const RESET_AFTER: Duration = Duration::from_secs(60);

/// State of the restart backoff.
#[derive(Debug)]
pub(crate) struct Restarts {
    recent: VecDeque<Instant>,
    pause: Duration,
    /// No restart before this time.
    until: Option<Instant>,
    last_death: Option<Instant>,
}

impl Default for Restarts {
    fn default() -> Self {
        Self {
            recent: VecDeque::new(),
            pause: FIRST_PAUSE,
            until: None,
            last_death: None,
        }
    }
}

impl Restarts {
    /// Records that a worker has exited unexpectedly.
    pub(crate) fn died(&mut self, now: Instant) {
        let calm = self.last_death.is_none_or(|last| now - last >= RESET_AFTER);
        self.last_death = Some(now);
        if calm {
            *self = Self {
                last_death: self.last_death,
                ..Self::default()
            };
        }
        self.forget(now);
        // The last pause is over and a worker has crashed again: pause once more.
        let slowed = self.until.is_some_and(|until| until <= now);
        if slowed || (self.until.is_none() && self.recent.len() >= BURST) {
            self.until = Some(now + self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Earliest time at which a crashed worker may be replaced.
    pub(crate) fn next(&mut self, now: Instant) -> Instant {
        self.forget(now);
        let burst_free = match self.recent.front() {
            Some(first) if self.recent.len() >= BURST => *first + BURST_WINDOW,
            _ => now,
        };
        burst_free.max(self.until.unwrap_or(now)).max(now)
    }

    /// Records that a replacement has been started.
    pub(crate) fn restarted(&mut self, now: Instant) {
        self.recent.push_back(now);
    }

    fn forget(&mut self, now: Instant) {
        while self
            .recent
            .front()
            .is_some_and(|first| now - *first >= BURST_WINDOW)
        {
            self.recent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates a worker that crashes `lifetime` after every start. Returns the times of its
    /// restarts.
    fn crash_loop(seconds: u64, lifetime: Duration) -> Vec<Duration> {
        let begin = Instant::now();
        let (mut now, mut restarts, mut made) = (begin, Restarts::default(), Vec::new());
        while now - begin < Duration::from_secs(seconds) {
            now += lifetime;
            restarts.died(now);
            now = restarts.next(now);
            restarts.restarted(now);
            made.push(now - begin);
        }
        made
    }

    #[test]
    fn a_crash_loop_is_slowed_down() {
        let made = crash_loop(300, Duration::from_millis(50));
        assert_eq!(made.iter().filter(|at| at.as_secs() < 10).count(), 5);
        for window in made.windows(6) {
            assert!(window[5] - window[0] >= BURST_WINDOW, "{window:?}");
        }
        let pauses: Vec<_> = made.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(
            pauses
                .iter()
                .all(|pause| *pause <= LONGEST_PAUSE + Duration::from_millis(50))
        );
        assert!(made.len() < 40, "{}", made.len());
    }

    #[test]
    fn a_worker_that_crashes_rarely_is_replaced_at_once() {
        let made = crash_loop(60, Duration::from_millis(2100));
        let expected: Vec<_> = (1..)
            .map(|n| Duration::from_millis(2100) * n)
            .take(made.len())
            .collect();
        assert_eq!(made, expected);
    }

    #[test]
    fn the_backoff_is_reset_after_a_calm_period() {
        let (mut now, mut restarts) = (Instant::now(), Restarts::default());
        for _ in 0..20 {
            restarts.died(now);
            now = restarts.next(now);
            restarts.restarted(now);
        }
        now += RESET_AFTER;
        restarts.died(now);
        assert_eq!(restarts.next(now), now);
    }
}
