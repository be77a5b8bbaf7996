//! One worker, as its supervisor sees it: what it has taken, and what it is to be told.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use super::super::link::buffer::Malformed;
use super::super::link::frame::ToWorker;
use super::super::published::NotPublished;
use super::attached::Attached;
use super::log::{Entry, Log, Origin};
use super::script::{Part, history, place, write_item};
use super::shared_topic::SharedTopic;

/// A worker that is refused this many keys without reading the answers has gone wrong.
const MAX_REFUSED: usize = 65_536;

/// The most answers about items that may wait for a worker. It waits with so many before that it publishes
/// no more.
const MAX_ANSWERS: usize = 1 << 22;

/// The most starts and stops of what publishes keys that may wait for a worker.
const MAX_PRODUCE: usize = 1 << 20;

/// The most topics of a worker.
const MAX_TOPICS: usize = 1 << 18;

/// A worker.
pub(super) struct Peer {
    id: u64,
    /// The number of the next entry of the log.
    position: u64,
    /// Items of this worker that a broker has to number, and their bytes.
    pub(super) unnumbered: (usize, usize),
    /// Its topics, by the numbers that it has given them.
    pub(super) attached: BTreeMap<u32, Attached>,
    /// Those numbers, by topic.
    numbers: HashMap<u64, u32>,
    /// What has become of items of this worker that it is not told of by the log.
    answers: VecDeque<(Origin, Result<u64, NotPublished>)>,
    /// What it has to start and to stop.
    produce: VecDeque<(u32, Arc<str>, bool)>,
    /// How many keys were refused that it has not been told.
    refusals: usize,
    /// Those of them that have left the log.
    refused: VecDeque<(u64, Arc<str>)>,
    /// What comes before the log: histories and keys.
    script: VecDeque<Part>,
    /// Whether topics may be behind.
    any_behind: bool,
}

impl Peer {
    pub(super) fn new(id: u64, log: &Log) -> Self {
        Self {
            id,
            position: log.end(),
            unnumbered: (0, 0),
            attached: BTreeMap::new(),
            numbers: HashMap::new(),
            answers: VecDeque::new(),
            produce: VecDeque::new(),
            refusals: 0,
            refused: VecDeque::new(),
            script: VecDeque::new(),
            any_behind: false,
        }
    }

    /// Whether it may have another topic, with this number.
    pub(super) fn may_attach(&self, number: u32) -> bool {
        self.attached.len() < MAX_TOPICS && !self.attached.contains_key(&number)
    }

    /// Whether more waits for it than for a worker that does as it should.
    pub(super) fn has_gone_wrong(&self) -> bool {
        self.answers.len() > MAX_ANSWERS || self.produce.len() > MAX_PRODUCE
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// It has a topic, whose history it gets as it is now: what comes from now on, also from this worker
    /// itself, is for those who have subscribed there. The number is one that it [may](Self::may_attach) use.
    ///
    /// # Errors
    ///
    /// If it has that topic already.
    pub(super) fn attach(
        &mut self,
        number: u32,
        id: u64,
        topic: &SharedTopic,
        log_end: u64,
    ) -> Result<(), Malformed> {
        if self.numbers.contains_key(&id) {
            return Err(Malformed);
        }
        self.numbers.insert(id, number);
        self.attached.insert(number, Attached::new(id));
        match topic.is_ready {
            true => self.prepare(number, Some(topic), log_end),
            false => self.any_behind = true,
        }
        Ok(())
    }

    /// A topic begins anew, if this worker has it: it gets the history when there is one.
    pub(super) fn renew(&mut self, topic: u64) {
        let number = self.numbers.get(&topic).copied();
        if let Some(number) = number
            && let Some(attached) = self.attached.get_mut(&number)
        {
            attached.renew();
            self.any_behind = true;
            self.script.retain(|part| part.topic() != number);
        }
    }

    /// Tells what has become of an item.
    pub(super) fn answer(&mut self, origin: Origin, outcome: Result<u64, NotPublished>) {
        self.answers.push_back((origin, outcome));
    }

    /// It will be told nothing more.
    pub(super) fn forget_what_waits(&mut self) {
        self.script.clear();
        self.produce.clear();
    }

    pub(super) fn detach(&mut self, number: u32) -> Option<Attached> {
        let attached = self.attached.remove(&number)?;
        self.numbers.remove(&attached.topic);
        self.produce.retain(|(topic, ..)| *topic != number);
        self.script.retain(|part| part.topic() != number);
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
            Entry::Item { item, origin, .. } => self.answer(origin, Ok(item.place.number)),
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
        if let Some((Origin { topic, nth, .. }, outcome)) = self.answers.pop_front() {
            match outcome {
                Ok(number) => ToWorker::Passed { topic, nth, number }.write(out),
                Err(why) => ToWorker::Failed { topic, nth, why }.write(out),
            }
        } else if let Some(part) = self.script.pop_front() {
            self.write_part(&part, out);
        } else if self.position < log.first() {
            self.fall_behind(log);
        } else if let Some((number, topic)) = self.behind(topics) {
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

    /// It has not kept up. It gets the histories, which have what is in the log by now. So what it has to take
    /// does not fill the log meanwhile, and it catches up however much it has to be told.
    fn fall_behind(&mut self, log: &Log) {
        for number in log.first()..log.end() {
            if let Some(entry) = log.get(number)
                && entry.concerns(self.id)
            {
                self.left_the_log(number, entry.clone());
            }
        }
        self.position = log.end();
        self.any_behind = true;
        let attached = self.attached.values_mut();
        attached.for_each(|attached| attached.is_behind = true);
    }

    /// A topic of which it gets the history now. Those that it has not got yet come first: else one that
    /// is published faster than the worker reads would hold up the others, and the start of the worker.
    fn behind(&mut self, topics: &BTreeMap<u64, SharedTopic>) -> Option<(u32, u64)> {
        if !self.any_behind {
            return None;
        }
        let attached = self.attached.iter();
        let behind = attached.filter(|(_, attached)| attached.is_behind);
        let mut behind = behind.peekable();
        self.any_behind = behind.peek().is_some();
        let is_ready = |topic| topics.get(topic).is_none_or(|topic| topic.is_ready);
        let ready = behind.filter(|(_, attached)| is_ready(&attached.topic));
        let next = ready.min_by_key(|(_, attached)| attached.is_live);
        next.map(|(number, attached)| (*number, attached.topic))
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
        self.script.extend(history(number, topic, attached));
    }

    fn write_part(&mut self, part: &Part, out: &mut Vec<u8>) {
        if let Some(attached) = self.attached.get_mut(&part.topic()) {
            part.write(attached, out);
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
                match origin.worker == self.id {
                    true => ToWorker::Own {
                        topic: number,
                        nth: origin.nth,
                        known: *known,
                        place: place(item),
                    }
                    .write(out),
                    false => write_item(number, item, *known, out),
                }
            }
            (Entry::Item { item, origin, .. }, None) if origin.worker == self.id => {
                ToWorker::Passed {
                    topic: origin.topic,
                    nth: origin.nth,
                    number: item.place.number,
                }
                .write(out);
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
