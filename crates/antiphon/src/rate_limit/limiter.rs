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

impl RateKey {
    /// The site that the caller is in, whose calls count together, too.
    fn site(&self) -> Option<Self> {
        match self {
            Self::Subject(_) => None,
            Self::Address(group) => group.site().map(Self::Address),
        }
    }
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

    /// Decides on a call at this time. One from an IPv6 address has to fit into the limit of its /48,
    /// too, which has the rate and the burst of four callers; a call that does not counts for neither.
    ///
    /// # Errors
    ///
    /// The time after which the call would run.
    pub(crate) fn admit(&self, key: &RateKey, cost: u32, now: Instant) -> Result<(), Duration> {
        let RateTable { table, began } = &*self.debts;
        let now = nanoseconds(now.saturating_duration_since(*began));
        let admitted = match key.site() {
            None => table.admit(key, self.limit, now, cost),
            site => table.update(key, site.as_ref(), now, |debts| {
                self.limit.admit_within(debts, now, cost)
            }),
        };
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

    #[test]
    fn a_site_has_the_rate_of_four_of_its_networks() {
        let now = Instant::now();
        let limiter = RateLimiter::new(RateLimit::per_second(2).burst(5), RateTable::new(now));
        let admitted = |text: &str, cost, after| {
            let now = now + Duration::from_millis(after);
            limiter.admit(&address(text), cost, now)
        };
        let network = |network: u16| format!("2001:db8:1:{network:x}::1");
        // One network is refused by its own limit, with its own wait.
        for call in 0..6 {
            assert_eq!(admitted(&network(0), 1, 0).is_ok(), call < 5, "{call}");
        }
        let wait = Duration::from_millis;
        assert_eq!(admitted(&network(0), 1, 0), Err(wait(500)));
        // Others of the site: 20 calls at once in all.
        for call in 0..100 {
            let outcome = admitted(&network(1 + call), 1, 0);
            assert_eq!(outcome.is_ok(), call < 15, "{call}");
        }
        // What was refused has cost nothing: the site gets back 8 a second, one network 2.
        assert_eq!(admitted(&network(1), 1, 0), Err(wait(125)));
        assert_eq!(admitted(&network(1), 1, 125), Ok(()));
        assert_eq!(admitted(&network(2), 1, 125), Err(wait(125)));
        assert_eq!(admitted(&network(0), 2, 250), Err(wait(750)));
        assert_eq!(admitted(&network(0), 2, 1000), Ok(()));
        // Other sites, IPv4 and known callers have nothing to do with it.
        assert_eq!(admitted("2001:db8:2:1::1", 5, 0), Ok(()));
        for last in 1..100 {
            assert_eq!(admitted(&format!("192.0.2.{last}"), 5, 0), Ok(()));
            let subject = RateKey::Subject(format!("2001:db8:1:{last}::1").into());
            assert_eq!(limiter.admit(&subject, 5, now), Ok(()));
        }
    }
}
