//! Generic cell rate algorithm (GCRA): the arithmetic of a rate limit, on nanoseconds.
//!
//! A caller has a *debt*: the time that its calls so far were worth and that has not passed yet.
//! What is stored is when the debt is paid, the theoretical arrival time of the next call. A call
//! adds its cost, and runs if the debt then fits into the window. This is a token bucket without a
//! token: the bucket is full where the debt is paid, and nobody has to refill it.

use std::time::Duration;

/// How many callers' rates a site has: an IPv6 /48, where a caller is a /64.
const CALLERS_OF_A_SITE: u64 = 4;

/// The parameters of a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gcra {
    /// What one unit of cost is worth, in nanoseconds.
    interval: u64,
    /// The largest debt, in nanoseconds.
    window: u64,
}

impl Gcra {
    /// `calls` in a `period`, of which `burst` may come at once. Zero counts as one. The interval is
    /// rounded up, so that the rate is never above the one that was asked for.
    pub(super) fn new(calls: u32, period: Duration, burst: u32) -> Self {
        let interval = nanoseconds(period).div_ceil(u64::from(calls.max(1)));
        let interval = interval.max(1);
        Self {
            interval,
            window: interval.saturating_mul(u64::from(burst.max(1))),
        }
    }

    /// Decides on a call. `paid` is when the caller's debt is paid, 0 for a caller without one; it
    /// moves on if the call runs.
    ///
    /// A cost above the burst counts as the whole burst. A debt beyond the window, which another
    /// limit has left, becomes the window.
    ///
    /// # Errors
    ///
    /// The nanoseconds after which this call would run, at least 1.
    pub(super) fn admit(self, paid: &mut u64, now: u64, cost: u32) -> Result<(), u64> {
        *paid = self.clamp(*paid, now);
        let end = self.after(*paid, now, cost);
        self.fits(end, now)?;
        *paid = end;
        Ok(())
    }

    /// Decides on a call for two callers at once, as [`admit`](Self::admit): one, and the site that it
    /// is in, which has the limit [`of_site`](Self::of_site). It counts for both or for neither.
    ///
    /// # Errors
    ///
    /// The nanoseconds after which this call would run.
    pub(super) fn admit_within(
        self,
        [paid, paid_of_site]: &mut [u64; 2],
        now: u64,
        cost: u32,
    ) -> Result<(), u64> {
        let site = self.of_site();
        *paid = self.clamp(*paid, now);
        *paid_of_site = site.clamp(*paid_of_site, now);
        // What is more than the burst of one is no more for the site.
        let cost = u32::try_from(self.burst()).map_or(cost, |burst| cost.min(burst));
        let end = self.after(*paid, now, cost);
        let end_of_site = site.after(*paid_of_site, now, cost);
        let wait = (self.fits(end, now).err()).max(site.fits(end_of_site, now).err());
        if let Some(wait) = wait {
            return Err(wait);
        }
        (*paid, *paid_of_site) = (end, end_of_site);
        Ok(())
    }

    /// The limit of a site: the rate and the burst of four callers.
    pub(super) fn of_site(self) -> Self {
        let interval = self.interval.div_ceil(CALLERS_OF_A_SITE);
        let burst = self.burst().saturating_mul(CALLERS_OF_A_SITE);
        Self {
            interval,
            window: interval.saturating_mul(burst),
        }
    }

    /// How much may come at once.
    fn burst(self) -> u64 {
        self.window / self.interval
    }

    /// What is left of a debt that another limit may have left.
    fn clamp(self, paid: u64, now: u64) -> u64 {
        paid.clamp(now, now.saturating_add(self.window))
    }

    /// What this cost is worth, in nanoseconds.
    pub(super) fn worth(self, cost: u32) -> u64 {
        let cost = self.interval.saturating_mul(u64::from(cost));
        cost.min(self.window)
    }

    /// When a debt is paid that has grown by this cost.
    pub(super) fn after(self, paid: u64, now: u64, cost: u32) -> u64 {
        paid.max(now).saturating_add(self.worth(cost))
    }

    /// Whether a debt that is paid at this time fits into the window.
    ///
    /// # Errors
    ///
    /// The nanoseconds after which it would.
    pub(super) fn fits(self, paid: u64, now: u64) -> Result<(), u64> {
        match paid.saturating_sub(now.saturating_add(self.window)) {
            0 => Ok(()),
            wait => Err(wait),
        }
    }
}

/// A duration in nanoseconds; five centuries at most.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(u64::from(time.subsec_nanos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_call_runs_if_its_debt_fits_into_the_window() {
        // 10 a second, 3 at once: a call is worth 100 ms, and the window has 300 ms.
        let gcra = Gcra::new(10, Duration::from_secs(1), 3);
        let tenth = SECOND / 10;
        for (paid, now, cost, expected) in [
            // Without a debt, or with one that is paid.
            (0, 5, 1, Ok(5 + tenth)),
            (7 * tenth, 7 * tenth, 1, Ok(8 * tenth)),
            (tenth, 9 * tenth, 3, Ok(12 * tenth)),
            // With one.
            (2 * tenth, 0, 1, Ok(3 * tenth)),
            (2 * tenth, 0, 2, Err(tenth)),
            (3 * tenth, 0, 1, Err(tenth)),
            (3 * tenth, tenth - 1, 1, Err(1)),
            (3 * tenth, tenth, 1, Ok(4 * tenth)),
            (3 * tenth, 0, 3, Err(3 * tenth)),
            // What costs nothing changes nothing that is to come.
            (3 * tenth, 0, 0, Ok(3 * tenth)),
            // More than the burst is the burst.
            (0, 0, 4, Ok(3 * tenth)),
            (1, 0, u32::MAX, Err(1)),
            // A debt that another limit has left.
            (100 * tenth, 0, 1, Err(tenth)),
            // The end of time.
            (u64::MAX, u64::MAX, 1, Ok(u64::MAX)),
        ] {
            let mut after = paid;
            let outcome = gcra.admit(&mut after, now, cost).map(|()| after);
            assert_eq!(outcome, expected, "{paid} {now} {cost}");
        }
    }

    #[test]
    fn a_site_has_the_rate_and_the_burst_of_four() {
        for (calls, seconds, burst) in [(10, 1, 3), (1, 1, 1), (3, 1, 7), (5, 3600, 2)] {
            let gcra = Gcra::new(calls, Duration::from_secs(seconds), burst);
            let site = gcra.of_site();
            assert_eq!(site.burst(), 4 * u64::from(burst));
            // Rounded up, by less than a nanosecond for each call.
            let excess = 4 * site.interval - gcra.interval;
            assert!(excess < 4, "{excess}");
        }
    }

    #[test]
    fn a_call_counts_for_both_or_for_neither() {
        // 10 a second, 3 at once; the site 40 a second, 12 at once.
        let gcra = Gcra::new(10, Duration::from_secs(1), 3);
        let (tenth, part) = (SECOND / 10, SECOND / 40);
        for (paid, now, cost, expected) in [
            ([0, 0], 0, 1, Ok([tenth, part])),
            ([0, 11 * part], 0, 1, Ok([tenth, 12 * part])),
            ([0, 12 * part], 0, 1, Err(part)),
            ([3 * tenth, 0], 0, 1, Err(tenth)),
            ([3 * tenth, 12 * part], 0, 1, Err(tenth)),
            ([3 * tenth, 12 * part], 0, 2, Err(2 * tenth)),
            ([2 * tenth, 12 * part], tenth, 3, Err(tenth)),
            // More than the burst of one is the burst, for both.
            ([0, 0], 0, 100, Ok([3 * tenth, 3 * part])),
            ([0, 10 * part], 0, 100, Err(part)),
            ([0, 12 * part], 0, 0, Ok([0, 12 * part])),
        ] {
            let mut after = paid;
            let outcome = gcra.admit_within(&mut after, now, cost).map(|()| after);
            assert_eq!(outcome, expected, "{paid:?} {now} {cost}");
            if outcome.is_err() {
                assert_eq!(after, paid.map(|paid| paid.max(now)), "{paid:?} {now}");
            }
        }
    }

    #[test]
    fn a_debt_that_another_limit_has_left_is_not_paid_for_ages() {
        let gcra = Gcra::new(10, Duration::from_secs(1), 3);
        let mut paid = 100 * SECOND;
        assert_eq!(gcra.admit(&mut paid, 0, 1), Err(SECOND / 10));
        assert_eq!(gcra.admit(&mut paid, SECOND / 10, 1), Ok(()));
    }

    #[test]
    fn extreme_parameters_are_no_panic_and_no_free_pass() {
        for (calls, period, burst, interval, window) in [
            (0, Duration::from_secs(1), 0, SECOND, SECOND),
            (3, Duration::from_secs(1), 1, 333_333_334, 333_333_334),
            (u32::MAX, Duration::from_secs(1), 2, 1, 2),
            (1, Duration::MAX, 1, u64::MAX, u64::MAX),
            (1, Duration::ZERO, 1, 1, 1),
        ] {
            let gcra = Gcra::new(calls, period, burst);
            assert_eq!((gcra.interval, gcra.window), (interval, window));
            let mut paid = 0;
            assert_eq!(gcra.admit(&mut paid, 0, u32::MAX), Ok(()));
            // What is as long as all time is no limit.
            let outcome = gcra.admit(&mut paid, 0, 1);
            assert_eq!(outcome.is_err(), window < u64::MAX, "{calls} {period:?}");
        }
    }

    /// A token bucket, in units so small that it has no fractions.
    struct Bucket {
        tokens: u128,
        full: u128,
        /// Tokens that a call of cost 1 takes, with one token a nanosecond.
        price: u128,
        last: u64,
    }

    impl Bucket {
        fn full(gcra: Gcra) -> Self {
            Self {
                tokens: u128::from(gcra.window),
                full: u128::from(gcra.window),
                price: u128::from(gcra.interval),
                last: 0,
            }
        }

        /// How many tokens a call would lack.
        fn lacks(&mut self, now: u64, cost: u32) -> u128 {
            self.tokens = self.full.min(self.tokens + u128::from(now - self.last));
            self.last = now;
            let price = self.full.min(self.price * u128::from(cost));
            price.saturating_sub(self.tokens)
        }

        /// Takes the tokens of a call, or says how many are missing.
        fn take(&mut self, now: u64, cost: u32) -> Result<(), u128> {
            match self.lacks(now, cost) {
                0 => {
                    self.tokens -= self.full.min(self.price * u128::from(cost));
                    Ok(())
                }
                missing => Err(missing),
            }
        }
    }

    /// Numbers that are arbitrary enough here: xorshift.
    struct Random(u64);

    impl Random {
        fn below(&mut self, end: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0 % end
        }

        fn small(&mut self, end: u32) -> u32 {
            u32::try_from(self.below(end.into())).unwrap()
        }
    }

    const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

    #[test]
    fn with_a_site_it_is_two_token_buckets_and_a_call_takes_from_both_or_from_none() {
        let mut random = Random(SEED);
        let (mut taken, mut refused) = (0, [0; 2]);
        for _ in 0..300 {
            let (calls, burst) = (1 + random.small(1000), 1 + random.small(20));
            let gcra = Gcra::new(calls, Duration::from_secs(1 + random.below(60)), burst);
            let mut site = Bucket::full(gcra.of_site());
            let mut networks: Vec<_> = (0..8).map(|_| (Bucket::full(gcra), 0)).collect();
            let (mut now, mut paid_of_site) = (0, 0);
            for _ in 0..400 {
                now += random.below(gcra.interval) * random.below(2);
                let cost = random.small(burst + 2);
                let of = usize::try_from(random.below(8)).unwrap();
                let (network, paid) = networks.get_mut(of).unwrap();
                let mut debts = [*paid, paid_of_site];
                let outcome = gcra.admit_within(&mut debts, now, cost);
                [*paid, paid_of_site] = debts;
                let lacks = [network.lacks(now, cost), site.lacks(now, cost.min(burst))];
                let expected = lacks.into_iter().max().filter(|&lacks| lacks > 0);
                assert_eq!(outcome.err().map(u128::from), expected);
                match expected {
                    None => {
                        network.take(now, cost).unwrap();
                        site.take(now, cost.min(burst)).unwrap();
                        taken += 1;
                    }
                    Some(most) => refused[usize::from(lacks[1] == most)] += 1,
                }
            }
        }
        assert!(
            taken > 10_000 && refused.iter().all(|&of| of > 5_000),
            "{taken} {refused:?}"
        );
    }

    #[test]
    fn it_is_a_token_bucket() {
        let mut random = Random(SEED);
        let (mut taken, mut refused) = (0, 0);
        for _ in 0..500 {
            let (calls, burst) = (1 + random.small(1000), 1 + random.small(50));
            let gcra = Gcra::new(calls, Duration::from_secs(1 + random.below(60)), burst);
            let mut bucket = Bucket::full(gcra);
            let (mut now, mut paid) = (0, 0);
            for _ in 0..200 {
                now += random.below(2 * gcra.interval + 1) * random.below(3);
                let cost = random.small(burst + 2);
                let outcome = gcra.admit(&mut paid, now, cost);
                let expected = bucket.take(now, cost);
                assert_eq!(outcome.err().map(u128::from), expected.err());
                match outcome {
                    Ok(()) => taken += 1,
                    Err(wait) => {
                        // It runs then, and not a nanosecond before.
                        assert!(gcra.admit(&mut { paid }, now + wait, cost).is_ok());
                        assert!(gcra.admit(&mut { paid }, now + wait - 1, cost).is_err());
                        refused += 1;
                    }
                }
            }
        }
        assert!(taken > 10_000 && refused > 10_000, "{taken} {refused}");
    }
}
