//! Restart policy for workers that die: at once at first, then ever more slowly.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// So many restarts within this time are made at once.
const BURST: usize = 5;
const BURST_WINDOW: Duration = Duration::from_secs(10);

/// The first pause when they were not enough, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// When nothing has died for so long, all is forgotten.
const RESET_AFTER: Duration = Duration::from_secs(60);

/// Remembers restarts.
#[derive(Debug)]
pub(crate) struct Restarts {
    recent: VecDeque<Instant>,
    pause: Duration,
    /// None is made before.
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
    /// A worker has died that was not meant to.
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
        let slowed = self.until.is_some_and(|until| until <= now);
        if slowed || (self.until.is_none() && self.recent.len() >= BURST) {
            self.until = Some(now + self.pause);
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// When a worker may be started in place of one that has died.
    pub(crate) fn next(&mut self, now: Instant) -> Instant {
        self.forget(now);
        let room = match self.recent.front() {
            Some(first) if self.recent.len() >= BURST => *first + BURST_WINDOW,
            _ => now,
        };
        room.max(self.until.unwrap_or(now)).max(now)
    }

    /// One has been started.
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

    /// Lets a worker die whenever it was started, and lists the seconds of its restarts.
    fn crash_loop(seconds: u64, shutdown: Duration) -> Vec<Duration> {
        let begin = Instant::now();
        let (mut now, mut restarts, mut made) = (begin, Restarts::default(), Vec::new());
        while now - begin < Duration::from_secs(seconds) {
            now += shutdown;
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
    fn who_dies_now_and_then_is_replaced_at_once() {
        let made = crash_loop(60, Duration::from_millis(2100));
        let expected: Vec<_> = (1..)
            .map(|n| Duration::from_millis(2100) * n)
            .take(made.len())
            .collect();
        assert_eq!(made, expected);
    }

    #[test]
    fn after_a_calm_time_all_is_forgotten() {
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
