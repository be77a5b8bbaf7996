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
use std::sync::{Mutex, PoisonError};

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
        // The lowest and the highest bits choose the place in the map.
        let at = usize::try_from(hash >> 32).unwrap_or_default() % SHARDS;
        let Some(shard) = self.shards.get(at) else {
            return Ok(());
        };
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.admit(hash, limit, now, cost)
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

impl Shard {
    fn admit(&mut self, hash: u64, limit: Gcra, now: u64, cost: u32) -> Result<(), u64> {
        if let Some(paid) = self.young.get_mut(&hash) {
            return limit.admit(paid, now, cost);
        }
        let mut paid = self.old.remove(&hash).unwrap_or_default();
        let outcome = limit.admit(&mut paid, now, cost);
        if self.young.len() >= GENERATION {
            self.next_generation(now);
        }
        self.young.insert(hash, paid);
        outcome
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
