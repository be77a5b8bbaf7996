//! Results that are kept for a while, within a bound in bytes.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use antiphon_proto::RawJson;
use tokio::time::Instant;

use super::pattern::Pattern;

/// What an entry takes beside its key and its result, in bytes.
const OVERHEAD: usize = 200;

/// A result may take this part of the cache.
const PART: usize = 8;

/// Results of calls, by their names and parameters.
pub(super) struct Cache {
    /// How long the results of methods are kept; the first pattern counts.
    rules: Vec<(Pattern, Duration)>,
    max_bytes: usize,
    kept: Mutex<Kept>,
    hits: AtomicU64,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<Arc<[u8]>, Entry>,
    /// The order in which they came, with the numbers of entries that may be gone by now.
    order: VecDeque<(u64, Arc<[u8]>)>,
    bytes: usize,
    next: u64,
}

struct Entry {
    result: RawJson,
    until: Instant,
    number: u64,
    bytes: usize,
}

impl Kept {
    fn remove(&mut self, key: &[u8]) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    /// Removes the oldest entries until the others have at most so many bytes.
    fn shrink(&mut self, bytes: usize) {
        while self.bytes > bytes {
            let Some((number, key)) = self.order.pop_front() else {
                return;
            };
            if self
                .entries
                .get(&key)
                .is_some_and(|entry| entry.number == number)
            {
                self.remove(&key);
            }
        }
        // Entries that were replaced have left their places in the order.
        if self.order.len() > 2 * self.entries.len() + 16 {
            let entries = &self.entries;
            self.order.retain(|(number, key)| {
                entries
                    .get(key)
                    .is_some_and(|entry| entry.number == *number)
            });
        }
    }
}

impl Cache {
    pub(super) fn new(rules: Vec<(Pattern, Duration)>, max_bytes: usize) -> Self {
        Self {
            rules,
            max_bytes,
            kept: Mutex::default(),
            hits: AtomicU64::new(0),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long results of this method are kept; `None` if they are not.
    pub(super) fn time_of(&self, name: &str) -> Option<Duration> {
        let rule = self.rules.iter().find(|(pattern, _)| pattern.matches(name));
        rule.map(|(_, time)| *time).filter(|time| !time.is_zero())
    }

    /// How many calls were answered from here.
    pub(super) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// The bytes that the entries take.
    pub(super) fn bytes(&self) -> usize {
        self.kept().bytes
    }

    /// The result of this call, if it is there and not too old.
    pub(super) fn get(&self, key: &[u8]) -> Option<RawJson> {
        let mut kept = self.kept();
        let entry = kept.entries.get(key)?;
        if entry.until <= Instant::now() {
            kept.remove(key);
            return None;
        }
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(entry.result.clone())
    }

    /// Keeps a result for so long, in the place of the oldest ones if there is no room.
    pub(super) fn keep(&self, key: Arc<[u8]>, result: &RawJson, time: Duration) {
        let length = result.as_str().len();
        let bytes = key.len() + length + OVERHEAD;
        let Some(until) = Instant::now().checked_add(time) else {
            return;
        };
        if bytes > self.max_bytes / PART {
            return;
        }
        // A slice would keep its whole message.
        let result = result.detached();
        let mut kept = self.kept();
        kept.remove(&key);
        kept.shrink(self.max_bytes - bytes);
        let number = kept.next;
        kept.next += 1;
        kept.bytes += bytes;
        kept.order.push_back((number, Arc::clone(&key)));
        let entry = Entry {
            result,
            until,
            number,
            bytes,
        };
        kept.entries.insert(key, entry);
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(max_bytes: usize) -> Cache {
        let seconds = Duration::from_secs;
        let rules = [("a", 1), ("long*", 60), ("never", 0), ("*", 2)];
        let rules = rules.map(|(pattern, time)| (Pattern::new(pattern), seconds(time)));
        Cache::new(rules.to_vec(), max_bytes)
    }

    fn keep(cache: &Cache, key: &str, length: usize, seconds: u64) {
        let text = "x".repeat(length.saturating_sub(2));
        let result = RawJson::from_value(&text).unwrap();
        cache.keep(key.as_bytes().into(), &result, Duration::from_secs(seconds));
    }

    #[test]
    fn the_first_pattern_says_how_long_a_result_is_kept() {
        let cache = cache(1000);
        for (name, expected) in [
            ("a", Some(1)),
            ("longer", Some(60)),
            ("never", None),
            ("b", Some(2)),
        ] {
            assert_eq!(
                cache.time_of(name),
                expected.map(Duration::from_secs),
                "{name}"
            );
        }
        let none = Cache::new(Vec::new(), 1000);
        assert_eq!(none.time_of("a"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_is_there_until_its_time_is_over() {
        let cache = cache(100_000);
        keep(&cache, "k", 10, 5);
        for (after, is_there) in [(0, true), (4, true), (1, false), (0, false)] {
            tokio::time::advance(Duration::from_secs(after)).await;
            assert_eq!(cache.get(b"k").is_some(), is_there, "{after}");
        }
        assert_eq!((cache.hits(), cache.bytes()), (2, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_results_go_when_there_is_no_room() {
        let cache = cache(10_000);
        for n in 0..50 {
            keep(&cache, &format!("{n:02}"), 798, 5);
            assert!(cache.bytes() <= 10_000);
        }
        let there: Vec<_> = (0..50)
            .filter(|n| cache.get(format!("{n:02}").as_bytes()).is_some())
            .collect();
        assert_eq!(there, (40..50).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_result_that_is_replaced_leaves_nothing_behind() {
        let cache = cache(10_000);
        for _ in 0..10_000 {
            keep(&cache, "k", 100, 5);
        }
        let kept = cache.kept();
        assert!(
            kept.order.len() < 20 && kept.entries.len() == 1,
            "{}",
            kept.order.len()
        );
        assert_eq!(kept.bytes, 100 + 1 + OVERHEAD);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_result_is_not_kept() {
        let cache = cache(8_000);
        for (length, is_there) in [(799, true), (800, false), (100_000, false)] {
            keep(&cache, "k", length, 5);
            assert_eq!(cache.get(b"k").is_some(), is_there, "{length}");
            cache.kept().remove(b"k");
        }
    }
}
