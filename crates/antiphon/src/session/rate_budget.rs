//! Budget of what a peer may send beside what it is there for, in bytes or in frames: a burst, and a
//! rate.

use std::time::Duration;

use tokio::time::Instant;

/// A burst of units, which is earned back over time, or by what the peer was asked for.
///
/// The clock is read only when the budget is used up.
#[derive(Debug)]
pub(crate) struct RateBudget {
    left: usize,
    burst: usize,
    per_second: usize,
    /// Up to when time has been earned.
    since: Instant,
}

/// The peer has used up its budget.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl RateBudget {
    pub(crate) fn new(burst: usize, per_second: usize) -> Self {
        Self {
            left: burst,
            burst,
            per_second,
            since: Instant::now(),
        }
    }

    /// Takes units out of the budget. If they are too many, `earned` returns what has been earned
    /// otherwise than by time.
    ///
    /// # Errors
    ///
    /// If there are not enough; nothing is taken then.
    pub(crate) fn spend(
        &mut self,
        units: usize,
        earned: impl FnOnce() -> usize,
    ) -> Result<(), Exhausted> {
        if units > self.left {
            let all = self.left.saturating_add(earned());
            self.left = all.saturating_add(self.over_time()).min(self.burst);
        }
        self.left = self.left.checked_sub(units).ok_or(Exhausted)?;
        Ok(())
    }

    /// The units that were earned since the last time. A fraction of one stays to be earned.
    fn over_time(&mut self) -> usize {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.since).as_micros();
        let per_second = self.per_second as u128;
        let units = passed * per_second / MICROS_PER_SECOND;
        let fraction = passed * per_second % MICROS_PER_SECOND / per_second.max(1);
        let fraction = Duration::from_micros(u64::try_from(fraction).unwrap_or_default());
        self.since = now.checked_sub(fraction).unwrap_or(now);
        usize::try_from(units).unwrap_or(self.burst)
    }
}

const MICROS_PER_SECOND: u128 = Duration::from_secs(1).as_micros();

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_budget_is_a_burst_and_then_a_rate() {
        // Seconds to wait, units to spend, units earned otherwise, and whether that is possible.
        let table = [
            (0, 60, 0, true),
            (0, 40, 0, true),
            (0, 1, 0, false),
            (0, 1, 1, true),
            (3, 30, 0, true),
            (0, 1, 0, false),
            (2, 21, 0, false),
            (0, 20, 0, true),
            // Neither time nor anything else earns more than one burst.
            (3600, 100, 1000, true),
            (0, 1, 0, false),
            (0, 101, 1000, false),
        ];
        let mut budget = RateBudget::new(100, 10);
        for (row, (wait, bytes, earned, possible)) in table.into_iter().enumerate() {
            advance(Duration::from_secs(wait)).await;
            let spent = budget.spend(bytes, || earned).is_ok();
            assert_eq!(spent, possible, "row {row}: {budget:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn small_steps_earn_as_much_as_a_large_one() {
        let mut budget = RateBudget::new(100, 10);
        budget.spend(100, || 0).unwrap();
        for _ in 0..100 {
            advance(Duration::from_millis(10)).await;
            let _ = budget.spend(1000, || 0);
        }
        assert!((9..=10).contains(&budget.left), "{budget:?}");
    }
}
