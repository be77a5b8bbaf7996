//! Limit of refused credentials by address: the bound of whoever guesses them.
//!
//! It costs those nothing who do not guess. As long as no refused credentials count any more, an attempt
//! reads one number. Otherwise the debt of its address is looked up, and only an address with a debt
//! pays in advance: what turns out to be good is paid back.
//!
//! Many callers may have one address. So good credentials are remembered while their address has a debt,
//! and pass when its limit is used up; all others of the address wait.

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::gcra::{Gcra, nanoseconds};
use super::passes::Passes;
use super::table::Table;
use crate::address::client_address::ClientAddress;
use crate::address::group::AddressGroup;

/// How many refused credentials an address has in a second.
const RATE: u32 = 10;

/// How many it has at once.
const BURST: u32 = 100;

/// Refused credentials by address.
#[derive(Debug)]
pub(crate) struct Guesses {
    limit: Gcra,
    debts: Table,
    /// When the last debt of each [`Kind`] is paid; 0 if there is none.
    paid: [AtomicU64; 2],
    passes: Mutex<Passes>,
    hasher: RandomState,
    /// The beginning of its time.
    began: Instant,
}

/// Whether credentials were in the field that is for them. Each kind has its own limit: those who present
/// nothing are not refused because somebody at their address guesses tokens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    /// In `Authorization`, or by `rpc.authenticate`.
    Presented,
    /// Whatever else an authenticator reads, or nothing at all.
    Other,
}

/// Credentials that somebody tries.
#[derive(Clone, Copy)]
pub(crate) struct Tried<'a> {
    /// Whether they were presented in the field that is for them.
    pub(crate) presented: bool,
    /// What cannot be guessed of them; `None` if that is not certain.
    pub(crate) secret: Option<&'a [u8]>,
}

/// One attempt, until its outcome is known.
#[must_use]
pub(crate) struct Attempt<'a, F> {
    guesses: &'a Guesses,
    tried: Tried<'a>,
    /// Finds the address.
    client: F,
    standing: Standing,
}

/// How an attempt was let through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Its address has no debt.
    Free,
    /// Its address has a debt, to which the attempt was added.
    Charged,
    /// The same credentials were good before.
    Remembered,
}

/// How an attempt has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The credentials are good.
    Known,
    /// There are none, or it is not known whether they are good.
    Open,
    Refused,
}

/// What counts together.
type Key = (Kind, AddressGroup);

impl Default for Guesses {
    fn default() -> Self {
        Self {
            limit: Gcra::new(RATE, Duration::from_secs(1), BURST),
            debts: Table::default(),
            paid: Default::default(),
            passes: Mutex::default(),
            hasher: RandomState::new(),
            began: Instant::now(),
        }
    }
}

impl Guesses {
    /// Begins an attempt from the address that `client` finds, which is asked only if it matters. One
    /// without an address has no limit.
    ///
    /// # Errors
    ///
    /// The time after which the attempt would be let through, if its address has used up its limit.
    pub(crate) fn attempt<'a, F>(
        &'a self,
        tried: Tried<'a>,
        client: F,
    ) -> Result<Attempt<'a, F>, Duration>
    where
        F: Fn() -> ClientAddress,
    {
        let standing = self.standing(&tried, &client)?;
        Ok(Attempt {
            guesses: self,
            tried,
            client,
            standing,
        })
    }

    fn standing(
        &self,
        tried: &Tried<'_>,
        client: &impl Fn() -> ClientAddress,
    ) -> Result<Standing, Duration> {
        let kind = tried.kind();
        let paid = self.paid(kind);
        let last = paid.load(Ordering::Relaxed);
        if last == 0 {
            return Ok(Standing::Free);
        }
        let now = self.now();
        if last <= now {
            // From here on nobody has to look at the clock. If a debt comes up meanwhile, it stays.
            let _ = paid.compare_exchange(last, 0, Ordering::Relaxed, Ordering::Relaxed);
            return Ok(Standing::Free);
        }
        let Some(group) = client().group() else {
            return Ok(Standing::Free);
        };
        let has_debt = |debts: &mut [u64; 2]| debts.iter().any(|paid| *paid > now);
        if !self.update(kind, group, now, has_debt) {
            return Ok(Standing::Free);
        }
        if let Some(pass) = self.pass(tried, group)
            && self.passes().renew(pass)
        {
            return Ok(Standing::Remembered);
        }
        let charged = self.update(kind, group, now, |debts| {
            let mut after = *debts;
            let last = self.charge(&mut after, now);
            let [paid, of_site] = after;
            let wait = self.limit.fits(paid, now).err();
            let wait = wait.max(self.limit.of_site().fits(of_site, now).err());
            if let Some(wait) = wait {
                return Err(wait);
            }
            *debts = after;
            Ok(last)
        });
        let last = charged.map_err(Duration::from_nanos)?;
        paid.fetch_max(last, Ordering::Relaxed);
        Ok(Standing::Charged)
    }

    /// Adds one to the debts, and says when both are paid.
    fn charge(&self, debts: &mut [u64; 2], now: u64) -> u64 {
        let [paid, of_site] = debts;
        *paid = self.limit.after(*paid, now, 1);
        *of_site = self.limit.of_site().after(*of_site, now, 1);
        (*paid).max(*of_site)
    }

    /// Changes the debts of a group and of the site around it.
    fn update<T>(
        &self,
        kind: Kind,
        group: AddressGroup,
        now: u64,
        change: impl FnOnce(&mut [u64; 2]) -> T,
    ) -> T {
        let site: Option<Key> = group.site().map(|site| (kind, site));
        self.debts
            .update(&(kind, group), site.as_ref(), now, change)
    }

    fn paid(&self, kind: Kind) -> &AtomicU64 {
        let [presented, other] = &self.paid;
        match kind {
            Kind::Presented => presented,
            Kind::Other => other,
        }
    }

    /// Under what credentials from an address are remembered.
    fn pass(&self, tried: &Tried<'_>, group: AddressGroup) -> Option<u64> {
        let secret = tried.secret?;
        Some(self.hasher.hash_one((tried.kind(), group, secret)))
    }

    fn passes(&self) -> std::sync::MutexGuard<'_, Passes> {
        self.passes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        nanoseconds(Instant::now().saturating_duration_since(self.began))
    }
}

impl Tried<'_> {
    fn kind(&self) -> Kind {
        match self.presented {
            true => Kind::Presented,
            false => Kind::Other,
        }
    }
}

impl<F> Attempt<'_, F>
where
    F: Fn() -> ClientAddress,
{
    /// Counts the attempt, or not. One that is dropped without an outcome stays as it was counted.
    pub(crate) fn end(self, outcome: Outcome) {
        match (self.standing, outcome) {
            (Standing::Free | Standing::Remembered, Outcome::Known | Outcome::Open)
            | (Standing::Charged, Outcome::Refused) => {}
            (Standing::Charged, Outcome::Known | Outcome::Open) => self.pay_back(outcome),
            (Standing::Free | Standing::Remembered, Outcome::Refused) => self.refuse(),
        }
    }

    /// What was charged in advance is given back, and good credentials are remembered.
    #[cold]
    fn pay_back(self, outcome: Outcome) {
        let guesses = self.guesses;
        let Some(group) = (self.client)().group() else {
            return;
        };
        let limit = guesses.limit;
        let worth = [limit.worth(1), limit.of_site().worth(1)];
        let kind = self.tried.kind();
        guesses.update(kind, group, guesses.now(), |debts| {
            for (paid, worth) in debts.iter_mut().zip(worth) {
                *paid = paid.saturating_sub(worth);
            }
        });
        if let (Outcome::Known, Some(pass)) = (outcome, guesses.pass(&self.tried, group)) {
            guesses.passes().add(pass);
        }
    }

    /// Charges what was let through without. The debt may grow beyond the limit: however many attempts
    /// have begun before the first one was refused, all of them count.
    #[cold]
    fn refuse(self) {
        let guesses = self.guesses;
        let Some(group) = (self.client)().group() else {
            return;
        };
        if self.standing == Standing::Remembered
            && let Some(pass) = guesses.pass(&self.tried, group)
        {
            guesses.passes().remove(pass);
        }
        let (kind, now) = (self.tried.kind(), guesses.now());
        let last = guesses.update(kind, group, now, |debts| guesses.charge(debts, now));
        guesses.paid(kind).fetch_max(last, Ordering::Relaxed);
    }
}
