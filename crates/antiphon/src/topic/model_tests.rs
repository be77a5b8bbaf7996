//! Random use of a topic beside a model of it; one order for many threads.

use std::collections::{BTreeMap, VecDeque};

use super::feed::Feed;
use super::gaps::Missed;
use super::queue::{Next, Over, QueueLimits};
use super::{Cursor, Overflow, Topic};
use crate::memory_budget::account::Account;

const KEYS: [&str; 3] = ["a", "b", "c"];

/// The most items in a queue.
const QUEUED: usize = 4;

/// Numbers from a fixed seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// An item of the model: its key, number, serial and value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Made {
    key: usize,
    number: u64,
    serial: u64,
}

/// What a subscriber of the model waits for.
struct Reader {
    feed: Feed,
    key: Option<usize>,
    overflow: Overflow,
    even: bool,
    queue: VecDeque<(u64, Made)>,
    /// The number of the last item of the history.
    replayed: u64,
    /// By how much the queue may be longer.
    extra: usize,
    seq: u64,
    missed: Option<Missed>,
    over: bool,
    /// The last item that it has taken, with the incarnation of its key.
    seen: Option<(Cursor, u64, u64)>,
}

impl Reader {
    fn push(&mut self, item: Made) {
        if self.over || (self.even && !item.serial.is_multiple_of(2)) {
            return;
        }
        self.seq += 1;
        match self.overflow {
            Overflow::LatestOnly => {
                self.queue.clear();
                self.extra = 0;
            }
            Overflow::Conflate => {
                let replayed = self.replayed;
                self.queue
                    .retain(|(seq, queued)| *seq <= replayed || queued.key != item.key);
            }
            _ => {}
        }
        let full = |queue: &VecDeque<_>| queue.len() >= self.extra + QUEUED && !queue.is_empty();
        if full(&self.queue) {
            match self.overflow {
                Overflow::Disconnect => return self.over = true,
                Overflow::DropNewest => return,
                _ => drop(self.queue.pop_front()),
            }
        }
        self.queue.push_back((self.seq, item));
    }

    /// Takes one from both and compares.
    fn take(&mut self, incarnations: &[u64; 3]) {
        let next = self.feed.next();
        let Some((seq, item)) = self.queue.pop_front() else {
            match next {
                Next::Empty => assert!(!self.over),
                Next::Over { why, seq, missed } => {
                    let expected = (Over::Lagged, self.seq, self.missed.take());
                    assert!(self.over && (why, seq, missed) == expected, "{missed:?}");
                }
                Next::Item { item, .. } => panic!("{item:?} too many"),
            }
            return;
        };
        self.extra = match self.queue.is_empty() {
            true => 0,
            false => self.extra.saturating_sub(1),
        };
        let Next::Item {
            seq: found,
            item: text,
            missed,
            more,
        } = next
        else {
            panic!("{item:?} is missing: {next:?}");
        };
        assert_eq!(more, !self.queue.is_empty() || self.over);
        assert_eq!((found, missed), (seq, self.missed.take()), "{item:?}");
        let json = format!("[{},{}]", item.key, item.serial);
        assert_eq!(std::str::from_utf8(text.json()).unwrap(), json);
        let number = if self.key.is_some() {
            item.number
        } else {
            item.serial
        };
        let cursor = text.cursor(self.key.is_none());
        assert!(cursor.ends_with(&format!("-{number:x}")), "{cursor}");
        let incarnation = self.key.map_or(0, |key| incarnations[key]);
        self.seen = Some((Cursor::from(cursor), incarnation, number));
    }
}

/// Whatever is done, in whatever order: each subscriber finds what the model says.
#[test]
fn a_topic_does_what_its_model_does() {
    for (seed, history) in [
        (1, 0),
        (2, 0),
        (3, 1),
        (4, 3),
        (5, 3),
        (6, 20),
        (7, 20),
        (8, 100),
    ] {
        run(
            &mut Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed)),
            history,
            3_000,
        );
    }
}

fn run(random: &mut Random, history: usize, steps: usize) {
    let topic = Topic::<(usize, u64)>::builder("model")
        .history(history)
        .build();
    let mut readers: Vec<Reader> = Vec::new();
    // What was ever published; where each key began anew; how often.
    let mut log: Vec<Made> = Vec::new();
    let mut serial = 0;
    let (mut numbers, mut incarnations, mut births) = ([0; 3], [0; 3], 0);
    let mut lives = [false; 3];
    let mut past: Vec<(Option<usize>, Cursor, u64, u64)> = Vec::new();
    for _ in 0..steps {
        match random.below(10) {
            0..4 => {
                let key = random.below(3);
                let wanted = lives[key] || history > 0 || readers.iter().any(|r| r.key.is_none());
                if !lives[key] {
                    births += 1;
                    (numbers[key], incarnations[key]) = (0, births);
                    lives[key] = history > 0;
                }
                numbers[key] += 1;
                serial += 1;
                let made = Made {
                    key,
                    number: numbers[key],
                    serial,
                };
                let published = topic.publish(KEYS[key], &(key, serial));
                assert_eq!(published.number(), Some(made.number));
                if wanted {
                    log.push(made);
                    let follows = |reader: &&mut Reader| reader.key.is_none_or(|k| k == key);
                    readers
                        .iter_mut()
                        .filter(follows)
                        .for_each(|reader| reader.push(made));
                }
            }
            4 if readers.len() < 12 => {
                let key = Some(random.below(4)).filter(|key| *key < 3);
                let subscription = match key {
                    Some(key) => topic.subscribe(KEYS[key]),
                    None => topic.subscribe_all(),
                };
                if let Some(key) = key.filter(|key| !lives[*key]) {
                    births += 1;
                    (lives[key], numbers[key], incarnations[key]) = (true, 0, births);
                }
                let even = random.below(3) == 0;
                let subscription = match even {
                    true => subscription.filter(|(_, serial)| serial % 2 == 0),
                    false => subscription,
                };
                let feed = subscription.into_feed();
                let overflow = [
                    Overflow::Disconnect,
                    Overflow::DropOldest,
                    Overflow::DropNewest,
                    Overflow::LatestOnly,
                    Overflow::Conflate,
                ][random.below(5)];
                let limits = QueueLimits {
                    items: QUEUED,
                    bytes: 1 << 20,
                };
                feed.begin(limits, Some(overflow), &Account::unlimited());
                let mut reader = Reader {
                    feed,
                    key,
                    overflow,
                    even,
                    queue: VecDeque::new(),
                    replayed: 0,
                    extra: 0,
                    seq: 0,
                    missed: None,
                    over: false,
                    seen: None,
                };
                let resumes = random.below(3) > 0 && !past.is_empty();
                if resumes {
                    let (of, cursor, incarnation, number) = &past[random.below(past.len())];
                    reader.feed.resume(cursor.as_str());
                    let same =
                        *of == key && key.is_none_or(|key| incarnations[key] == *incarnation);
                    let from = if same { *number } else { 0 };
                    let of_reader = |made: &&Made| {
                        key.is_none_or(|key| made.key == key && born(&log, made, key, numbers[key]))
                    };
                    let mine: Vec<_> = log.iter().filter(of_reader).copied().collect();
                    let kept = kept(&log, history, &numbers);
                    let place = |made: &Made| {
                        if key.is_some() {
                            made.number
                        } else {
                            made.serial
                        }
                    };
                    let later = match key {
                        Some(_) => mine.iter().filter(|made| place(made) > from).count() as u64,
                        // Also what nobody wanted to have.
                        None => serial - from,
                    };
                    let items: Vec<_> = mine
                        .iter()
                        .filter(|made| place(made) > from && kept.contains(&made.serial))
                        .collect();
                    reader.missed = match same {
                        false => Some(Missed::Unknown),
                        true => Some(later - items.len() as u64)
                            .filter(|count| *count > 0)
                            .map(Missed::Some),
                    };
                    for made in items
                        .into_iter()
                        .filter(|made| !even || made.serial % 2 == 0)
                    {
                        reader.seq += 1;
                        reader.queue.push_back((reader.seq, *made));
                    }
                    (reader.replayed, reader.extra) = (reader.seq, reader.queue.len());
                }
                readers.push(reader);
            }
            5 if !readers.is_empty() => {
                let reader = readers.swap_remove(random.below(readers.len()));
                if let Some((cursor, incarnation, number)) = reader.seen.clone() {
                    past.push((reader.key, cursor, incarnation, number));
                }
                let key = reader.key;
                drop(reader);
                if let Some(key) = key {
                    let followed = readers.iter().any(|reader| reader.key == Some(key));
                    let remembered = history > 0 && numbers[key] > 0;
                    lives[key] = followed || remembered;
                }
            }
            _ if !readers.is_empty() => {
                let at = random.below(readers.len());
                for _ in 0..random.below(6) {
                    readers[at].take(&incarnations);
                }
            }
            _ => {}
        }
        for (key, name) in KEYS.iter().enumerate() {
            let count = readers
                .iter()
                .filter(|reader| reader.key == Some(key))
                .count();
            assert_eq!(topic.subscribers(name), count);
        }
        assert_eq!(topic.keys(), lives.iter().filter(|lives| **lives).count());
    }
    drop(readers);
    assert_eq!(topic.held_bytes().1, 0);
    assert_eq!(topic.all_subscribers(), 0);
}

/// Whether an item belongs to the present incarnation of its key: to its last `number` items.
fn born(log: &[Made], made: &Made, key: usize, number: u64) -> bool {
    let later = log.iter().rev().filter(|other| other.key == key);
    later.take(number as usize).any(|other| other == made)
}

/// The serials of the items in histories.
fn kept(log: &[Made], history: usize, numbers: &[u64; 3]) -> Vec<u64> {
    let keys = 0..3;
    keys.flat_map(|key| {
        let own = log.iter().rev().filter(move |made| made.key == key);
        own.take(history.min(numbers[key] as usize))
            .map(|made| made.serial)
    })
    .collect()
}

/// Everybody sees one order, whoever publishes.
#[test]
fn many_threads_make_one_order() {
    let topic = Topic::<(usize, usize)>::builder("order").build();
    let feeds: Vec<_> = (0..3)
        .map(|n| match n {
            0 => topic.subscribe_all().into_feed(),
            _ => topic.subscribe("k").into_feed(),
        })
        .collect();
    let limits = QueueLimits {
        items: 100_000,
        bytes: 100_000_000,
    };
    for feed in &feeds {
        feed.begin(limits, None, &Account::unlimited());
    }
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let topic = topic.clone();
            scope.spawn(move || {
                for n in 0..500 {
                    assert!(topic.publish("k", &(thread, n)).number().is_some());
                }
            });
        }
    });
    let read = |feed: &Feed| {
        let mut all = Vec::new();
        while let Next::Item { item, seq, .. } = feed.next() {
            assert_eq!((seq, item.place.number), (all.len() as u64 + 1, seq));
            all.push(serde_json::from_slice::<(usize, usize)>(item.json()).unwrap());
        }
        all
    };
    let orders: Vec<_> = feeds.iter().map(read).collect();
    assert!(
        orders
            .iter()
            .all(|order| order.len() == 2000 && *order == orders[0])
    );
    let mut last = BTreeMap::new();
    for (thread, n) in &orders[0] {
        assert_eq!(last.insert(*thread, *n).map_or(0, |n| n + 1), *n);
    }
}

/// When the last clone of a topic is dropped, its subscriptions end behind what waits.
#[test]
fn a_topic_that_is_dropped_ends_its_subscriptions() {
    let topic = Topic::<u8>::builder("dropped").build();
    let feed = topic.subscribe("k").into_feed();
    topic.publish("k", &1);
    drop(topic.clone());
    topic.publish("k", &2);
    drop(topic);
    for seq in 1..=2 {
        assert!(matches!(feed.next(), Next::Item { seq: found, .. } if found == seq));
    }
    assert!(matches!(
        feed.next(),
        Next::Over {
            why: Over::Closed,
            seq: 2,
            missed: None
        }
    ));
}

/// Also if nobody was there when it was published.
#[test]
fn who_goes_on_behind_a_cursor_of_all_keys_learns_what_is_missing() {
    let topic = Topic::<u8>::builder("unheard").build();
    let feed = topic.subscribe_all().into_feed();
    topic.publish("a", &1);
    let Next::Item { item, .. } = feed.next() else {
        panic!("the item is missing");
    };
    drop(feed);
    let one = topic.subscribe("b");
    for key in ["a", "b", "c"] {
        topic.publish(key, &2);
    }
    drop(one);
    topic.publish("b", &3);
    let later = topic
        .subscribe_all()
        .after(&Cursor::from(item.cursor(true)));
    let later = later.into_feed();
    topic.publish("a", &4);
    let next = later.next();
    assert!(
        matches!(
            next,
            Next::Item {
                missed: Some(Missed::Some(4)),
                ..
            }
        ),
        "{next:?}"
    );
}

/// A filter does not hide that items were dropped before.
#[test]
fn items_that_were_dropped_before_a_filter_was_added_show_up() {
    let topic = Topic::<u64>::builder("gaps")
        .overflow(Overflow::DropOldest)
        .build();
    let subscription = topic.subscribe("k");
    for n in 1..=300 {
        topic.publish("k", &n);
    }
    let feed = subscription.filter(|_| true).into_feed();
    topic.publish("k", &301);
    let mut last = (0, 0);
    while let Next::Item { seq, item, .. } = feed.next() {
        last = (seq, serde_json::from_slice(item.json()).unwrap());
    }
    assert_eq!(last, (301, 301));
}
