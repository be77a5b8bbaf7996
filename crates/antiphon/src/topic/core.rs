//! Shared state of a topic: numbering, delivery, and the lock around both.
//!
//! Publishing has two steps. An item gets its number, which says where it belongs in the order of its
//! key; then it is delivered to the queues of all who want it. Both are done under one lock, so that
//! everybody sees the same order. Who takes items out of a queue needs the lock of that queue alone.

use std::any::Any;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::time::Instant;

use super::counts::Counts;
use super::cursor::{Place, new_epoch};
use super::filter::Filter;
use super::hooks::{Change, Hooks};
use super::item::{Item, Text};
use super::keys::{HistoryLimits, Keys, Numbered, Upkeep};
use super::link::buffer::MAX_TEXT;
use super::link::worker_end::Link;
use super::lock::{Editing, Locked};
use super::members::{Audience as _, Members};
use super::memory::Memory;
use super::overflow::Overflow;
use super::paused::Paused;
use super::published::Published;
use super::queue::{Over, Subscriber};

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
    pub(super) limits: TopicLimits,
    pub(super) overflow: Overflow,
    pub(super) hooks: Hooks,
    pub(super) memory: Arc<Memory>,
    pub(super) counts: Arc<Counts>,
    /// When it was made, before its first subscriber.
    pub(super) made: Instant,
    keys: Mutex<Keys<Members>>,
    /// In a worker: the channel to its supervisor, and the number of the topic there. Set under the
    /// lock of the keys.
    pub(super) link: OnceLock<(Arc<Link>, u32)>,
    /// Subscribers that go on behind an item that this process has not got yet; under the lock of the
    /// keys.
    pub(super) paused: Mutex<Paused>,
}

/// A subscriber that has just begun.
pub(super) struct Joined {
    pub(super) subscriber: Arc<Subscriber>,
    /// `None` for all keys.
    pub(super) key: Option<Arc<str>>,
}

impl Core {
    pub(super) fn new(name: &str, limits: TopicLimits, overflow: Overflow, hooks: Hooks) -> Self {
        let memory = Arc::default();
        let (epoch, history) = (new_epoch(name), limits.history);
        let keys = Keys::new(epoch, limits.keys, history, &memory, Upkeep::Own);
        Self {
            limits,
            overflow,
            hooks,
            keys: Mutex::new(keys),
            memory,
            counts: Counts::new(name),
            made: Instant::now(),
            link: OnceLock::new(),
            paused: Mutex::default(),
        }
    }

    /// # Panics
    ///
    /// In a filter, which runs under such a lock.
    pub(super) fn lock(&self) -> Locked<'_> {
        Filter::forbid("use a topic");
        Locked::new(self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Locks the keys for a step of changing what waits for a subscriber. What filters leave for later
    /// is done when all steps are.
    pub(super) fn lock_for(&self, _: &Editing<'_>) -> MutexGuard<'_, Keys<Members>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most bytes of one item.
    pub(super) fn max_item(&self) -> usize {
        match self.link.get() {
            Some(_) => self.limits.waiting.min(MAX_TEXT),
            None => self.limits.waiting,
        }
    }

    /// Whether anybody has use of an item of this key. If nobody has, it is counted all the same. Of other
    /// workers nobody knows in time.
    pub(super) fn wants(&self, key: &str) -> bool {
        if self.link.get().is_some() {
            return true;
        }
        let mut keys = self.lock();
        // It may have become one of a worker meanwhile.
        self.link.get().is_some() || keys.wants(key)
    }

    /// Numbers an item and delivers it, or sends it to the supervisor, who numbers it.
    pub(super) fn publish(&self, key: &str, text: Text, value: &dyn Any) -> Published {
        let mut keys = self.lock();
        if let Some((link, topic)) = self.link.get() {
            drop(keys);
            return link.publish(*topic, key, text);
        }
        let numbered = keys.number(key);
        let number = numbered.number;
        self.deliver(&mut keys, numbered, text, Some(value));
        Counts::add(&self.counts.published, 1);
        Published::known(number)
    }

    /// The item with these numbers.
    fn item(&self, keys: &mut Keys<Members>, numbered: Numbered, text: Text) -> Arc<Item> {
        keys.stamp += Item::bytes_of(&numbered.key, &text) as u64;
        let place = Place {
            epoch: keys.epoch,
            channel: numbered.channel,
            number: numbered.number,
        };
        let (key, serial) = (numbered.key, numbered.serial);
        let by_serial = keys.by_broker.is_some();
        let item = Item::new(
            key,
            place,
            serial,
            keys.stamp,
            text,
            &self.memory,
            by_serial,
        );
        Arc::new(item)
    }

    /// Keeps an item that was published before this process has followed the topic.
    pub(super) fn keep(&self, keys: &mut Keys<Members>, numbered: Numbered, text: Text) {
        let key = Arc::clone(&numbered.key);
        let item = self.item(keys, numbered, text);
        keys.remember(&key, &item);
    }

    /// Delivers an item that has its numbers. Its value is known where it was published, and in one
    /// process.
    pub(super) fn deliver(
        &self,
        keys: &mut Keys<Members>,
        numbered: Numbered,
        text: Text,
        value: Option<&dyn Any>,
    ) {
        let key = Arc::clone(&numbered.key);
        let item = self.item(keys, numbered, text);
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
        Counts::add(&self.counts.delivered, queued);
        Counts::add(&self.counts.dropped, dropped);
    }

    /// Drops what has waited longest, if more waits than may. Returns how many items of subscribers were
    /// dropped.
    fn relieve(&self, keys: &Keys<Members>, key: &str) -> usize {
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
            let is_of_all = std::ptr::eq(members, &raw const keys.all);
            let shed = members
                .iter()
                .map(|subscriber| subscriber.shed(stamp, is_of_all));
            shed.sum::<usize>()
        };
        if allowed < LITTLE {
            // What waited before was little, too; so it is this item.
            let own = keys.get(key).map(|channel| shed(&channel.members));
            return own.unwrap_or_default() + shed(&keys.all);
        }
        keys.members().map(shed).sum()
    }

    /// Adds a subscriber of a key, or of all; `None` if there are too many keys, or this worker is cut off
    /// from its supervisor.
    pub(super) fn join(&self, key: Option<&str>) -> Option<Joined> {
        let mut keys = self.lock();
        if self.link.get().is_some_and(|(link, _)| link.is_gone()) {
            return None;
        }
        let subscriber = Subscriber::new(self.overflow);
        if keys.closed {
            subscriber.end(Over::Closed);
        }
        let link = self.link.get();
        let (key, from) = match key {
            None => {
                keys.all.add(Arc::clone(&subscriber));
                (None, keys.serial)
            }
            Some(key) => {
                let (key, channel) = keys.open(key)?;
                channel.members.add(Arc::clone(&subscriber));
                if channel.members.len() == 1 && link.is_none() {
                    self.hooks.note(Change::First, &key);
                }
                (Some(key), channel.number)
            }
        };
        subscriber.from.store(from, Ordering::Relaxed);
        drop(keys);
        self.counts.subscribers.fetch_add(1, Ordering::Relaxed);
        match link {
            Some((link, topic)) => link.count_changed(*topic, key.as_ref()),
            None => self.hooks.tell(),
        }
        Some(Joined { subscriber, key })
    }

    /// Removes a subscriber.
    pub(super) fn leave(self: &Arc<Self>, subscriber: &Arc<Subscriber>, key: Option<&Arc<str>>) {
        if Filter::is_running() {
            let (core, subscriber) = (Arc::clone(self), Arc::clone(subscriber));
            let key = key.cloned();
            return Filter::later(move || core.leave(&subscriber, key.as_ref()));
        }
        let mut keys = self.lock();
        let link = self.link.get();
        let was_there = match key {
            None => keys.all.remove(subscriber),
            Some(key) => {
                let left = keys.get_mut(key).map(|channel| {
                    let was_there = channel.members.remove(subscriber);
                    (was_there, channel.members.is_empty(), channel.id)
                });
                match (left, link) {
                    (Some((true, true, _)), None) => {
                        self.hooks.note(Change::Last, key);
                        keys.vanish(key);
                    }
                    // The supervisor has not heard of it, or will say so.
                    (Some((true, true, 0)), Some(_)) => keys.remove(key),
                    (Some((true, true, _)), Some(_)) => keys.vanish(key),
                    _ => {}
                }
                left.is_some_and(|(was_there, ..)| was_there)
            }
        };
        drop(keys);
        if was_there {
            self.counts.subscribers.fetch_sub(1, Ordering::Relaxed);
            if let Some((link, topic)) = link {
                return link.count_changed(*topic, key);
            }
        }
        self.hooks.tell();
    }

    /// The place where a subscriber has begun; `None` in a worker that has no history yet.
    pub(super) fn start(&self, joined: &Joined) -> Option<Place> {
        let keys = self.lock();
        let from = joined.subscriber.from.load(Ordering::Relaxed);
        if keys.by_broker.is_some()
            && let Some(key) = &joined.key
        {
            return keys.globalize(key, from).filter(|_| keys.live);
        }
        let (channel, number) = match &joined.key {
            None => (0, from),
            Some(key) => match keys.get(key)?.id {
                // The supervisor has not said which one it is. This is no place of a key: who goes on
                // behind it gets all that is kept, and learns that something may be missing.
                0 => (0, 0),
                id => (id, from),
            },
        };
        keys.live.then_some(Place {
            epoch: keys.epoch,
            channel,
            number,
        })
    }

    /// Adds a filter to those of a subscriber. What is published from now on has to pass it.
    pub(super) fn add_filter(&self, subscriber: &Subscriber, filter: Filter) {
        let editing = Editing::begin(subscriber);
        // Under the lock, so that an item is either in the queue already or meets the filter.
        let keys = self.lock_for(&editing);
        if let Err(another) = subscriber.filter.set(Box::new(filter))
            && let Some(first) = subscriber.filter.get()
        {
            first.append(another);
        }
        drop(keys);
        subscriber.apply_filter();
    }

    /// The number of subscribers of a key, without those of all keys.
    pub(super) fn subscribers(&self, key: &str) -> usize {
        self.lock().get(key).map_or(0, |channel| {
            channel.members.len().max(channel.total as usize)
        })
    }

    /// The number of subscribers of all keys together.
    pub(super) fn all_subscribers(&self) -> usize {
        let here = self.counts.subscribers.load(Ordering::Relaxed);
        here.max(self.counts.everywhere.load(Ordering::Relaxed))
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
        // Another worker produces them now, or nobody.
        for key in std::mem::take(&mut keys.produced) {
            self.hooks.note(Change::Last, &key);
        }
        if let Some((link, topic)) = self.link.get() {
            // Under the lock, so that another one of this name is registered behind it.
            link.detach(*topic);
        }
        drop(keys);
        self.hooks.tell();
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}
