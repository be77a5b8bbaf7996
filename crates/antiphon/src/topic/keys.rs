//! Keys of a topic: their numbers and subscribers, and which of them exist.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::item::Item;
use super::kept::Kept;
use super::members::Audience;
use super::memory::Memory;

/// The longest key, in bytes.
pub(super) const MAX_KEY: usize = 256;

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
pub(crate) struct HistoryLimits {
    /// Items of each key.
    pub(crate) items: usize,
    /// Bytes of all keys.
    pub(crate) bytes: usize,
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
    /// Whether it was used since it became one.
    used: bool,
    /// The last items, which `history.rs` keeps.
    pub(super) history: VecDeque<Arc<Item>>,
}

impl<M: Audience> Channel<M> {
    /// Whether anybody has subscribed to it, in any worker.
    pub(super) fn is_followed(&self) -> bool {
        !self.members.is_empty() || self.total > 0
    }
}

/// The keys of a topic.
pub(super) struct Keys<M> {
    /// A random number of the topic: it has another one after each start.
    pub(super) epoch: u64,
    pub(super) upkeep: Upkeep,
    pub(super) table: HashMap<Arc<str>, Channel<M>>,
    max: usize,
    pub(super) limits: HistoryLimits,
    pub(super) memory: Arc<Memory>,
    /// The number of the last key that was new.
    last: u64,
    /// The highest number of a key that has had items and is not there any more.
    pub(super) lost: u64,
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
    pub(super) order: VecDeque<(u64, Arc<str>)>,
    /// How many are there.
    pub(super) kept: usize,
    /// The keys that have a history, by the number of their last item. Those with subscribers may be
    /// missing.
    pub(super) lasts: BTreeMap<u64, Arc<str>>,
    /// Whether the topic is gone.
    pub(super) closed: bool,
    /// Whether the histories are complete, in a worker. What comes before is only kept.
    pub(super) live: bool,
    /// While the histories are told anew because something was lost: the number of the last item that
    /// subscribers have got, or could have.
    pub(super) broken: Option<u64>,
    /// What a broker keeps, if it numbers the items.
    pub(super) by_broker: Option<Kept>,
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
            lost: 0,
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
            lasts: BTreeMap::new(),
            closed: false,
            live: true,
            broken: None,
            by_broker: None,
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

    /// Whether anybody has use of an item of this key, now or later. One that nobody has use of is
    /// counted: who goes on after a cursor of all keys learns that it is missing.
    pub(super) fn wants(&mut self, key: &str) -> bool {
        let wants = self.limits.items > 0 || !self.all.is_empty() || self.table.contains_key(key);
        self.serial += u64::from(!wants);
        wants
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
        self.by_broker = None;
    }

    /// Forgets all items, of a table for several processes, and all keys that nobody needs: those that are
    /// left have other numbers, and their items begin anew.
    pub(super) fn renew(&mut self, epoch: u64, kept: Option<Kept>) {
        let keys: Vec<_> = self.table.keys().cloned().collect();
        keys.iter().for_each(|key| self.forget_all(key));
        (self.order, self.idle) = (VecDeque::new(), VecDeque::new());
        let last = &mut self.last;
        self.table.retain(|_, channel| {
            *last += 1;
            (channel.id, channel.number) = (*last, 0);
            (channel.spare, channel.used) = (false, false);
            !channel.members.is_empty()
        });
        self.vanished = Vec::new();
        (self.epoch, self.by_broker) = (epoch, kept);
        (self.serial, self.lost) = (0, self.last);
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

    /// Removes a key that nobody needs, now or later. One without subscribers that has a history goes
    /// when another one needs its place.
    pub(super) fn vanish(&mut self, key: &str) {
        let known = self.table.get_key_value(key);
        let Some((name, channel)) = known.filter(|(_, channel)| !channel.is_followed()) else {
            return;
        };
        let name = Arc::clone(name);
        if let Some(last) = channel.history.back() {
            self.lasts.insert(last.serial, name);
            return;
        }
        match self.upkeep {
            Upkeep::Own => self.remove(key),
            Upkeep::Follows => {}
            Upkeep::Shared { spare } => {
                if let Some(channel) = self.table.get_mut(key) {
                    match std::mem::replace(&mut channel.spare, true) {
                        true => channel.used = true,
                        false => self.idle.push_back((name, channel.id)),
                    }
                }
                while self.idle.len() > spare && self.drop_idle().is_some() {}
            }
        }
    }

    /// Removes the key that has been idle longest, or passes it by if it was used meanwhile; `None` if no
    /// more of them are known.
    fn drop_idle(&mut self) -> Option<bool> {
        let (key, id) = self.idle.pop_front()?;
        let channel = self.table.get_mut(&key).filter(|channel| channel.id == id);
        let Some(channel) = channel else {
            return Some(false);
        };
        if std::mem::take(&mut channel.used) {
            self.idle.push_back((key, id));
            return Some(false);
        }
        channel.spare = false;
        let is_idle = !channel.is_followed() && channel.history.is_empty();
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
        if channel.number > 0 {
            self.lost = self.lost.max(channel.id);
        }
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
            self.vanish(key);
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

    /// Removes a key without subscribers: one that has been idle, or that one which was published longest
    /// ago. Returns whether there was one.
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

    /// The key that was published longest ago, of those without subscribers that have a history.
    fn find_idle(&mut self) -> Option<Arc<str>> {
        while let Some(first) = self.lasts.first_entry() {
            let channel = self.table.get(first.get());
            if channel.is_some_and(|channel| !channel.is_followed()) {
                return Some(Arc::clone(first.get()));
            }
            // One with subscribers comes again when they have gone.
            first.remove();
        }
        None
    }
}
