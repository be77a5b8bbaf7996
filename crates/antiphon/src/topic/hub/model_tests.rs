//! Random use of topics by workers that come, go, die and are slow, and what must be true then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use super::super::feed::Feed;
use super::super::gaps::Missed;
use super::super::link::buffer::Frames;
use super::super::link::worker_end::Link;
use super::super::published::{PublishError, Published};
use super::super::queue::{Next, Over, QueueLimits};
use super::super::{Overflow, Topic, TopicBuilder};
use super::exchange::Hub;
use crate::memory_budget::Account;

const KEYS: [&str; 3] = ["a", "b", "c"];

pub(super) type Item = (String, u64);

/// Numbers from a fixed seed (xorshift).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// A subscriber, and what it has seen.
pub(super) struct Reader {
    pub(super) feed: Feed,
    /// `None` for all keys.
    key: Option<&'static str>,
    /// The number of the last item, if it is known where it has begun.
    seen: Option<u64>,
    /// Whether it was there before its worker had the history.
    is_early: bool,
    /// Items that were said to be missing, and have not been missed yet.
    owed: u64,
    cursor: Option<String>,
}

/// A worker, and the bytes on their way.
pub(super) struct Worker {
    pub(super) peer: u64,
    pub(super) link: Arc<Link>,
    pub(super) topic: Topic<Item>,
    up: (Vec<u8>, Frames),
    down: (Vec<u8>, Frames),
    pub(super) readers: Vec<Reader>,
    published: Vec<(&'static str, u64, Published)>,
    /// Keys that it produces.
    pub(super) produces: Arc<Mutex<BTreeSet<String>>>,
}

fn nobody() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl Worker {
    pub(super) fn new(hub: &mut Hub, history: usize) -> Self {
        Self::with(hub, Topic::builder("model").history(history))
    }

    pub(super) fn with(hub: &mut Hub, topic: TopicBuilder<Item>) -> Self {
        let link = Link::new();
        let produces = Arc::new(Mutex::new(BTreeSet::new()));
        let (first, last) = (Arc::clone(&produces), Arc::clone(&produces));
        let topic = topic
            .on_first(move |key| assert!(first.lock().unwrap().insert(key.to_owned())))
            .on_last(move |key| assert!(last.lock().unwrap().remove(key)))
            .build();
        topic.core().follow(&link, "model", 0);
        Self {
            peer: hub.connect(),
            link,
            topic,
            up: Default::default(),
            down: Default::default(),
            readers: Vec::new(),
            published: Vec::new(),
            produces,
        }
    }

    /// Moves at most this many bytes to the supervisor. Returns whether there were any.
    pub(super) fn up(&mut self, hub: &mut Hub, most: usize) -> bool {
        let (bytes, frames) = &mut self.up;
        if bytes.is_empty() {
            self.link.poll_write(&nobody(), bytes);
        }
        let piece: Vec<_> = bytes.drain(..most.min(bytes.len())).collect();
        frames.add(&piece);
        while let Some(frame) = frames.next().unwrap() {
            hub.receive(self.peer, frame).unwrap();
        }
        !piece.is_empty()
    }

    pub(super) fn down(&mut self, hub: &mut Hub, most: usize) -> bool {
        let (bytes, frames) = &mut self.down;
        if bytes.is_empty() {
            hub.poll_write(self.peer, &nobody(), bytes);
        }
        let piece: Vec<_> = bytes.drain(..most.min(bytes.len())).collect();
        frames.add(&piece);
        while let Some(frame) = frames.next().unwrap() {
            self.link.receive(frame).unwrap();
        }
        !piece.is_empty()
    }

    pub(super) fn subscribe(&mut self, key: Option<&'static str>, after: Option<(String, u64)>) {
        let subscription = match key {
            Some(key) => self.topic.subscribe(key),
            None => self.topic.subscribe_all(),
        };
        let mut feed = subscription.into_feed();
        let limits = QueueLimits {
            items: 1_000_000,
            bytes: 1 << 30,
        };
        feed.begin(limits, Some(Overflow::Disconnect), &Account::unlimited());
        if let Some((cursor, _)) = &after {
            feed.resume(cursor);
        }
        self.readers.push(Reader {
            feed,
            key,
            seen: after.as_ref().map(|(_, number)| *number),
            is_early: !self.topic.core().lock().live,
            owed: 0,
            cursor: after.map(|(cursor, _)| cursor),
        });
    }
}

/// What anybody has learned of the order.
#[derive(Default)]
struct Known {
    /// Key (none for the order of all), number, value.
    items: BTreeMap<(Option<&'static str>, u64), u64>,
    /// Cursors of readers that have gone.
    past: Vec<(Option<&'static str>, String, u64)>,
}

impl Known {
    fn item(&mut self, key: Option<&'static str>, number: u64, value: u64) {
        let known = self.items.insert((key, number), value);
        assert!(known.is_none_or(|known| known == value), "{key:?} {number}");
    }

    /// Takes all that a reader has, and compares.
    fn read(&mut self, reader: &mut Reader) {
        loop {
            let (item, missed) = match reader.feed.next() {
                Next::Item { item, missed, .. } => (item, missed),
                Next::Empty => return,
                // Of a worker that has died.
                Next::Over {
                    why: Over::CutOff, ..
                } => return,
                over @ Next::Over { .. } => panic!("{over:?}"),
            };
            let cursor = item.cursor(reader.key.is_none());
            let (_, number) = cursor.rsplit_once('-').unwrap();
            let number = u64::from_str_radix(number, 16).unwrap();
            let (key, value): Item = serde_json::from_slice(item.json()).unwrap();
            assert!(reader.key.is_none_or(|own| own == key));
            self.item(reader.key, number, value);
            match (reader.seen, missed) {
                // The items of all keys that are missing are told at once, and are here and there.
                (Some(seen), missed) if reader.key.is_none() => {
                    if let Some(Missed::Some(count)) = missed {
                        reader.owed += count;
                    }
                    let gap = number - seen - 1;
                    assert!(gap <= reader.owed, "{number}, {seen}, {}", reader.owed);
                    reader.owed -= gap;
                }
                (Some(seen), None) => assert_eq!(number, seen + 1, "{:?}", reader.key),
                (Some(seen), Some(Missed::Some(count))) => {
                    assert_eq!(number, seen + 1 + count, "{:?}", reader.key);
                }
                (None, None | Some(Missed::Some(_))) => {}
                (None, Some(Missed::Unknown)) if reader.is_early => {}
                (_, Some(Missed::Unknown)) => panic!("{:?} {number}", reader.key),
            }
            (reader.seen, reader.cursor) = (Some(number), Some(cursor.into()));
            reader.is_early = false;
        }
    }

    /// Looks which items have their numbers.
    fn answers(&mut self, worker: &mut Worker) {
        worker.published.retain_mut(|(key, value, published)| {
            let mut published = std::pin::pin!(published);
            match published.as_mut().poll(&mut nobody()) {
                std::task::Poll::Pending => true,
                std::task::Poll::Ready(number) => {
                    self.item(Some(key), number.unwrap(), *value);
                    false
                }
            }
        });
    }
}

/// Lets everybody say and hear everything.
pub(super) fn settle(hub: &mut Hub, workers: &mut [Worker]) {
    loop {
        let moved = workers.iter_mut().map(|worker| {
            let up = worker.up(hub, usize::MAX);
            worker.down(hub, usize::MAX) || up
        });
        if moved.filter(|moved| *moved).count() == 0 {
            return;
        }
    }
}

#[test]
fn all_workers_see_one_order_whatever_happens_to_them() {
    for (seed, history, log) in [
        (1, 0, 1 << 20),
        (2, 5, 1 << 20),
        (3, 1000, 1 << 20),
        // So little that a worker which pauses has to start again.
        (4, 0, 3_000),
        (5, 5, 3_000),
        (6, 1000, 3_000),
        (7, 3, 1),
        (8, 1000, 1),
    ] {
        let seed = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed);
        run(&mut Random(seed), history, log, 4_000);
    }
}

fn run(random: &mut Random, history: usize, log: usize, steps: usize) {
    let mut hub = Hub::with_log(log);
    let mut known = Known::default();
    let mut workers: Vec<Worker> = (0..3).map(|_| Worker::new(&mut hub, history)).collect();
    let mut value = 0;
    // All know each other before it begins.
    settle(&mut hub, &mut workers);
    for _ in 0..steps {
        let at = random.below(workers.len());
        let key = KEYS[random.below(3)];
        match random.below(20) {
            0..6 => {
                value += 1;
                let worker = &mut workers[at];
                let published = worker.topic.publish(key, &(key.to_owned(), value));
                worker.published.push((key, value, published));
            }
            6..8 if workers[at].readers.len() < 6 => {
                let key = Some(key).filter(|_| random.below(4) > 0);
                let of_key = known.past.iter().filter(|(of, ..)| *of == key);
                let of_key: Vec<_> = of_key.collect();
                let after = (!of_key.is_empty() && random.below(2) == 0).then(|| {
                    let (_, cursor, number) = of_key[random.below(of_key.len())];
                    (cursor.clone(), *number)
                });
                workers[at].subscribe(key, after);
            }
            8 if !workers[at].readers.is_empty() => {
                let readers = &mut workers[at].readers;
                let mut reader = readers.swap_remove(random.below(readers.len()));
                known.read(&mut reader);
                if let (Some(cursor), Some(seen)) = (reader.cursor, reader.seen) {
                    known.past.push((reader.key, cursor, seen));
                }
            }
            9 if random.below(10) == 0 => {
                // One dies, in the middle of what it says and hears. Another one comes.
                let mut dead = workers.swap_remove(at);
                dead.link.end();
                known.answers_of_dead(&mut dead);
                for mut reader in dead.readers.drain(..) {
                    known.read(&mut reader);
                    if let (Some(cursor), Some(seen)) = (reader.cursor, reader.seen) {
                        known.past.push((reader.key, cursor, seen));
                    }
                }
                hub.disconnect(dead.peer);
                workers.push(Worker::new(&mut hub, history));
            }
            10..13 => drop(workers[at].up(&mut hub, 1 + random.below(2_000))),
            13..16 => drop(workers[at].down(&mut hub, 1 + random.below(2_000))),
            _ => {
                let worker = &mut workers[at];
                known.answers(worker);
                for reader in &mut worker.readers {
                    known.read(reader);
                }
            }
        }
        let producers = |key: &&str| {
            let produces = |worker: &&Worker| worker.produces.lock().unwrap().contains(*key);
            workers.iter().filter(produces).count()
        };
        assert!(KEYS.iter().all(|key| producers(key) <= 1));
    }
    settle(&mut hub, &mut workers);
    for worker in &mut workers {
        known.answers(worker);
        assert!(worker.published.is_empty());
        for reader in &mut worker.readers {
            known.read(reader);
        }
    }
    check_settled(&mut hub, &mut workers, &mut known, history);
}

/// Everybody has heard everything, or how much is missing.
fn check_settled(hub: &mut Hub, workers: &mut Vec<Worker>, known: &mut Known, history: usize) {
    for key in KEYS {
        let here = |worker: &Worker| {
            let mut readers = worker.readers.iter();
            readers.any(|reader| reader.key == Some(key))
        };
        let subscribed = workers.iter().any(here);
        let producing = workers
            .iter()
            .filter(|worker| worker.produces.lock().unwrap().contains(key));
        assert_eq!(producing.count(), usize::from(subscribed), "{key}");
        let count = |worker: &Worker| {
            let readers = worker.readers.iter();
            readers.filter(|reader| reader.key == Some(key)).count()
        };
        let all: usize = workers.iter().map(count).sum();
        for worker in &*workers {
            assert_eq!(worker.topic.subscribers(key), all, "{key}");
        }
    }
    // One more item of each key reaches all, with what is missing before it.
    for key in KEYS {
        let published = workers[0].topic.publish(key, &(key.to_owned(), u64::MAX));
        workers[0].published.push((key, u64::MAX, published));
        settle(hub, workers);
        known.answers(&mut workers[0]);
        let number = |of: &(Option<&str>, u64)| (of.0 == Some(key)).then_some(of.1);
        let last = known.items.keys().filter_map(number).max().unwrap();
        for worker in &mut *workers {
            for reader in &mut worker.readers {
                known.read(reader);
                assert!(reader.key != Some(key) || reader.seen == Some(last));
            }
        }
    }
    // A worker that starts has the history.
    let mut late = Worker::new(hub, history);
    late.subscribe(Some("a"), Some(("0-0-0".to_owned(), 0)));
    workers.push(late);
    settle(hub, workers);
    let number = |of: &(Option<&str>, u64)| (of.0 == Some("a")).then_some(of.1);
    let last = known.items.keys().filter_map(number).max().unwrap();
    let mut found = Vec::new();
    let reader = &workers.last().unwrap().readers[0];
    while let Next::Item { item, missed, .. } = reader.feed.next() {
        assert_eq!(missed.is_some(), found.is_empty());
        let value = serde_json::from_slice::<Item>(item.json()).unwrap().1;
        assert!(known.items.get(&(Some("a"), item.place.number)) == Some(&value) || value > 0);
        found.push(item.place.number);
    }
    let first = (last + 1).saturating_sub(history as u64).max(1);
    assert_eq!(found, (first..=last).collect::<Vec<_>>());
}

impl Known {
    /// A worker has died: what was answered is sure.
    fn answers_of_dead(&mut self, worker: &mut Worker) {
        for (key, value, mut published) in worker.published.drain(..) {
            let published = std::pin::Pin::new(&mut published);
            match published.poll(&mut nobody()) {
                std::task::Poll::Ready(Ok(number)) => self.item(Some(key), number, value),
                std::task::Poll::Ready(Err(PublishError::Disconnected)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}
