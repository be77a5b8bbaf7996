//! Shared state of a topic: numbering, delivery, and the lock around both.
//!
//! Publishing has two steps. An item gets its number, which says where it belongs in the order of its
//! key; then it is delivered to the queues of all who want it. Both are done under one lock, so that
//! everybody sees the same order. Who takes items out of a queue needs the lock of that queue alone.

use std::any::Any;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::counts::Counts;
use super::cursor::Place;
use super::filter::Filter;
use super::hooks::{Change, Hooks};
use super::item::{Item, Text};
use super::keys::{HistoryLimits, Keys, Numbered};
use super::members::Members;
use super::memory::{HeldQueue, Memory};
use super::overflow::Overflow;
use super::queue::{ENTRY, Missed, Over, Subscriber};
use crate::memory_budget::FREE;

/// Bits of an epoch: enough to tell starts apart, and few digits in each cursor.
const EPOCH: u64 = (1 << 48) - 1;

/// Less of the budget for responses than this is as good as nothing.
const LITTLE: usize = 64 * 1024;

/// The bounds of a topic.
#[derive(Clone, Copy, Debug)]
pub(super) struct TopicLimits {
    pub(super) history: HistoryLimits,
    /// Bytes of items that wait for subscribers.
    pub(super) waiting: usize,
    pub(super) keys: usize,
}

/// What all handles and subscribers of a topic share.
pub(super) struct Core {
    epoch: u64,
    limits: TopicLimits,
    pub(super) overflow: Overflow,
    hooks: Hooks,
    pub(super) memory: Arc<Memory>,
    pub(super) counts: Arc<Counts>,
    keys: Mutex<Keys>,
}

/// The keys under their lock. When it is released, what filters have left for later is done.
struct Locked<'a> {
    // It is dropped first.
    keys: MutexGuard<'a, Keys>,
    _settles: Settles,
}

struct Settles;

/// A subscriber that has just begun.
pub(super) struct Joined {
    pub(super) subscriber: Arc<Subscriber>,
    /// `None` for all keys.
    pub(super) key: Option<Arc<str>>,
    /// The number of the last item before its first one.
    pub(super) from: u64,
}

impl Core {
    pub(super) fn new(name: &str, limits: TopicLimits, overflow: Overflow, hooks: Hooks) -> Self {
        let memory = Arc::default();
        Self {
            epoch: RandomState::new().hash_one(name) & EPOCH,
            limits,
            overflow,
            hooks,
            keys: Mutex::new(Keys::new(limits.keys, limits.history, &memory)),
            memory,
            counts: Counts::new(name),
        }
    }

    /// # Panics
    ///
    /// In a filter, which runs under such a lock.
    fn lock(&self) -> Locked<'_> {
        Filter::forbid("use a topic");
        Locked {
            keys: self.keys.lock().unwrap_or_else(PoisonError::into_inner),
            _settles: Settles,
        }
    }

    /// The most bytes of one item.
    pub(super) fn max_item(&self) -> usize {
        self.limits.waiting
    }

    /// Whether anybody has use of an item of this key. If nobody has, it is counted all the same.
    pub(super) fn wants(&self, key: &str) -> bool {
        self.lock().wants(key)
    }

    /// Numbers an item and delivers it; returns its number.
    pub(super) fn publish(&self, key: &str, text: Text, value: &dyn Any) -> u64 {
        let mut keys = self.lock();
        let numbered = keys.number(key);
        let number = numbered.number;
        self.deliver(&mut keys, numbered, text, Some(value));
        number
    }

    /// Delivers an item that has its numbers. Its value is known where it was published.
    fn deliver(&self, keys: &mut Keys, numbered: Numbered, text: Text, value: Option<&dyn Any>) {
        keys.stamp += Item::bytes_of(&numbered.key, &text) as u64;
        let place = Place {
            epoch: self.epoch,
            channel: numbered.channel,
            number: numbered.number,
        };
        let (key, serial) = (numbered.key, numbered.serial);
        let item = Item::new(
            Arc::clone(&key),
            place,
            serial,
            keys.stamp,
            text,
            &self.memory,
        );
        let item = Arc::new(item);
        let key = &*key;
        let own = keys.get(key).map(|channel| &channel.members);
        let (mut queued, mut dropped) = (0, 0);
        for subscriber in own.into_iter().chain([&keys.all]).flat_map(Members::iter) {
            let passes = |filter: &Filter| match value {
                Some(value) => filter.passes(value),
                None => filter.passes_text(item.json()),
            };
            if subscriber
                .filter
                .get()
                .is_some_and(|filter| !passes(filter))
            {
                continue;
            }
            let (is_queued, left_out) = subscriber.push(&item);
            queued += usize::from(is_queued);
            dropped += left_out;
        }
        keys.remember(key, &item);
        drop(item);
        dropped += self.relieve(keys, key);
        Counts::add(&self.counts.published, 1);
        Counts::add(&self.counts.delivered, queued);
        Counts::add(&self.counts.dropped, dropped);
    }

    /// Drops what has waited longest, if more waits than may. Returns how many items of subscribers were
    /// dropped.
    fn relieve(&self, keys: &Keys, key: &str) -> usize {
        let allowed = match self.memory.waiting() > self.limits.waiting {
            true => self.limits.waiting,
            false => match self.memory.reserve() {
                Ok(()) => return 0,
                Err(reserved) => reserved,
            },
        };
        // A quarter becomes free, so that this is not done for each item.
        let stamp = keys.stamp.saturating_sub((allowed - allowed / 4) as u64);
        let shed = |members: &Members| {
            let shed = members.iter().map(|subscriber| subscriber.shed(stamp));
            shed.sum::<usize>()
        };
        if allowed < LITTLE {
            // What waited before was little, too; so it is this item.
            let own = keys.get(key).map(|channel| shed(&channel.members));
            return own.unwrap_or_default() + shed(&keys.all);
        }
        keys.members().map(shed).sum()
    }

    /// Adds a subscriber of a key, or of all; `None` if there are too many keys.
    pub(super) fn join(&self, key: Option<&str>) -> Option<Joined> {
        let mut keys = self.lock();
        let subscriber = Subscriber::new(self.overflow);
        if keys.closed {
            subscriber.end(Over::Closed);
        }
        let joined = match key {
            None => {
                keys.all.add(Arc::clone(&subscriber));
                Joined {
                    subscriber,
                    key: None,
                    from: keys.serial,
                }
            }
            Some(key) => {
                let (key, channel) = keys.open(key)?;
                channel.members.add(Arc::clone(&subscriber));
                if channel.members.len() == 1 {
                    self.hooks.note(Change::First, &key);
                }
                Joined {
                    subscriber,
                    from: channel.number,
                    key: Some(key),
                }
            }
        };
        drop(keys);
        self.counts.subscribers.fetch_add(1, Ordering::Relaxed);
        self.hooks.tell();
        Some(joined)
    }

    /// Removes a subscriber.
    pub(super) fn leave(self: &Arc<Self>, subscriber: &Arc<Subscriber>, key: Option<&Arc<str>>) {
        if Filter::is_running() {
            let (core, subscriber) = (Arc::clone(self), Arc::clone(subscriber));
            let key = key.cloned();
            return Filter::later(move || core.leave(&subscriber, key.as_ref()));
        }
        let mut keys = self.lock();
        let was_there = match key {
            None => keys.all.remove(subscriber),
            Some(key) => {
                let left = keys.get_mut(key).map(|channel| {
                    let was_there = channel.members.remove(subscriber);
                    (was_there, channel.members.is_empty())
                });
                if let Some((true, true)) = left {
                    self.hooks.note(Change::Last, key);
                    keys.vanish(key);
                }
                left.is_some_and(|(was_there, _)| was_there)
            }
        };
        drop(keys);
        if was_there {
            self.counts.subscribers.fetch_sub(1, Ordering::Relaxed);
        }
        self.hooks.tell();
    }

    /// The place where a subscriber has begun.
    pub(super) fn start(&self, joined: &Joined) -> Option<Place> {
        let keys = self.lock();
        let channel = match &joined.key {
            None => 0,
            Some(key) => keys.get(key)?.id,
        };
        Some(Place {
            epoch: self.epoch,
            channel,
            number: joined.from,
        })
    }

    /// Adds a filter to those of a subscriber. What is published from now on has to pass it.
    pub(super) fn add_filter(&self, subscriber: &Subscriber, filter: Filter) {
        // Under the lock, so that an item is either in the queue already or meets the filter.
        let keys = self.lock();
        if let Err(another) = subscriber.filter.set(Box::new(filter))
            && let Some(first) = subscriber.filter.get()
        {
            first.append(another);
        }
        drop(keys);
        subscriber.apply_filter();
        Filter::settle();
    }

    /// Puts what has come behind a cursor before all that waits for a subscriber. Returns `false` if
    /// there is no memory for so long a queue.
    #[must_use]
    pub(super) fn resume(&self, joined: &Joined, cursor: &str) -> bool {
        let place = Place::parse(cursor).filter(|place| place.epoch == self.epoch);
        let keys = self.lock();
        let (items, missed) = keys.after(place, joined.key.as_deref(), joined.from);
        // What comes from now on is queued behind these. Filters may take their time.
        drop(keys);
        let bytes = items.len() * ENTRY;
        let held = match bytes <= FREE {
            true => None,
            false => match HeldQueue::new(&self.memory, bytes, self.limits.waiting) {
                None => return false,
                held => held,
            },
        };
        // Whoever has seen what came since it has begun does not get it again.
        let seen = match missed {
            Some(Missed::Unknown) => 0,
            _ => place.map_or(0, |place| place.number),
        };
        let number = |item: &Item| match joined.key {
            Some(_) => item.place.number,
            None => item.serial,
        };
        // Nor comes twice what an earlier call of this has put there.
        let first = seen.max(joined.from);
        let keeps = |item: &Item| number(item) > first;
        joined.subscriber.replay(items, missed, held, keeps);
        Filter::settle();
        true
    }

    /// The number of subscribers of a key, without those of all keys.
    pub(super) fn subscribers(&self, key: &str) -> usize {
        self.lock()
            .get(key)
            .map_or(0, |channel| channel.members.len())
    }

    /// The number of keys that have subscribers or a history.
    pub(super) fn keys(&self) -> usize {
        self.lock().len()
    }

    /// Ends all subscriptions: the topic is gone.
    pub(super) fn close(self: &Arc<Self>) {
        if Filter::is_running() {
            let core = Arc::clone(self);
            return Filter::later(move || core.close());
        }
        let mut keys = self.lock();
        keys.closed = true;
        for subscriber in keys.members().flat_map(Members::iter) {
            subscriber.end(Over::Closed);
        }
    }
}

impl Deref for Locked<'_> {
    type Target = Keys;

    fn deref(&self) -> &Keys {
        &self.keys
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Keys {
        &mut self.keys
    }
}

impl Drop for Settles {
    fn drop(&mut self) {
        Filter::settle();
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}
