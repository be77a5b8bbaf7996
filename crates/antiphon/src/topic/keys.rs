//! Keys of a topic: their numbers, subscribers and histories.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::cursor::Place;
use super::item::Item;
use super::members::Members;
use super::memory::Memory;
use super::queue::Missed;

/// More items in `order` than this, and than twice those that are there, are too many.
const SPARE: usize = 64;

/// What a topic keeps for those who resume.
#[derive(Clone, Copy, Debug)]
pub(super) struct HistoryLimits {
    /// Items of each key.
    pub(super) items: usize,
    /// Bytes of all keys.
    pub(super) bytes: usize,
}

/// One key.
#[derive(Default)]
pub(super) struct Channel {
    /// Its number. A key that has vanished and comes again has another one.
    pub(super) id: u64,
    /// The number of its last item.
    pub(super) number: u64,
    pub(super) members: Members,
    history: VecDeque<Arc<Item>>,
}

/// The keys of a topic.
pub(super) struct Keys {
    table: HashMap<Arc<str>, Channel>,
    max: usize,
    limits: HistoryLimits,
    memory: Arc<Memory>,
    /// The number of the last key that was new.
    last: u64,
    /// The highest number of a key that has had items and is not there any more.
    lost: u64,
    /// The subscribers of all keys.
    pub(super) all: Members,
    /// The number of the last item of all.
    pub(super) serial: u64,
    /// Bytes that were published.
    pub(super) stamp: u64,
    /// Number and key of the items in histories, from the oldest on; some are not there any more.
    order: VecDeque<(u64, Arc<str>)>,
    /// How many are there.
    kept: usize,
    /// The keys that have a history, by the number of their last item. Those with subscribers may be
    /// missing.
    lasts: BTreeMap<u64, Arc<str>>,
    /// Whether the topic is gone.
    pub(super) closed: bool,
}

/// The numbers of an item, which say where it belongs in the order of its key.
#[derive(Clone, Debug)]
pub(super) struct Numbered {
    pub(super) key: Arc<str>,
    pub(super) channel: u64,
    pub(super) number: u64,
    pub(super) serial: u64,
}

impl Keys {
    pub(super) fn new(max: usize, limits: HistoryLimits, memory: &Arc<Memory>) -> Self {
        Self {
            table: HashMap::new(),
            max,
            limits,
            memory: Arc::clone(memory),
            last: 0,
            lost: 0,
            all: Members::default(),
            serial: 0,
            stamp: 0,
            order: VecDeque::new(),
            kept: 0,
            lasts: BTreeMap::new(),
            closed: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Channel> {
        self.table.get_mut(key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Channel> {
        self.table.get(key)
    }

    /// Whether anybody has use of an item of this key, now or later. One that nobody has use of is
    /// counted: who goes on after a cursor of all keys learns that it is missing.
    pub(super) fn wants(&mut self, key: &str) -> bool {
        let wants = self.limits.items > 0 || !self.all.is_empty() || self.table.contains_key(key);
        self.serial += u64::from(!wants);
        wants
    }

    /// All lists of subscribers.
    pub(super) fn members(&self) -> impl Iterator<Item = &Members> {
        let channels = self.table.values().map(|channel| &channel.members);
        channels.chain([&self.all])
    }

    /// The key as it stands in the table, where it is made room for; `None` if there are too many.
    pub(super) fn open(&mut self, key: &str) -> Option<(Arc<str>, &mut Channel)> {
        let known = self
            .table
            .get_key_value(key)
            .map(|(key, _)| Arc::clone(key));
        let key = match known {
            Some(key) => key,
            None => {
                if self.table.len() >= self.max && !self.make_room() {
                    return None;
                }
                self.last += 1;
                let key: Arc<str> = key.into();
                let channel = Channel {
                    id: self.last,
                    ..Channel::default()
                };
                self.table.insert(Arc::clone(&key), channel);
                key
            }
        };
        let channel = self.table.get_mut(&key)?;
        Some((key, channel))
    }

    /// Gives an item of this key its numbers.
    pub(super) fn number(&mut self, key: &str) -> Numbered {
        self.serial += 1;
        let serial = self.serial;
        let is_new = self.limits.items == 0 && !self.table.contains_key(key);
        let known = if is_new { None } else { self.open(key) };
        let Some((key, channel)) = known else {
            // Nobody remembers this key.
            self.last += 1;
            self.lost = self.last;
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
        let Some((name, _)) = self.table.get_key_value(key) else {
            return;
        };
        if self.limits.items == 0 || item.bytes() > self.limits.bytes {
            // What came before would not be complete without it.
            self.forget_all(key);
            return self.vanish(key);
        }
        let name = Arc::clone(name);
        self.memory.keep(item.bytes());
        self.kept += 1;
        if let Some(channel) = self.table.get_mut(key) {
            if let Some(last) = channel.history.back() {
                self.lasts.remove(&last.serial);
            }
            if channel.members.is_empty() {
                self.lasts.insert(item.serial, Arc::clone(&name));
            }
            channel.history.push_back(Arc::clone(item));
            if channel.history.len() > self.limits.items {
                self.forget_first(key);
            }
        }
        self.order.push_back((item.serial, name));
        while self.memory.kept() > self.limits.bytes && self.forget_oldest().is_some() {}
        if self.order.len() > 2 * self.kept + SPARE {
            self.tidy();
        }
    }

    /// Removes a key that nobody needs. One without subscribers that has a history may go later.
    pub(super) fn vanish(&mut self, key: &str) {
        let known = self.table.get_key_value(key);
        let Some((name, channel)) = known.filter(|(_, channel)| channel.members.is_empty()) else {
            return;
        };
        if let Some(last) = channel.history.back() {
            self.lasts.insert(last.serial, Arc::clone(name));
            return;
        }
        let gone = self.table.remove(key);
        if let Some(gone) = gone.filter(|gone| gone.number > 0) {
            self.lost = self.lost.max(gone.id);
        }
        if self.table.len() < self.table.capacity() / 4 {
            self.table.shrink_to(self.table.len() * 2);
        }
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
            Some(Some(channel)) if place.channel == channel.id => place.number <= channel.number,
            // The key has vanished before it had an item, and has come again. No key that had some has
            // vanished since, so all its items came after that; without a history some went unnoticed.
            Some(Some(channel)) => {
                let is_empty = place.number == 0 && self.limits.items > 0;
                is_empty && (self.lost + 1..channel.id).contains(&place.channel)
            }
            Some(None) => false,
        });
        let from = known.map_or(0, |place| place.number);
        let items = match key {
            Some(key) => {
                let history = self.table.get(key).map(|channel| &channel.history);
                let later = history.into_iter().flat_map(|history| {
                    let start = history.partition_point(|item| item.place.number <= from);
                    history.range(start..)
                });
                let within = |item: &&Arc<Item>| item.place.number <= until;
                later.take_while(within).cloned().collect()
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

    fn all_after(&self, from: u64, until: u64) -> Vec<Arc<Item>> {
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
        let Some(channel) = self.table.get_mut(key) else {
            return;
        };
        if let Some(item) = channel.history.pop_front() {
            self.memory.forget(item.bytes());
            self.kept -= 1;
            if channel.history.is_empty() {
                self.lasts.remove(&item.serial);
            }
            if channel.history.len() < channel.history.capacity() / 4 {
                channel.history.shrink_to(2 * channel.history.len());
            }
        }
    }

    fn forget_all(&mut self, key: &str) {
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

    /// Lets the key vanish that was published longest ago, of those without subscribers. Returns whether
    /// there was one.
    fn make_room(&mut self) -> bool {
        while let Some((_, key)) = self.lasts.pop_first() {
            let channel = self.table.get(&key);
            // One with subscribers comes again when they have gone.
            if channel.is_some_and(|channel| channel.members.is_empty()) {
                self.forget_all(&key);
                self.vanish(&key);
                return true;
            }
        }
        false
    }

    /// Removes the items from `order` that are not there any more.
    fn tidy(&mut self) {
        let table = &self.table;
        self.order.retain(|(serial, key)| {
            let first = table.get(key).and_then(|channel| channel.history.front());
            first.is_some_and(|first| first.serial <= *serial)
        });
        self.order.shrink_to(2 * self.kept + SPARE);
    }
}
