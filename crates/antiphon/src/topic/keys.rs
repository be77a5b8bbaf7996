//! Keys of a topic: their numbers, subscribers and histories.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::cursor::Place;
use super::item::Item;
use super::memory::Memory;
use super::queue::{Audience, Missed};

/// The longest key, in bytes.
pub(super) const MAX_KEY: usize = 256;

/// How many keys are looked at to find one that may give way to a new one.
const LOOKED_AT: usize = 64;

/// How many keys that nobody needs the supervisor keeps, with their numbers.
pub(super) fn spare_keys(max: usize) -> usize {
    max.min(1024)
}

/// The most keys of a topic over several workers.
pub(super) fn max_shared_keys(max: usize) -> usize {
    max.saturating_add(spare_keys(max))
}

/// What a topic keeps for those who resume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct HistoryLimits {
    /// Items of each key.
    pub(super) items: usize,
    /// Bytes of all keys.
    pub(super) bytes: usize,
}

/// Who decides which keys there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Upkeep {
    /// This table; a key that nobody needs vanishes at once.
    Own,
    /// This table, for several processes, which are told what has vanished. This many keys that nobody
    /// needs stay, so that their numbers go on when a worker is replaced.
    Shared { spare: usize },
    /// The supervisor, whose table this one follows.
    Follows,
}

/// One key.
#[derive(Default)]
pub(super) struct Channel<M> {
    /// Its number. A key that has vanished and comes again has another one; 0 if the supervisor has
    /// not given one yet.
    pub(super) id: u64,
    /// The number of its last item.
    pub(super) number: u64,
    pub(super) members: M,
    /// Subscribers in all workers, as far as the supervisor has told.
    pub(super) total: u32,
    /// When the supervisor has told of it last; see [`Keys::round`].
    pub(super) round: u32,
    /// Whether it is among the spare ones.
    spare: bool,
    history: VecDeque<Arc<Item>>,
}

/// The keys of a topic.
pub(super) struct Keys<M> {
    /// A random number of the topic: it has another one after each start.
    pub(super) epoch: u64,
    pub(super) upkeep: Upkeep,
    table: HashMap<Arc<str>, Channel<M>>,
    max: usize,
    limits: HistoryLimits,
    memory: Arc<Memory>,
    /// The number of the last key that was new.
    last: u64,
    /// Keys that nobody needs, with the numbers that they had, from the oldest on.
    idle: VecDeque<(Arc<str>, u64)>,
    /// What has vanished since that was asked for, of a table for several processes.
    vanished: Vec<(Arc<str>, u64)>,
    /// How often the supervisor has told the whole table.
    pub(super) round: u32,
    /// The subscribers of all keys.
    pub(super) all: M,
    /// Their number in all workers, as far as the supervisor has told.
    pub(super) all_total: u32,
    /// The sum of [`Channel::total`].
    totals: u64,
    /// The number of the last item of all.
    pub(super) serial: u64,
    /// Bytes that were published.
    pub(super) stamp: u64,
    /// Number and key of the items in histories, from the oldest on; some are not there any more.
    order: VecDeque<(u64, Arc<str>)>,
    /// How many are there.
    kept: usize,
    /// Whether the topic is gone.
    pub(super) closed: bool,
    /// Whether the histories are complete, in a worker. What comes before is only kept.
    pub(super) live: bool,
    /// Keys for which the hook for the first subscriber was called here, in a worker.
    pub(super) produced: HashSet<Arc<str>>,
}

/// The numbers of an item, which say where it belongs in the order of its key.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    pub(super) key: Arc<str>,
    pub(super) channel: u64,
    pub(super) number: u64,
    pub(super) serial: u64,
}

impl<M: Audience> Keys<M> {
    pub(super) fn new(
        epoch: u64,
        max: usize,
        limits: HistoryLimits,
        memory: &Arc<Memory>,
        upkeep: Upkeep,
    ) -> Self {
        Self {
            epoch,
            upkeep,
            table: HashMap::new(),
            max,
            limits,
            memory: Arc::clone(memory),
            last: 0,
            idle: VecDeque::new(),
            vanished: Vec::new(),
            round: 0,
            all: M::default(),
            all_total: 0,
            totals: 0,
            serial: 0,
            stamp: 0,
            order: VecDeque::new(),
            kept: 0,
            closed: false,
            live: true,
            produced: HashSet::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Sets other limits; what is beyond them goes with the next item.
    pub(super) fn set_limits(&mut self, max: usize, limits: HistoryLimits) {
        (self.max, self.limits) = (max, limits);
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Channel<M>> {
        self.table.get_mut(key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Channel<M>> {
        self.table.get(key)
    }

    /// Whether anybody has use of an item of this key, now or later.
    pub(super) fn wants(&self, key: &str) -> bool {
        self.limits.items > 0 || !self.all.is_empty() || self.table.contains_key(key)
    }

    /// All lists of subscribers.
    pub(super) fn members(&self) -> impl Iterator<Item = &M> {
        let channels = self.table.values().map(|channel| &channel.members);
        channels.chain([&self.all])
    }

    /// Forgets all but who has subscribed: another process tells what there is.
    pub(super) fn restart(&mut self, epoch: u64) {
        let keys: Vec<_> = self.table.keys().cloned().collect();
        keys.iter().for_each(|key| self.forget_all(key));
        self.order = VecDeque::new();
        self.table.retain(|_, channel| {
            (channel.id, channel.number, channel.total) = (0, 0, 0);
            !channel.members.is_empty()
        });
        (self.epoch, self.upkeep, self.live) = (epoch, Upkeep::Follows, false);
        (self.serial, self.totals, self.all_total) = (0, 0, 0);
    }

    /// All keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Channel<M>)> {
        self.table.iter()
    }

    /// The key as it stands in the table, where it is made room for; `None` if there are too many.
    pub(super) fn open(&mut self, key: &str) -> Option<(Arc<str>, &mut Channel<M>)> {
        if !self.table.contains_key(key) && self.table.len() >= self.max {
            let has_room = match self.upkeep {
                Upkeep::Follows => self.find_idle().is_some(),
                _ => self.make_room(),
            };
            if !has_room {
                return None;
            }
        }
        Some(self.insert(key))
    }

    /// The key as it stands in the table, whatever else is there.
    pub(super) fn insert(&mut self, key: &str) -> (Arc<str>, &mut Channel<M>) {
        let known = self.table.get_key_value(key);
        let key = known.map_or_else(|| key.into(), |(key, _)| Arc::clone(key));
        let (last, upkeep) = (&mut self.last, self.upkeep);
        let channel = self.table.entry(Arc::clone(&key)).or_insert_with(|| {
            let id = match upkeep {
                // The supervisor gives it.
                Upkeep::Follows => 0,
                _ => {
                    *last += 1;
                    *last
                }
            };
            Channel {
                id,
                ..Channel::default()
            }
        });
        (key, channel)
    }

    /// Gives an item of this key its numbers.
    pub(super) fn number(&mut self, key: &str) -> Numbered {
        self.serial += 1;
        let serial = self.serial;
        let is_new =
            self.upkeep == Upkeep::Own && self.limits.items == 0 && !self.table.contains_key(key);
        let known = if is_new { None } else { self.open(key) };
        let Some((key, channel)) = known else {
            // Nobody remembers this key.
            self.last += 1;
            return Numbered {
                key: key.into(),
                channel: self.last,
                number: 1,
                serial,
            };
        };
        channel.number += 1;
        Numbered {
            key,
            channel: channel.id,
            number: channel.number,
            serial,
        }
    }

    /// Keeps an item for those who resume.
    pub(super) fn remember(&mut self, key: &str, item: &Arc<Item>) {
        // One that there was no room for has a number of its own.
        let is_of = |channel: &Channel<M>| channel.id == item.place.channel;
        let known = self.table.get_key_value(key);
        let Some((name, _)) = known.filter(|(_, channel)| is_of(channel)) else {
            return;
        };
        if self.limits.items == 0 || item.bytes() > self.limits.bytes {
            // What came before would not be complete without it.
            self.forget_all(key);
            return self.vanish(key);
        }
        self.order.push_back((item.serial, Arc::clone(name)));
        self.memory.keep(item.bytes());
        self.kept += 1;
        if let Some(channel) = self.table.get_mut(key) {
            channel.history.push_back(Arc::clone(item));
        }
        let is_over = |keys: &Self| {
            let channel = keys.table.get(key);
            channel.is_some_and(|channel| channel.history.len() > keys.limits.items)
        };
        while is_over(self) {
            self.forget_first(key);
        }
        while self.memory.kept() > self.limits.bytes && self.forget_oldest().is_some() {}
        if self.order.len() > 2 * self.kept + LOOKED_AT {
            self.tidy();
        }
    }

    fn is_idle(&self, key: &str) -> bool {
        let is_idle =
            |channel: &Channel<M>| channel.members.is_empty() && channel.history.is_empty();
        self.table.get(key).is_some_and(is_idle)
    }

    /// Removes a key that nobody needs, now or later.
    pub(super) fn vanish(&mut self, key: &str) {
        if !self.is_idle(key) {
            return;
        }
        match self.upkeep {
            Upkeep::Own => self.remove(key),
            Upkeep::Follows => {}
            Upkeep::Shared { spare } => {
                let known = self
                    .table
                    .get_key_value(key)
                    .map(|(key, _)| Arc::clone(key));
                if let (Some(key), Some(channel)) = (known, self.table.get_mut(key))
                    && !std::mem::replace(&mut channel.spare, true)
                {
                    self.idle.push_back((key, channel.id));
                }
                while self.idle.len() > spare && self.drop_idle().is_some() {}
            }
        }
    }

    /// Removes the key that has been idle longest; `None` if no more of them are known.
    fn drop_idle(&mut self) -> Option<bool> {
        let (key, id) = self.idle.pop_front()?;
        let channel = self.table.get_mut(&key).filter(|channel| channel.id == id);
        let Some(channel) = channel else {
            return Some(false);
        };
        channel.spare = false;
        let is_idle = self.is_idle(&key);
        if is_idle {
            self.remove(&key);
        }
        Some(is_idle)
    }

    /// Removes a key and its history, whoever has use of it.
    pub(super) fn remove(&mut self, key: &str) {
        self.forget_all(key);
        let Some((key, channel)) = self.table.remove_entry(key) else {
            return;
        };
        self.totals -= u64::from(channel.total);
        if let Upkeep::Shared { .. } = self.upkeep {
            self.vanished.push((key, channel.id));
        }
        if self.table.len() < self.table.capacity() / 4 {
            self.table.shrink_to(self.table.len() * 2);
        }
    }

    /// Sets the number of subscribers of a key in all workers.
    pub(super) fn set_total(&mut self, key: &str, total: u32) {
        if let Some(channel) = self.table.get_mut(key) {
            let before = std::mem::replace(&mut channel.total, total);
            self.totals = self.totals + u64::from(total) - u64::from(before);
        }
    }

    /// Subscribers of the topic in all workers.
    pub(super) fn everywhere(&self) -> usize {
        let sum = self.totals + u64::from(self.all_total);
        usize::try_from(sum).unwrap_or(usize::MAX)
    }

    /// What has vanished since this was called last, of a table for several processes.
    pub(super) fn take_vanished(&mut self) -> Vec<(Arc<str>, u64)> {
        std::mem::take(&mut self.vanished)
    }

    /// The items of one key, or of all, behind a place and up to a number; and how many are missing
    /// between. A place that is not known is before all of them.
    pub(super) fn after(
        &self,
        place: Option<Place>,
        key: Option<&str>,
        until: u64,
    ) -> (Vec<Arc<Item>>, Option<Missed>) {
        let known = place.filter(|place| match key.map(|key| self.table.get(key)) {
            None => place.channel == 0 && place.number <= self.serial,
            Some(Some(channel)) => {
                place.channel == channel.id && channel.id > 0 && place.number <= channel.number
            }
            Some(None) => false,
        });
        let from = known.map_or(0, |place| place.number);
        let items = match key {
            Some(key) => {
                let history = self.table.get(key).map(|channel| channel.history.iter());
                let within = |item: &&Arc<Item>| (from + 1..=until).contains(&item.place.number);
                history
                    .into_iter()
                    .flatten()
                    .filter(within)
                    .cloned()
                    .collect()
            }
            None => self.all_after(from, until),
        };
        let missed = match known {
            None => Some(Missed::Unknown),
            Some(_) => match until.saturating_sub(from) - items.len() as u64 {
                0 => None,
                count => Some(Missed::Some(count)),
            },
        };
        (items, missed)
    }

    /// The items of all keys behind a number and up to another one, in their order.
    pub(super) fn all_after(&self, from: u64, until: u64) -> Vec<Arc<Item>> {
        let start = self.order.partition_point(|(serial, _)| *serial <= from);
        let later = self.order.range(start..);
        later
            .take_while(|(serial, _)| *serial <= until)
            .filter_map(|(serial, key)| {
                let history = &self.table.get(key)?.history;
                let at = history.binary_search_by_key(serial, |item| item.serial);
                history.get(at.ok()?).cloned()
            })
            .collect()
    }

    /// Forgets the first item of a key.
    fn forget_first(&mut self, key: &str) {
        let channel = self.table.get_mut(key);
        if let Some(item) = channel.and_then(|channel| channel.history.pop_front()) {
            self.memory.forget(item.bytes());
            self.kept -= 1;
        }
    }

    /// Forgets the history of a key.
    pub(super) fn forget_all(&mut self, key: &str) {
        while self
            .get(key)
            .is_some_and(|channel| !channel.history.is_empty())
        {
            self.forget_first(key);
        }
    }

    /// Forgets the oldest item of all, and its key if it was the last of it. `None` if there is none.
    fn forget_oldest(&mut self) -> Option<()> {
        loop {
            let (serial, key) = self.order.pop_front()?;
            let first = self.get(&key).and_then(|channel| channel.history.front());
            if first.is_some_and(|first| first.serial == serial) {
                self.forget_first(&key);
                self.vanish(&key);
                return Some(());
            }
        }
    }

    /// Removes the key that was published longest ago, of those without subscribers. Returns whether
    /// there was one.
    fn make_room(&mut self) -> bool {
        while let Some(was_idle) = self.drop_idle() {
            if was_idle {
                return true;
            }
        }
        let Some(key) = self.find_idle() else {
            return false;
        };
        self.remove(&key);
        true
    }

    /// The key that was published longest ago, of those without subscribers.
    fn find_idle(&self) -> Option<Arc<str>> {
        let mut looked_at = self.order.iter().take(LOOKED_AT);
        let idle = looked_at.find(|(_, key)| {
            let channel = self.table.get(key);
            channel.is_some_and(|channel| channel.members.is_empty() && channel.total == 0)
        });
        idle.map(|(_, key)| Arc::clone(key))
    }

    /// Removes the items from `order` that are not there any more.
    fn tidy(&mut self) {
        let table = &self.table;
        self.order.retain(|(serial, key)| {
            let first = table.get(key).and_then(|channel| channel.history.front());
            first.is_some_and(|first| first.serial <= *serial)
        });
        self.order.shrink_to(2 * self.kept + LOOKED_AT);
    }
}
