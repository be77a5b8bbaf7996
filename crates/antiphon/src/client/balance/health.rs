//! Health of one upstream: its failures in a row, and until when it is left out.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// What a call has told of its upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It has answered.
    Well,
    /// It has failed, or not answered in time.
    Failed,
    /// It cannot be reached.
    Down,
    /// A check of it was not answered in time.
    Silent,
    /// The call has failed for a reason of its own, or was dropped.
    Nothing,
}

/// Checks in a row that an upstream may leave unanswered, and is left out then. Something else may have
/// been in the way of a single one.
const MAX_SILENT: u32 = 2;

/// When an upstream is left out, and for how long.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    /// After so many failures in a row.
    pub(super) max_failures: u32,
    pub(super) first_pause: Duration,
    pub(super) max_pause: Duration,
}

impl Policy {
    /// The pause after so many others: between a half and the whole of what doubles each time. Clients
    /// that have lost an upstream together do not come back together.
    pub(super) fn pause(&self, attempt: u32) -> Duration {
        let whole = self.first_pause.saturating_mul(1 << attempt.min(20));
        let half = whole.min(self.max_pause) / 2;
        // A hash with fresh random keys is a random number.
        let random = RandomState::new().hash_one(attempt) >> 32;
        half + half.mul_f64(random as f64 / f64::from(u32::MAX))
    }
}

/// What is known of an upstream.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Failures in a row.
    failures: u32,
    /// Checks in a row that it has not answered.
    silent: u32,
    /// How often in a row it was left out.
    ejections: u32,
    /// Until when it is left out.
    until: Option<Instant>,
    /// Whether a call is trying it out.
    is_probed: bool,
}

impl Health {
    pub(super) fn is_up(&self) -> bool {
        self.until.is_none()
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    pub(super) fn is_probed(&self) -> bool {
        self.is_probed
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether its pause is over, and no call tries it out yet.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.is_probed && self.until.is_some_and(|until| until <= now)
    }

    /// A call tries it out.
    pub(super) fn probe(&mut self) {
        self.is_probed = true;
    }

    /// Takes note of what a call has told. Returns whether it is up now, if that has changed.
    pub(super) fn note(
        &mut self,
        verdict: Verdict,
        is_probe: bool,
        policy: &Policy,
        now: Instant,
    ) -> Option<bool> {
        let was_up = self.is_up();
        if is_probe {
            self.is_probed = false;
        }
        match verdict {
            Verdict::Nothing => {}
            Verdict::Well => {
                let is_probed = self.is_probed;
                *self = Self {
                    is_probed,
                    ..Self::default()
                };
            }
            Verdict::Failed | Verdict::Down | Verdict::Silent => {
                self.failures = self.failures.saturating_add(1);
                if verdict == Verdict::Silent {
                    self.silent = self.silent.saturating_add(1);
                }
                let is_out = verdict == Verdict::Down
                    || is_probe
                    || self.silent >= MAX_SILENT
                    || (was_up && self.failures >= policy.max_failures);
                // Calls that were under way together count once.
                if is_out && (was_up || is_probe || self.until.is_some_and(|until| until <= now)) {
                    self.until = now.checked_add(policy.pause(self.ejections));
                    self.ejections = self.ejections.saturating_add(1);
                }
            }
        }
        (self.is_up() != was_up).then_some(self.is_up())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        max_failures: 3,
        first_pause: Duration::from_secs(1),
        max_pause: Duration::from_secs(4),
    };

    #[test]
    fn a_pause_doubles_up_to_its_bound_and_is_never_less_than_half() {
        for (attempt, whole) in [(0, 1), (1, 2), (2, 4), (3, 4), (u32::MAX, 4)] {
            let whole = Duration::from_secs(whole);
            for _ in 0..100 {
                let pause = POLICY.pause(attempt);
                assert!(pause >= whole / 2 && pause <= whole, "{attempt}: {pause:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_upstream_is_left_out_after_failures_in_a_row() {
        use Verdict::{Down, Failed, Nothing, Silent, Well};
        let now = Instant::now();
        for (verdicts, up) in [
            (&[Failed, Failed][..], true),
            (&[Failed, Failed, Failed], false),
            (&[Failed, Failed, Well, Failed, Failed], true),
            (&[Failed, Failed, Nothing, Failed], false),
            (&[Down], false),
            (&[Down, Down, Failed], false),
            (&[Down, Well], true),
            (&[Nothing; 9], true),
            (&[Silent], true),
            (&[Silent, Well, Silent], true),
            (&[Silent, Silent], false),
        ] {
            let mut health = Health::default();
            for verdict in verdicts {
                health.note(*verdict, false, &POLICY, now);
            }
            assert_eq!(health.is_up(), up, "{verdicts:?}");
            assert!(
                health.ejections <= 1,
                "{verdicts:?}: failures at once count once"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_call_tries_it_out_and_decides() {
        let mut now = Instant::now();
        let mut health = Health::default();
        health.note(Verdict::Down, false, &POLICY, now);
        for (verdict, up) in [
            (Verdict::Failed, false),
            (Verdict::Down, false),
            (Verdict::Nothing, false),
            (Verdict::Well, true),
        ] {
            assert!(!health.is_due(now) || verdict == Verdict::Well);
            now += Duration::from_secs(4);
            assert!(health.is_due(now), "{verdict:?}");
            health.probe();
            assert!(!health.is_due(now), "{verdict:?}");
            health.note(verdict, true, &POLICY, now);
            assert_eq!(health.is_up(), up, "{verdict:?}");
        }
    }
}
