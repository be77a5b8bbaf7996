//! Rate limiter: a limit, and the debts of the callers that it applies to.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::gcra::{Gcra, nanoseconds};
use super::setting::RateLimit;
use super::table::Table;
use crate::address::group::AddressGroup;

/// Who a call counts for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum RateKey {
    /// A caller that has shown who it is.
    Subject(Arc<str>),
    /// All callers of an address.
    Address(AddressGroup),
}

/// The debts of callers. They outlive the limit, which a reload may change.
#[derive(Debug)]
pub(crate) struct RateTable {
    table: Table,
    /// The beginning of its time.
    began: Instant,
}

impl RateTable {
    pub(crate) fn new(now: Instant) -> Arc<Self> {
        Arc::new(Self {
            table: Table::default(),
            began: now,
        })
    }
}

/// A limit with the debts of callers.
#[derive(Clone, Debug)]
pub(crate) struct RateLimiter {
    limit: Gcra,
    debts: Arc<RateTable>,
}

impl RateLimiter {
    pub(crate) fn new(limit: RateLimit, debts: Arc<RateTable>) -> Self {
        Self {
            limit: limit.gcra(),
            debts,
        }
    }

    /// Decides on a call at this time.
    ///
    /// # Errors
    ///
    /// The time after which the call would run.
    pub(crate) fn admit(&self, key: &RateKey, cost: u32, now: Instant) -> Result<(), Duration> {
        let RateTable { table, began } = &*self.debts;
        let now = nanoseconds(now.saturating_duration_since(*began));
        let admitted = table.admit(key, self.limit, now, cost);
        admitted.map_err(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn address(text: &str) -> RateKey {
        RateKey::Address(AddressGroup::from(text.parse::<IpAddr>().unwrap()))
    }

    #[test]
    fn callers_of_a_network_have_one_limit_and_all_others_their_own() {
        let now = Instant::now();
        let table = RateTable::new(now);
        let limiter = RateLimiter::new(RateLimit::per_second(1), Arc::clone(&table));
        let subject = RateKey::Subject("192.0.2.1".into());
        for (key, is_free) in [
            (address("192.0.2.1"), true),
            (address("192.0.2.1"), false),
            (address("::ffff:192.0.2.1"), false),
            (address("192.0.2.2"), true),
            (address("2001:db8:1:2::1"), true),
            (address("2001:db8:1:2:ffff::9"), false),
            (address("2001:db8:1:3::1"), true),
            (subject.clone(), true),
            (subject, false),
        ] {
            assert_eq!(limiter.admit(&key, 1, now).is_ok(), is_free, "{key:?}");
        }
        // A new limit knows the debts of the one before.
        let limiter = RateLimiter::new(RateLimit::per_second(1).burst(2), table);
        let later = now + Duration::from_millis(400);
        let key = address("192.0.2.1");
        assert_eq!(limiter.admit(&key, 1, later), Ok(()));
        let wait = Duration::from_millis(600);
        assert_eq!(limiter.admit(&key, 1, later), Err(wait));
        assert_eq!(limiter.admit(&key, 1, later + wait), Ok(()));
    }
}
