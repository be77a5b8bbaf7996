//! Exchange between the workers of a supervisor: who comes and goes, and what they say.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::task::{Context, Waker};

use super::super::item::{Item, Text};
use super::super::keys::{HistoryLimits, MAX_KEY};
use super::super::link::buffer::{MAX_NAME, MAX_TEXT, Malformed};
use super::super::link::frame::ToHub;
use super::broker_queue::BrokerQueue;
use super::log::{Entry, Log, MAX_BYTES, Origin};
use super::peer::Peer;
use super::shared_topic::{Produce, SharedTopic, TooManyKeys};

/// About how many bytes are written at once.
const BATCH: usize = 64 * 1024;

/// The most topics that are kept though no worker has them, until one comes that does.
const MAX_ABANDONED: usize = 256;

/// The topics of all workers.
pub(crate) struct Hub {
    pub(super) topics: BTreeMap<u64, SharedTopic>,
    /// The topic of this name, and the first, second… of it.
    pub(super) names: HashMap<(Box<str>, u32), u64>,
    last_topic: u64,
    /// Topics of workers that have died, from the oldest on.
    abandoned: VecDeque<u64>,
    pub(super) peers: BTreeMap<u64, Peer>,
    last_peer: u64,
    log: Log,
    /// Tasks of workers for which there was nothing to write.
    sleepers: BTreeMap<u64, Waker>,
    /// The broker behind which there are other servers.
    pub(super) broker: Option<BrokerQueue>,
}

impl Default for Hub {
    fn default() -> Self {
        Self::with_log(MAX_BYTES)
    }
}

impl Hub {
    pub(super) fn with_log(bytes: usize) -> Self {
        Self {
            topics: BTreeMap::new(),
            names: HashMap::new(),
            last_topic: 0,
            abandoned: VecDeque::new(),
            peers: BTreeMap::new(),
            last_peer: 0,
            log: Log::new(bytes),
            sleepers: BTreeMap::new(),
            broker: None,
        }
    }

    /// A worker has come. Returns its number.
    pub(crate) fn connect(&mut self) -> u64 {
        self.last_peer += 1;
        let id = self.last_peer;
        self.peers.insert(id, Peer::new(id, &self.log));
        id
    }

    /// A worker has gone. What it has published stays, and so do its topics.
    pub(crate) fn disconnect(&mut self, peer: u64) {
        self.sleepers.remove(&peer);
        let Some(gone) = self.peers.get_mut(&peer) else {
            return;
        };
        gone.forget_what_waits();
        let numbers: Vec<_> = gone.attached.keys().copied().collect();
        for number in numbers {
            if let Some(topic) = self.detach(peer, number) {
                self.abandon(topic);
            }
        }
        self.peers.remove(&peer);
        self.forget_what_all_have_taken();
    }

    /// Keeps a topic that no worker has, until one comes.
    fn abandon(&mut self, topic: u64) {
        self.abandoned.push_back(topic);
        while self.abandoned.len() > MAX_ABANDONED
            && let Some(topic) = self.abandoned.pop_front()
        {
            self.remove(topic);
        }
    }

    /// Takes note of a message of a worker.
    ///
    /// # Errors
    ///
    /// If it is none, or not possible now. The worker has gone wrong then.
    pub(crate) fn receive(&mut self, peer: u64, frame: &[u8]) -> Result<(), Malformed> {
        let mut entries = Vec::new();
        match ToHub::read(frame)? {
            ToHub::Register {
                topic: number,
                nth,
                limits,
                keys,
                name,
            } => {
                let may = |peer: &Peer| peer.may_attach(number) && name.len() <= MAX_NAME;
                if !self.peers.get(&peer).is_some_and(may) {
                    return Err(Malformed);
                }
                let id = self.open(
                    name,
                    nth,
                    limits,
                    usize::try_from(keys).unwrap_or(usize::MAX),
                );
                let worker = self.peers.get_mut(&peer).ok_or(Malformed)?;
                let topic = self.topics.get_mut(&id).ok_or(Malformed)?;
                worker.attach(number, id, topic, self.log.end())?;
                topic.workers.insert(peer);
            }
            ToHub::Unregister { topic, keeps } => match self.detach(peer, topic) {
                Some(topic) if keeps => self.abandon(topic),
                Some(topic) => self.remove(topic),
                None => {}
            },
            ToHub::Publish {
                topic: number,
                key,
                text,
            } => {
                let topic = self.topic(peer, number).ok_or(Malformed)?;
                if key.len() > MAX_KEY {
                    return Err(Malformed);
                }
                let text = Text::of_raw(text)?;
                if Item::bytes_of(key, &text) > MAX_TEXT {
                    return Err(Malformed);
                }
                let id = topic.id;
                let origin = self.origin(peer, number).ok_or(Malformed)?;
                self.publish(id, origin, key, text, &mut entries);
            }
            ToHub::Ask { topic, question } => {
                let topic = self.topic(peer, topic).ok_or(Malformed)?.id;
                self.ask(topic, peer, question, &mut entries);
            }
            ToHub::Stopped { topic: number, key } => {
                let topic = self.topic(peer, number).ok_or(Malformed)?;
                let produce = topic.stopped(peer, key, &mut entries);
                self.note(peer, number, key, produce);
            }
            ToHub::Subscribers {
                topic: number,
                count,
                key,
            } => {
                let topic = self.topic(peer, number).ok_or(Malformed)?;
                match key {
                    None => topic.set_all(peer, count, &mut entries),
                    Some(key) if key.len() > MAX_KEY => return Err(Malformed),
                    Some(key) => match topic.set_count(peer, key, count, &mut entries) {
                        Ok(produce) => self.note(peer, number, key, produce),
                        Err(TooManyKeys) => {
                            let topic = topic.id;
                            let worker = self.peers.get_mut(&peer).ok_or(Malformed)?;
                            if !worker.refuse() {
                                return Err(Malformed);
                            }
                            entries.push(Entry::Refused {
                                topic,
                                worker: peer,
                                key: key.into(),
                            });
                        }
                    },
                }
            }
        }
        self.add(entries);
        self.wake();
        let worker = self.peers.get(&peer);
        match worker.is_some_and(Peer::has_gone_wrong) {
            true => Err(Malformed),
            false => Ok(()),
        }
    }

    /// Writes what a worker is to be told, or wakes its task when there is something.
    pub(crate) fn poll_write(&mut self, peer: u64, cx: &Context<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let Some(worker) = self.peers.get_mut(&peer) else {
            return;
        };
        let position = worker.position();
        while out.len() < start + BATCH && worker.write(&self.log, &self.topics, out) {}
        let has_moved = worker.position() != position;
        match out.len() == start {
            true => drop(self.sleepers.insert(peer, cx.waker().clone())),
            false => drop(self.sleepers.remove(&peer)),
        }
        if has_moved && position <= self.log.first() {
            self.forget_what_all_have_taken();
        }
    }

    /// The topic of this name, with the limits of the worker that has come last.
    fn open(&mut self, name: &str, nth: u32, limits: HistoryLimits, keys: usize) -> u64 {
        let slot = (name.into(), nth);
        if let Some(&id) = self.names.get(&slot)
            && let Some(topic) = self.topics.get_mut(&id)
        {
            topic.set_limits(limits, keys);
            self.abandoned.retain(|abandoned| *abandoned != id);
            return id;
        }
        self.last_topic += 1;
        let id = self.last_topic;
        let topic = SharedTopic::new(id, name, limits, keys);
        self.topics.insert(id, topic);
        self.names.insert(slot, id);
        self.opened(id, name, nth, limits);
        id
    }

    /// The next item of a worker and a topic.
    fn origin(&mut self, worker: u64, topic: u32) -> Option<Origin> {
        let attached = self.peers.get_mut(&worker)?.attached.get_mut(&topic)?;
        attached.published += 1;
        Some(Origin {
            worker,
            topic,
            nth: attached.published - 1,
        })
    }

    /// The topic that has this number at a worker.
    fn topic(&mut self, peer: u64, number: u32) -> Option<&mut SharedTopic> {
        let attached = self.peers.get(&peer)?.attached.get(&number)?;
        self.topics.get_mut(&attached.topic)
    }

    /// A worker has a topic no more. Returns the topic if no other worker has it.
    fn detach(&mut self, peer: u64, number: u32) -> Option<u64> {
        let attached = self.peers.get_mut(&peer)?.detach(number)?;
        let topic = self.topics.get_mut(&attached.topic)?;
        let mut entries = Vec::new();
        topic.workers.remove(&peer);
        let mut produced = Vec::new();
        for key in &attached.keys {
            produced.extend(topic.leave(peer, key, &mut entries));
        }
        topic.set_all(peer, 0, &mut entries);
        let is_abandoned = topic.workers.is_empty();
        for produce in produced {
            self.tell(attached.topic, &produce);
        }
        self.add(entries);
        self.wake();
        is_abandoned.then_some(attached.topic)
    }

    fn remove(&mut self, topic: u64) {
        self.removed(topic);
        self.names.retain(|_, known| *known != topic);
    }

    /// Keeps in mind which keys concern a worker, and tells the one that has to start or to stop.
    fn note(&mut self, peer: u64, number: u32, key: &str, produce: Option<Produce>) {
        let Some(worker) = self.peers.get_mut(&peer) else {
            return;
        };
        let Some(attached) = worker.attached.get_mut(&number) else {
            return;
        };
        let topic = attached.topic;
        match self.topics.get(&topic) {
            Some(shared) if shared.concerns(peer, key) => drop(attached.keys.insert(key.into())),
            _ => drop(attached.keys.remove(key)),
        }
        if let Some(produce) = produce {
            self.tell(topic, &produce);
        }
    }

    fn tell(&mut self, topic: u64, produce: &Produce) {
        let Some(worker) = self.peers.get_mut(&produce.worker) else {
            return;
        };
        worker.produce(topic, &produce.key, produce.starts);
        let concerns = self
            .topics
            .get(&topic)
            .is_some_and(|topic| topic.concerns(produce.worker, &produce.key));
        let mut attached = worker.attached.values_mut();
        if let Some(attached) = attached.find(|attached| attached.topic == topic) {
            match concerns {
                true => drop(attached.keys.insert(produce.key.clone())),
                false => drop(attached.keys.remove(&produce.key)),
            }
        }
    }

    /// Adds to the log. What is beyond its limit goes; who has not taken it gets the histories.
    pub(super) fn add(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.log.add(entry);
        }
        while self.log.is_too_long() && self.take_first().is_some() {}
    }

    fn take_first(&mut self) -> Option<()> {
        let (number, entry) = self.log.take_first()?;
        let concerned = match &entry {
            Entry::Item { origin, .. } => &origin.worker,
            Entry::Refused { worker, .. } => worker,
            _ => return Some(()),
        };
        if let Some(concerned) = self.peers.get_mut(concerned) {
            concerned.left_the_log(number, entry);
        }
        Some(())
    }

    fn forget_what_all_have_taken(&mut self) {
        let positions = self.peers.values().map(Peer::position);
        let taken = positions.min().unwrap_or(self.log.end());
        while self.log.first() < taken && self.take_first().is_some() {}
    }

    pub(super) fn wake(&mut self) {
        for (_, sleeper) in std::mem::take(&mut self.sleepers) {
            sleeper.wake();
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").finish_non_exhaustive()
    }
}
