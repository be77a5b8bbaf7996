//! One worker, as its supervisor sees it: what it has taken, and what it is to be told.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::super::item::Item;
use super::super::link::fields::ItemPlace;
use super::super::link::frame::ToWorker;
use super::log::{Entry, Log};
use super::shared_topic::SharedTopic;

/// A worker that is refused this many keys without reading the answers has gone wrong.
const MAX_REFUSED: usize = 65_536;

/// A worker.
pub(super) struct Peer {
    id: u64,
    /// The number of the next entry of the log.
    position: u64,
    /// Its topics, by the numbers that it has given them.
    pub(super) attached: BTreeMap<u32, Attached>,
    /// Those numbers, by topic.
    numbers: HashMap<u64, u32>,
    /// Numbers of items of this worker that have left the log before it has taken them.
    skipped: VecDeque<u64>,
    /// What it has to start and to stop.
    produce: VecDeque<(u32, Arc<str>, bool)>,
    /// How many keys were refused that it has not been told.
    refusals: usize,
    /// Those of them that have left the log.
    refused: VecDeque<(u64, Arc<str>)>,
    /// What comes before the log: histories and keys.
    script: VecDeque<Part>,
}

/// A topic of a worker.
pub(super) struct Attached {
    pub(super) topic: u64,
    /// The entry of the log from which on the worker is told; histories have what was before.
    from: u64,
    /// The number of the last item of the topic that it has been told.
    serial: u64,
    /// Whether it has to get the history first.
    is_behind: bool,
    /// Whether it has got one.
    is_live: bool,
    /// The keys that it has subscribers of, or produces.
    pub(super) keys: HashSet<Arc<str>>,
}

/// A part of what a worker is told before it is told of the log.
enum Part {
    Begin {
        topic: u32,
        fresh: bool,
        epoch: u64,
    },
    Item(u32, Arc<Item>),
    Key {
        topic: u32,
        key: Arc<str>,
        id: u64,
        number: u64,
        total: u32,
    },
    All(u32, u32),
    Live {
        topic: u32,
        serial: u64,
        /// When the last item came.
        last: Option<Instant>,
    },
}

fn place(item: &Item) -> ItemPlace {
    ItemPlace {
        channel: item.place.channel,
        number: item.place.number,
        serial: item.serial,
    }
}

/// The microseconds since then.
fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn write_item(topic: u32, item: &Item, known: bool, out: &mut Vec<u8>) {
    ToWorker::Item {
        topic,
        known,
        place: place(item),
        key: &item.key,
        text: item.text().raw(),
    }
    .write(out);
}

impl Peer {
    pub(super) fn new(id: u64, log: &Log) -> Self {
        Self {
            id,
            position: log.end(),
            attached: BTreeMap::new(),
            numbers: HashMap::new(),
            skipped: VecDeque::new(),
            produce: VecDeque::new(),
            refusals: 0,
            refused: VecDeque::new(),
            script: VecDeque::new(),
        }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// It has a topic, whose history it gets as it is now: what comes from now on, also from this worker
    /// itself, is for those who have subscribed there. Returns whether it had neither that number nor
    /// that topic.
    pub(super) fn attach(
        &mut self,
        number: u32,
        id: u64,
        topic: &SharedTopic,
        log_end: u64,
    ) -> bool {
        if self.attached.contains_key(&number) || self.numbers.contains_key(&id) {
            return false;
        }
        let attached = Attached {
            topic: id,
            from: 0,
            serial: 0,
            is_behind: false,
            is_live: false,
            keys: HashSet::new(),
        };
        self.numbers.insert(id, number);
        self.attached.insert(number, attached);
        self.prepare(number, Some(topic), log_end);
        true
    }

    pub(super) fn detach(&mut self, number: u32) -> Option<Attached> {
        let attached = self.attached.remove(&number)?;
        self.numbers.remove(&attached.topic);
        self.produce.retain(|(topic, ..)| *topic != number);
        Some(attached)
    }

    /// It has to start, or to stop, what publishes a key.
    pub(super) fn produce(&mut self, topic: u64, key: &Arc<str>, starts: bool) {
        if let Some(number) = self.numbers.get(&topic) {
            self.produce.push_back((*number, Arc::clone(key), starts));
        }
    }

    /// There is no room for a key, which the log will tell. Returns whether it may go on.
    pub(super) fn refuse(&mut self) -> bool {
        self.refusals += 1;
        self.refusals <= MAX_REFUSED
    }

    /// An entry has left the log.
    pub(super) fn left_the_log(&mut self, number: u64, entry: Entry) {
        if self.position > number {
            return;
        }
        match entry {
            Entry::Item { item, .. } => self.skipped.push_back(item.place.number),
            Entry::Refused { topic, key, .. } => self.refused.push_back((topic, key)),
            _ => {}
        }
    }

    /// Writes what comes next. Returns whether there was anything.
    pub(super) fn write(
        &mut self,
        log: &Log,
        topics: &BTreeMap<u64, SharedTopic>,
        out: &mut Vec<u8>,
    ) -> bool {
        if let Some(number) = self.skipped.pop_front() {
            ToWorker::Passed { number }.write(out);
        } else if let Some(part) = self.script.pop_front() {
            self.write_part(&part, out);
        } else if self.position < log.first() {
            // It has not kept up.
            self.position = log.first();
            let attached = self.attached.values_mut();
            attached.for_each(|attached| attached.is_behind = true);
        } else if let Some((number, topic)) = self.behind() {
            self.prepare(number, topics.get(&topic), log.end());
        } else if let Some((topic, key)) = self.refused.pop_front() {
            // Behind the history, which says what has become of the key.
            self.write_refused(topic, &key, out);
        } else if let Some((topic, key, starts)) = self.produce.pop_front() {
            let key = &*key;
            ToWorker::Produce { topic, starts, key }.write(out);
        } else if let Some(entry) = log.get(self.position) {
            self.position += 1;
            self.write_entry(self.position - 1, entry, out);
        } else {
            return false;
        }
        true
    }

    /// A topic of which it gets the history now. Those that it has not got yet come first: else one that
    /// is published faster than the worker reads would hold up the others, and the start of the worker.
    fn behind(&self) -> Option<(u32, u64)> {
        let attached = self.attached.iter();
        let behind = attached.filter(|(_, attached)| attached.is_behind);
        let (number, attached) = behind.min_by_key(|(_, attached)| attached.is_live)?;
        Some((*number, attached.topic))
    }

    /// Prepares the history of a topic, up to the end of the log.
    fn prepare(&mut self, number: u32, topic: Option<&SharedTopic>, end: u64) {
        let Some(attached) = self.attached.get_mut(&number) else {
            return;
        };
        attached.is_behind = false;
        attached.from = end;
        let Some(topic) = topic else {
            return;
        };
        let keys = &topic.keys;
        self.script.push_back(Part::Begin {
            topic: number,
            fresh: !attached.is_live,
            epoch: keys.epoch,
        });
        let items = keys.all_after(attached.serial, keys.serial);
        let items = items.into_iter().map(|item| Part::Item(number, item));
        self.script.extend(items);
        let (totals, all) = topic.totals();
        let totals = totals.map(|(key, id, last, total)| Part::Key {
            topic: number,
            key: Arc::clone(key),
            id,
            number: last,
            total,
        });
        self.script.extend(totals);
        self.script.push_back(Part::All(number, all));
        self.script.push_back(Part::Live {
            topic: number,
            serial: keys.serial,
            last: topic.last_item,
        });
    }

    fn write_part(&mut self, part: &Part, out: &mut Vec<u8>) {
        let number = match part {
            Part::Begin { topic, .. }
            | Part::Item(topic, _)
            | Part::Key { topic, .. }
            | Part::All(topic, _)
            | Part::Live { topic, .. } => *topic,
        };
        let Some(attached) = self.attached.get_mut(&number) else {
            return;
        };
        match part {
            Part::Begin {
                topic,
                fresh,
                epoch,
            } => ToWorker::Begin {
                topic: *topic,
                fresh: *fresh,
                epoch: *epoch,
            }
            .write(out),
            Part::Item(topic, item) => {
                attached.serial = item.serial;
                write_item(*topic, item, true, out);
            }
            Part::Key {
                topic,
                key,
                id,
                number,
                total,
            } => ToWorker::Key {
                topic: *topic,
                total: *total,
                id: *id,
                number: *number,
                key,
            }
            .write(out),
            Part::All(topic, total) => ToWorker::All {
                topic: *topic,
                total: *total,
            }
            .write(out),
            Part::Live {
                topic,
                serial,
                last,
            } => {
                attached.is_live = true;
                attached.serial = *serial;
                ToWorker::Live {
                    topic: *topic,
                    serial: *serial,
                    quiet: last.map_or(u64::MAX, micros),
                }
                .write(out);
            }
        }
    }

    fn write_refused(&mut self, topic: u64, key: &str, out: &mut Vec<u8>) {
        self.refusals = self.refusals.saturating_sub(1);
        if let Some(&topic) = self.numbers.get(&topic) {
            ToWorker::Refused { topic, key }.write(out);
        }
    }

    fn write_entry(&mut self, at: u64, entry: &Entry, out: &mut Vec<u8>) {
        let (Entry::Item { topic, .. }
        | Entry::Key { topic, .. }
        | Entry::All { topic, .. }
        | Entry::Answer { topic, .. }
        | Entry::Refused { topic, .. }
        | Entry::Vanished { topic, .. }) = entry;
        if let Entry::Refused { worker, key, .. } = entry {
            if *worker == self.id {
                self.write_refused(*topic, key, out);
            }
            return;
        }
        let number = self.numbers.get(topic).copied();
        // Of what was before, the history tells.
        let told = number.and_then(|number| Some((number, self.attached.get_mut(&number)?)));
        let told = told.filter(|(_, attached)| attached.from <= at);
        match (entry, told) {
            (
                Entry::Item {
                    item,
                    origin,
                    known,
                    ..
                },
                Some((number, attached)),
            ) => {
                attached.serial = item.serial;
                match *origin == self.id {
                    true => ToWorker::Own {
                        known: *known,
                        place: place(item),
                    }
                    .write(out),
                    false => write_item(number, item, *known, out),
                }
            }
            (Entry::Item { item, origin, .. }, None) if *origin == self.id => {
                let number = item.place.number;
                ToWorker::Passed { number }.write(out);
            }
            (
                Entry::Key {
                    key,
                    id,
                    number,
                    total,
                    ..
                },
                Some((topic, _)),
            ) => ToWorker::Key {
                topic,
                total: *total,
                id: *id,
                number: *number,
                key,
            }
            .write(out),
            (Entry::All { total, .. }, Some((topic, _))) => ToWorker::All {
                topic,
                total: *total,
            }
            .write(out),
            (Entry::Vanished { key, id, .. }, Some((topic, _))) => ToWorker::Vanished {
                topic,
                id: *id,
                key,
            }
            .write(out),
            (
                Entry::Answer {
                    worker, question, ..
                },
                Some((topic, _)),
            ) => {
                if *worker == self.id {
                    let question = *question;
                    ToWorker::Answer { topic, question }.write(out);
                }
            }
            (Entry::Refused { .. }, _) | (_, None) => {}
        }
    }
}
