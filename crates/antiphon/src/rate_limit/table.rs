//! Table of the callers that have a debt, in bounded memory.
//!
//! A caller whose debt is paid needs no entry. So the table has two generations: entries are written
//! into the young one, and when it is full, the old one is dropped and the young one becomes old.
//! Of the dropped entries those with the largest debts move on, into half of the new generation: who
//! wants to have a debt forgotten has to run up larger ones under as many other keys.
//!
//! Keys are kept as 64-bit hashes with random keys: subjects are of any length, and peers choose
//! their addresses. Two callers with the same hash would share a debt; with a full table the chance
//! of one such pair is below one in a billion.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::gcra::Gcra;

/// Parts with a lock each. So a generation is changed in a few dozen microseconds.
const SHARDS: usize = 16;

/// The most entries of a generation of a part: 100,000 in the whole table.
const GENERATION: usize = 100_000 / SHARDS / 2;

/// When the debts of callers are paid.
#[derive(Debug)]
pub(super) struct Table {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

/// When debts are paid, by the hash of the caller's key.
type Debts = HashMap<u64, u64, BuildHasherDefault<Hashed>>;

#[derive(Debug, Default)]
struct Shard {
    young: Debts,
    old: Debts,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl Table {
    /// Decides on a call of the caller with this key, and remembers its debt.
    ///
    /// # Errors
    ///
    /// The nanoseconds after which this call would run.
    pub(super) fn admit<K>(&self, key: &K, limit: Gcra, now: u64, cost: u32) -> Result<(), u64>
    where
        K: Hash,
    {
        let hash = self.hasher.hash_one(key);
        let Some(mut shard) = self.lock(place(hash)) else {
            return Ok(());
        };
        shard.admit(hash, limit, now, cost)
    }

    /// Changes the debts of one caller, or of two that count together, in one step. `change` gets when
    /// they are paid, 0 for a caller without a debt; the second one is 0 if there is no second key.
    pub(super) fn update<K, T>(
        &self,
        key: &K,
        second: Option<&K>,
        now: u64,
        change: impl FnOnce(&mut [u64; 2]) -> T,
    ) -> T
    where
        K: Hash,
    {
        let hash = |key| self.hasher.hash_one(key);
        let hashes = [Some(hash(key)), second.map(hash)];
        let mut shards = self.lock_both(hashes);
        let before = hashes.map(|hash| hash.map_or(0, |hash| shards.paid(hash)));
        let mut after = before;
        let outcome = change(&mut after);
        for (hash, (before, after)) in hashes.into_iter().zip(before.into_iter().zip(after)) {
            // A caller without a debt gets no entry.
            if let Some(hash) = hash.filter(|_| before > 0 || after > now)
                && let Some(shard) = shards.of(hash)
            {
                shard.set(hash, after, now);
            }
        }
        outcome
    }

    /// Locks the shards of these keys, always in the same order, so that no two threads wait for each
    /// other.
    fn lock_both(&self, hashes: [Option<u64>; 2]) -> Both<'_> {
        let places = || hashes.into_iter().flatten().map(place);
        let low = places().min().unwrap_or_default();
        let high = places().max().filter(|&high| high != low);
        Both {
            low,
            low_shard: self.lock(low),
            high_shard: high.and_then(|high| self.lock(high)),
        }
    }

    fn lock(&self, at: usize) -> Option<MutexGuard<'_, Shard>> {
        let shard = self.shards.get(at)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of entries, and for how many there is room without further memory.
    #[cfg(test)]
    fn size(&self) -> (usize, usize) {
        let shards = self.shards.iter().map(|shard| shard.lock().unwrap());
        shards.fold((0, 0), |(length, room), shard| {
            let Shard { young, old } = &*shard;
            (
                length + young.len() + old.len(),
                room + young.capacity() + old.capacity(),
            )
        })
    }
}

/// The shard of a key. The lowest and the highest bits of its hash choose the place in the map.
fn place(hash: u64) -> usize {
    usize::try_from(hash >> 32).unwrap_or_default() % SHARDS
}

/// One or two shards, locked.
struct Both<'a> {
    low: usize,
    low_shard: Option<MutexGuard<'a, Shard>>,
    high_shard: Option<MutexGuard<'a, Shard>>,
}

impl Both<'_> {
    fn of(&mut self, hash: u64) -> Option<&mut Shard> {
        let shard = match place(hash) == self.low {
            true => &mut self.low_shard,
            false => &mut self.high_shard,
        };
        shard.as_deref_mut()
    }

    fn paid(&mut self, hash: u64) -> u64 {
        self.of(hash).map_or(0, |shard| shard.paid(hash))
    }
}

impl Shard {
    /// When a debt is paid; 0 if there is none.
    fn paid(&self, hash: u64) -> u64 {
        let paid = self.young.get(&hash).or_else(|| self.old.get(&hash));
        paid.copied().unwrap_or_default()
    }

    fn set(&mut self, hash: u64, paid: u64, now: u64) {
        if let Some(entry) = self.young.get_mut(&hash) {
            *entry = paid;
            return;
        }
        self.old.remove(&hash);
        self.insert(hash, paid, now);
    }

    fn admit(&mut self, hash: u64, limit: Gcra, now: u64, cost: u32) -> Result<(), u64> {
        if let Some(paid) = self.young.get_mut(&hash) {
            return limit.admit(paid, now, cost);
        }
        let mut paid = self.old.remove(&hash).unwrap_or_default();
        let outcome = limit.admit(&mut paid, now, cost);
        self.insert(hash, paid, now);
        outcome
    }

    /// Adds an entry to the young generation.
    fn insert(&mut self, hash: u64, paid: u64, now: u64) {
        if self.young.len() >= GENERATION {
            self.next_generation(now);
        }
        self.young.insert(hash, paid);
    }

    /// Makes room in the young generation.
    #[cold]
    fn next_generation(&mut self, now: u64) {
        let open = |(_, paid): &(u64, u64)| *paid > now;
        let mut debts: Vec<_> = self.old.drain().filter(open).collect();
        if debts.len() > GENERATION / 2 {
            debts.select_nth_unstable_by_key(GENERATION / 2, |(_, paid)| u64::MAX - paid);
            debts.truncate(GENERATION / 2);
        }
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.extend(debts);
    }
}

/// The hash of a number that is a hash already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        // Not used for a `u64`.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn one_an_hour(burst: u32) -> Gcra {
        Gcra::new(1, Duration::from_secs(3600), burst)
    }

    #[test]
    fn every_key_has_its_own_debt() {
        let (table, limit) = (Table::default(), Gcra::new(1, Duration::from_secs(1), 2));
        for key in ["a", "b"] {
            assert_eq!(table.admit(&key, limit, 0, 1), Ok(()));
            assert_eq!(table.admit(&key, limit, 0, 1), Ok(()));
            assert_eq!(table.admit(&key, limit, 0, 1), Err(SECOND));
        }
        assert_eq!(table.admit(&"a", limit, SECOND, 1), Ok(()));
        assert_eq!(table.admit(&"a", limit, SECOND, 1), Err(SECOND));
    }

    #[test]
    fn its_memory_is_bounded_however_many_keys_there_are() {
        let (table, limit) = (Table::default(), one_an_hour(5));
        let mut rooms = Vec::new();
        for flood in 0..10 {
            for key in 0..100_000_u64 {
                let key = flood * 100_000 + key;
                assert_eq!(table.admit(&key, limit, key, 1), Ok(()));
            }
            let (length, room) = table.size();
            assert!(length <= 100_000, "{length}");
            rooms.push(room);
        }
        // 17 bytes each.
        assert!(rooms.iter().all(|room| *room <= 120_000), "{rooms:?}");
        assert_eq!(rooms.get(3), rooms.last(), "{rooms:?}");
    }

    /// A call of a caller that counts to a site, too.
    fn within(table: &Table, key: &str, site: &str, limit: Gcra, now: u64) -> Result<(), u64> {
        let change = |debts: &mut _| limit.admit_within(debts, now, 1);
        table.update(&key.to_owned(), Some(&site.to_owned()), now, change)
    }

    #[test]
    fn two_keys_that_count_together_have_an_entry_each_or_none() {
        // The site has 8 at once. Keys are spread over the shards, so pairs are in one or in two.
        let (table, limit) = (Table::default(), one_an_hour(2));
        for site in 0..100 {
            let site = format!("site {site}");
            let (before, _) = table.size();
            for key in 0..50 {
                let outcome = within(&table, &format!("{site} {key}"), &site, limit, 1);
                assert_eq!(outcome.is_ok(), key < 8, "{site} {key}");
            }
            // Those that were refused have left nothing behind.
            assert_eq!(table.size().0, before + 8 + 1);
        }
        // A refused call counts to neither: the caller has one left, when its site has.
        assert!(within(&table, "site 1 0", "site 1", limit, 1).is_err());
        assert_eq!(within(&table, "site 1 0", "new site", limit, 1), Ok(()));
        assert!(within(&table, "site 1 0", "new site", limit, 1).is_err());
    }

    #[test]
    fn two_threads_with_the_same_pairs_in_other_orders_do_not_wait_for_each_other() {
        let (table, limit) = (Table::default(), Gcra::new(1, Duration::from_secs(1), 5));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let table = &table;
                scope.spawn(move || {
                    for number in 0..10_000_u32 {
                        let (one, other) = (format!("{}", number % 64), format!("{}", number % 61));
                        let (one, other) = match thread % 2 {
                            0 => (&one, &other),
                            _ => (&other, &one),
                        };
                        let _ = within(table, one, other, limit, number.into());
                    }
                });
            }
        });
    }

    #[test]
    fn memory_is_bounded_with_pairs_too() {
        let (table, limit) = (Table::default(), one_an_hour(5));
        for key in 0..300_000_u64 {
            let (key, site) = (format!("{key}"), format!("site {}", key / 2));
            assert_eq!(within(&table, &key, &site, limit, 1), Ok(()));
        }
        let (length, room) = table.size();
        assert!(length <= 100_000 && room <= 120_000, "{length} {room}");
    }

    #[test]
    fn a_flood_of_new_keys_frees_no_blocked_one() {
        let (table, limit) = (Table::default(), one_an_hour(5));
        let blocked: Vec<_> = (0..1000).map(|key| format!("blocked {key}")).collect();
        for key in &blocked {
            assert_eq!(table.admit(key, limit, 0, 5), Ok(()));
        }
        for key in 0..300_000_u64 {
            assert_eq!(table.admit(&key, limit, 1, 1), Ok(()));
        }
        for key in &blocked {
            assert!(table.admit(key, limit, 2, 1).is_err(), "{key}");
        }
        // Debts that are paid make room for others.
        let later = 10 * 3600 * SECOND;
        for key in 0..300_000_u64 {
            assert_eq!(table.admit(&(key, key), limit, later, 5), Ok(()));
        }
        assert_eq!(table.admit(&"new", limit, later, 5), Ok(()));
    }

    #[test]
    fn a_flood_of_new_networks_frees_no_blocked_site() {
        let (table, limit) = (Table::default(), one_an_hour(2));
        let sites: Vec<_> = (0..100).map(|site| format!("blocked {site}")).collect();
        for site in &sites {
            for key in 0..8 {
                let outcome = within(&table, &format!("{site} {key}"), site, limit, 0);
                assert_eq!(outcome, Ok(()));
            }
        }
        for key in 0..300_000 {
            let site = format!("site {}", key / 3);
            assert_eq!(within(&table, &format!("{key}"), &site, limit, 1), Ok(()));
        }
        for site in &sites {
            let outcome = within(&table, &format!("new in {site}"), site, limit, 2);
            assert!(outcome.is_err(), "{site}");
        }
    }

    #[test]
    fn a_caller_that_goes_on_keeps_its_entry() {
        let (table, limit) = (Table::default(), one_an_hour(2));
        assert_eq!(table.admit(&"a", limit, 0, 1), Ok(()));
        assert_eq!(table.admit(&"a", limit, 0, 1), Ok(()));
        // All others have the same debt.
        for key in 0..300_000_u64 {
            assert_eq!(table.admit(&key, limit, 1, 2), Ok(()));
            if key % 1000 == 0 {
                assert!(table.admit(&"a", limit, 1, 1).is_err(), "{key}");
            }
        }
    }
}
