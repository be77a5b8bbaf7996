//! One topic of all workers: its keys, and which workers have subscribers or produce.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::super::cursor::{Place, new_epoch};
use super::super::item::{Item, Text};
use super::super::keys::{HistoryLimits, Keys, Upkeep, max_shared_keys, spare_keys};
use super::super::members::Audience;
use super::super::memory::Memory;
use super::log::{Entry, Origin};

/// The workers that have subscribers of a key, with their numbers, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Workers {
    counts: Vec<(u64, u32)>,
    /// The worker that was told to start what publishes the key.
    owner: Option<u64>,
    /// Whether it was told to stop it, and has not said that it has.
    is_stopping: bool,
}

impl Workers {
    /// Sets the number of subscribers of a worker.
    fn set(&mut self, worker: u64, count: u32) {
        let known = self.counts.iter_mut().find(|(known, _)| *known == worker);
        match known {
            Some(known) if count > 0 => known.1 = count,
            Some(_) => self.counts.retain(|(known, _)| *known != worker),
            None if count > 0 => self.counts.push((worker, count)),
            None => {}
        }
    }

    /// Who is to start or to stop, now that others have subscribed: one at a time.
    fn next(&mut self, key: &Arc<str>) -> Option<Produce> {
        let first = self.counts.first().map(|(worker, _)| *worker);
        let (worker, starts) = match (self.owner, first) {
            (None, Some(first)) => {
                self.owner = Some(first);
                (first, true)
            }
            (Some(owner), None) if !self.is_stopping => {
                self.is_stopping = true;
                (owner, false)
            }
            _ => return None,
        };
        let key = Arc::clone(key);
        Some(Produce {
            worker,
            key,
            starts,
        })
    }

    fn disown(&mut self, worker: u64) {
        if self.owner == Some(worker) {
            (self.owner, self.is_stopping) = (None, false);
        }
    }

    fn total(&self) -> u32 {
        let counts = self.counts.iter().map(|(_, count)| *count);
        counts.fold(0, u32::saturating_add)
    }
}

impl Audience for Workers {
    fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.owner.is_none()
    }
}

/// A topic, as the supervisor has it.
pub(super) struct SharedTopic {
    pub(super) id: u64,
    pub(super) keys: Keys<Workers>,
    memory: Arc<Memory>,
    /// Workers that have it.
    pub(super) workers: HashSet<u64>,
    /// When the last item came.
    pub(super) last_item: Option<Instant>,
    /// Who numbers its items.
    pub(super) numbering: Numbering,
    /// Whether the histories are complete. Until then nobody is told of the topic.
    pub(super) is_ready: bool,
    /// What is to be numbered when it is known by whom.
    pub(super) unnumbered: VecDeque<Unnumbered>,
    /// Questions of workers, and the number up to which items have to come before they are answered.
    pub(super) questions: Vec<(u64, u64, u64)>,
}

/// Who numbers the items of a topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Numbering {
    /// This supervisor.
    Here,
    /// Nobody knows yet: the broker has to say whether it does.
    Awaited,
    /// A broker that keeps them.
    Broker,
}

/// An item that has to wait for its number.
#[derive(Debug)]
pub(super) struct Unnumbered {
    pub(super) origin: Origin,
    pub(super) key: Arc<str>,
    pub(super) text: Text,
}

/// A worker has to start, or to stop, what publishes a key.
pub(super) struct Produce {
    pub(super) worker: u64,
    pub(super) key: Arc<str>,
    pub(super) starts: bool,
}

impl SharedTopic {
    pub(super) fn new(id: u64, name: &str, limits: HistoryLimits, keys: usize) -> Self {
        let memory = Arc::default();
        let spare = spare_keys(keys);
        let upkeep = Upkeep::Shared { spare };
        Self {
            id,
            keys: Keys::new(
                new_epoch(name),
                max_shared_keys(keys),
                limits,
                &memory,
                upkeep,
            ),
            memory,
            workers: HashSet::new(),
            last_item: None,
            numbering: Numbering::Here,
            is_ready: true,
            unnumbered: VecDeque::new(),
            questions: Vec::new(),
        }
    }

    /// Sets the limits of the worker that has come last.
    pub(super) fn set_limits(&mut self, limits: HistoryLimits, keys: usize) {
        let spare = spare_keys(keys);
        self.keys.upkeep = Upkeep::Shared { spare };
        self.keys.set_limits(max_shared_keys(keys), limits);
    }

    /// Numbers an item and keeps it.
    pub(super) fn publish(&mut self, origin: Origin, key: &str, text: Text, log: &mut Vec<Entry>) {
        self.last_item = Some(Instant::now());
        let numbered = self.keys.number(key);
        let channel = self.keys.get(key);
        let known = channel.is_some_and(|channel| channel.id == numbered.channel);
        let place = Place {
            epoch: self.keys.epoch,
            channel: numbered.channel,
            number: numbered.number,
        };
        let by_serial = self.keys.by_broker.is_some();
        let (name, serial) = (numbered.key, numbered.serial);
        let item = Item::new(name, place, serial, 0, text, &self.memory, by_serial);
        let item = Arc::new(item);
        self.keys.remember(key, &item);
        if !self.is_ready {
            // The histories tell of it.
            drop(self.keys.take_vanished());
            return;
        }
        log.push(Entry::Item {
            topic: self.id,
            item,
            origin,
            known,
        });
        self.note_vanished(log);
    }

    /// Sets the number of subscribers of a key in a worker. Returns whether there is room for the key.
    pub(super) fn set_count(
        &mut self,
        worker: u64,
        key: &str,
        count: u32,
        log: &mut Vec<Entry>,
    ) -> Result<Option<Produce>, TooManyKeys> {
        if count == 0 && self.keys.get(key).is_none() {
            return Ok(None);
        }
        let Some((key, channel)) = self.keys.open(key) else {
            return Err(TooManyKeys);
        };
        let workers = &mut channel.members;
        let before = workers.total();
        workers.set(worker, count);
        let total = workers.total();
        let produce = workers.next(&key);
        let (id, number) = (channel.id, channel.number);
        if total != before {
            log.push(Entry::Key {
                topic: self.id,
                key: Arc::clone(&key),
                id,
                number,
                total,
            });
        }
        self.keys.vanish(&key);
        self.note_vanished(log);
        Ok(produce)
    }

    /// A worker has stopped what publishes a key. Returns who starts it again, if there are subscribers.
    pub(super) fn stopped(
        &mut self,
        worker: u64,
        key: &str,
        log: &mut Vec<Entry>,
    ) -> Option<Produce> {
        self.keys.get(key)?;
        let (key, channel) = self.keys.insert(key);
        if channel.members.is_stopping {
            channel.members.disown(worker);
        }
        let produce = channel.members.next(&key);
        self.keys.vanish(&key);
        self.note_vanished(log);
        produce
    }

    /// Sets the number of subscribers of all keys in a worker.
    pub(super) fn set_all(&mut self, worker: u64, count: u32, log: &mut Vec<Entry>) {
        self.keys.all.set(worker, count);
        log.push(Entry::All {
            topic: self.id,
            total: self.keys.all.total(),
        });
    }

    /// A worker has gone: it has no subscribers of this key any more, and does not produce it. Returns
    /// who does it now.
    pub(super) fn leave(
        &mut self,
        worker: u64,
        key: &str,
        log: &mut Vec<Entry>,
    ) -> Option<Produce> {
        self.keys.get_mut(key)?.members.disown(worker);
        self.set_count(worker, key, 0, log).ok().flatten()
    }

    /// Whether a worker has subscribers of a key, or produces it.
    pub(super) fn concerns(&self, worker: u64, key: &str) -> bool {
        self.keys.get(key).is_some_and(|channel| {
            let workers = &channel.members;
            let mut counts = workers.counts.iter();
            workers.owner == Some(worker) || counts.any(|(other, _)| *other == worker)
        })
    }

    /// The number of subscribers of a key in all workers, and of all keys.
    pub(super) fn totals(&self) -> (impl Iterator<Item = (&Arc<str>, u64, u64, u32)>, u32) {
        let keys = self.keys.iter().map(|(key, channel)| {
            let total = channel.members.total();
            (key, channel.id, channel.number, total)
        });
        (keys, self.keys.all.total())
    }

    fn note_vanished(&mut self, log: &mut Vec<Entry>) {
        for (key, id) in self.keys.take_vanished() {
            log.push(Entry::Vanished {
                topic: self.id,
                key,
                id,
            });
        }
    }
}

/// There is no room for a key.
#[derive(Debug)]
pub(super) struct TooManyKeys;
