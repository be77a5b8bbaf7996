//! Minimum rate of a transfer.
//!
//! An average since the start of a transfer would be no bound: the buffers of the system take
//! megabytes at once, and each of them would buy a quarter of an hour. Therefore a peer saves up
//! time with every byte that it takes, but never more than the write timeout.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::memory_budget::Account;

/// The minimum rate, in bytes per second.
pub(crate) const MIN_RATE: u64 = 1024;

/// The minimum rate of those that hold much of the memory for responses while it is scarce.
const PRESSED_RATE: u64 = 64 * MIN_RATE;

/// Time after which the minimum rate of bytes that arrive is enforced.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// A longer timeout is one of this length; adding it to any time does not overflow.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long so many bytes take at this rate.
fn time_for(bytes: u64, rate: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate)
}

/// The deadline of a peer for its next byte, after so many bytes since it began to send.
pub(crate) fn arrival_deadline(began: Instant, bytes: u64) -> Instant {
    began + GRACE + time_for(bytes, MIN_RATE)
}

/// The deadline of a peer to take what is written to it.
///
/// A peer that takes nothing has the write timeout. A peer that takes less than [`MIN_RATE`] uses
/// up the time that it has saved, one that takes more saves some. While nothing waits to be written
/// it saves as much time as passes.
///
/// While the memory for responses is scarce, the minimum rate of those that hold much of it is
/// [`PRESSED_RATE`]. Those that read slowest use up their time first.
#[derive(Debug)]
pub(crate) struct Pace {
    /// The write timeout, which is also the most time that can be saved; `None` means no deadline.
    timeout: Option<Duration>,
    memory: Arc<Account>,
    state: PaceState,
}

#[derive(Clone, Copy, Debug)]
enum PaceState {
    /// Nothing waits to be written.
    Resting {
        /// The time that the peer has saved.
        saved: Duration,
        since: Option<Instant>,
    },
    /// Something waits to be written.
    Waiting { until: Instant },
}

impl Pace {
    pub(crate) fn new(timeout: Option<Duration>, memory: &Arc<Account>) -> Self {
        let timeout = timeout.map(|timeout| timeout.min(LONGEST));
        Self {
            timeout,
            memory: Arc::clone(memory),
            state: PaceState::Resting {
                saved: timeout.unwrap_or_default(),
                since: None,
            },
        }
    }

    /// The deadline, while something waits to be written.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            PaceState::Waiting { until } => Some(until),
            PaceState::Resting { .. } => None,
        }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        matches!(self.state, PaceState::Waiting { .. })
    }

    /// Records that something waits to be written. The time is asked for only if nothing did before.
    pub(crate) fn waits(&mut self, now: impl FnOnce() -> Instant) {
        if let Some(timeout) = self.timeout
            && let PaceState::Resting { saved, since } = self.state
        {
            let now = now();
            let rested = since.map_or(Duration::ZERO, |since| now.duration_since(since));
            let until = now + (saved + rested).min(timeout);
            self.state = PaceState::Waiting { until };
        }
    }

    /// Records that the peer has taken bytes. The time is asked for only if something waits.
    pub(crate) fn moved(&mut self, bytes: u64, now: impl FnOnce() -> Instant) {
        let Some(timeout) = self.timeout else {
            return;
        };
        match &mut self.state {
            PaceState::Waiting { until } => {
                let rate = match self.memory.is_pressed() {
                    true => PRESSED_RATE,
                    false => MIN_RATE,
                };
                *until = (*until + time_for(bytes, rate)).min(now() + timeout);
            }
            PaceState::Resting { saved, .. } if *saved < timeout => {
                *saved = (*saved + time_for(bytes, MIN_RATE)).min(timeout);
            }
            PaceState::Resting { .. } => {}
        }
    }

    /// Records that nothing waits to be written. The time is asked for only if something did before.
    pub(crate) fn rests(&mut self, now: impl FnOnce() -> Instant) {
        if let PaceState::Waiting { until } = self.state {
            let now = now();
            self.state = PaceState::Resting {
                saved: until.saturating_duration_since(now),
                since: Some(now),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_budget::account::Accounts;
    use crate::memory_budget::{Direction, Reservation};

    /// What happens to a transfer.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// Something waits to be written.
        Waits,
        /// So many KiB are taken.
        Takes(u64),
        /// Nothing waits.
        Rests,
        /// So many seconds pass.
        Passes(u64),
    }

    /// Seconds from the last step to the deadline.
    fn check(steps: &[Step], memory: &Arc<Account>, expected: Option<u64>) {
        let mut now = Instant::now();
        let mut pace = Pace::new(Some(Duration::from_secs(30)), memory);
        for step in steps {
            match *step {
                Step::Waits => pace.waits(|| now),
                Step::Takes(kib) => pace.moved(kib * 1024, || now),
                Step::Rests => pace.rests(|| now),
                Step::Passes(seconds) => now += Duration::from_secs(seconds),
            }
        }
        let left = pace
            .deadline()
            .map(|until| until.saturating_duration_since(now).as_secs());
        assert_eq!(left, expected, "{steps:?}");
    }

    #[tokio::test]
    async fn a_peer_saves_time_by_taking_bytes_and_never_more_than_the_timeout() {
        use Step::{Passes, Rests, Takes, Waits};
        for (steps, expected) in [
            (&[][..], None),
            (&[Waits], Some(30)),
            (&[Waits, Passes(10)], Some(20)),
            (&[Waits, Passes(10), Waits], Some(20)),
            (&[Waits, Passes(10), Takes(5)], Some(25)),
            // However much the system takes at once.
            (&[Waits, Takes(4096)], Some(30)),
            (&[Waits, Passes(10), Takes(4096)], Some(30)),
            (&[Waits, Passes(10), Takes(4096), Passes(31)], Some(0)),
            (&[Waits, Passes(10), Rests], None),
            (&[Waits, Passes(10), Rests, Waits], Some(20)),
            (&[Waits, Passes(10), Rests, Passes(5), Waits], Some(25)),
            (&[Waits, Passes(10), Rests, Passes(600), Waits], Some(30)),
            (&[Waits, Passes(10), Rests, Takes(7), Waits], Some(27)),
            (&[Takes(4096), Waits], Some(30)),
        ] {
            check(steps, &Account::unlimited(), expected);
        }
    }

    #[tokio::test]
    async fn while_memory_is_scarce_those_that_hold_much_have_to_read_faster() {
        use Step::{Passes, Takes, Waits};
        const MIB: usize = 1024 * 1024;
        const STEPS: [Step; 4] = [Waits, Passes(10), Takes(64 * 5), Passes(1)];
        let accounts = Accounts::new(0, 64 * MIB);
        let hold =
            |account: &Arc<_>, bytes| Reservation::of(account, Direction::Response, bytes).unwrap();
        let (small, large) = (accounts.open(), accounts.open());
        let _held = (hold(&small, 32 * 1024), hold(&large, 5 * MIB));
        check(&STEPS, &large, Some(29));
        let others: Vec<_> = (0..9).map(|_| hold(&accounts.open(), 5 * MIB)).collect();
        check(&STEPS, &large, Some(24));
        check(&STEPS, &small, Some(29));
        drop(others);
        check(&STEPS, &large, Some(29));
    }

    #[tokio::test]
    async fn without_a_timeout_there_is_no_deadline_and_no_look_at_the_clock() {
        let mut pace = Pace::new(None, &Account::unlimited());
        pace.waits(|| panic!("it was looked at"));
        pace.moved(1, || panic!("it was looked at"));
        pace.rests(|| panic!("it was looked at"));
        assert_eq!(pace.deadline(), None);
    }
}
