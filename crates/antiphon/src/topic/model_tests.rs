//! Random use of a topic beside a model of it, and its memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::feed::Feed;
use super::queue::{Missed, Next, Over, QueueLimits};
use super::{Cursor, Overflow, Topic};
use crate::memory_budget::account::{Account, Accounts};

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
    replayed: usize,
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
            Overflow::LatestOnly => self.queue.clear(),
            Overflow::Conflate => self.queue.retain(|(_, queued)| queued.key != item.key),
            _ => {}
        }
        let full = |queue: &VecDeque<_>| queue.len() >= self.replayed + QUEUED && !queue.is_empty();
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
                Next::Over { why, seq } => {
                    assert_eq!((why, seq, self.over), (Over::Lagged, self.seq, true));
                }
                Next::Item { item, .. } => panic!("{item:?} too many"),
            }
            return;
        };
        if self.queue.is_empty() {
            self.replayed = 0;
        }
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
                let serial = log.last().map_or(0, |made| made.serial) + 1;
                let made = Made {
                    key,
                    number: numbers[key],
                    serial,
                };
                assert_eq!(
                    topic.publish(KEYS[key], &(key, serial)).number(),
                    Some(made.number)
                );
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
                    let later = mine.iter().filter(|made| place(made) > from).count() as u64;
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
                    reader.replayed = reader.queue.len();
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

/// Many keys cost what they hold, and nothing afterwards.
#[test]
fn a_hundred_thousand_keys_come_and_go() {
    const MANY: usize = 100_000;
    let topic = Topic::<usize>::builder("many")
        .history(2)
        .history_bytes(4 << 20)
        .build();
    let subscribe = |n: usize| topic.subscribe(format!("key {n}"));
    let mut subscriptions: Vec<_> = (0..MANY).map(subscribe).collect();
    assert_eq!((topic.keys(), topic.all_subscribers()), (MANY, MANY));
    // There is no room for one more, until one goes.
    assert!(subscribe(MANY).into_feed().is_refused());
    assert_eq!(topic.publish(format!("key {MANY}"), &1).number(), Some(1));
    assert_eq!(topic.keys(), MANY);
    drop(subscriptions.pop());
    assert!(!subscribe(MANY).into_feed().is_refused());
    for n in 0..MANY {
        topic.publish(format!("key {n}"), &n);
    }
    let (kept, waiting) = topic.held_bytes();
    assert!((3 << 20..4 << 20).contains(&kept), "{kept}");
    assert!(waiting < MANY * 400, "{waiting}");
    let feed = subscriptions.swap_remove(7).into_feed();
    assert!(matches!(feed.next(), Next::Item { seq: 1, .. }));
    drop(feed);
    subscriptions.clear();
    let (kept, waiting) = topic.held_bytes();
    assert!((3 << 20..4 << 20).contains(&kept), "{kept}");
    assert_eq!(waiting, 0);
    // What is left are keys with a history. New ones take their places.
    assert!(topic.keys() < MANY / 5, "{}", topic.keys());
    for n in 0..2 * MANY {
        topic.publish(format!("once {n}"), &n);
    }
    assert!(topic.keys() < MANY / 5, "{}", topic.keys());
    assert!(topic.held_bytes().0 <= 4 << 20);
}

/// One slow subscriber costs the others nothing, and the topic no more than its bound.
#[test]
fn those_who_do_not_read_lose_the_oldest_items_first() {
    const BOUND: usize = 100_000;
    for (overflow, ends) in [
        (Overflow::Disconnect, true),
        (Overflow::Block, true),
        (Overflow::DropOldest, false),
        (Overflow::DropNewest, false),
        (Overflow::LatestOnly, false),
        (Overflow::Conflate, false),
    ] {
        let topic = Topic::<String>::builder("bounded")
            .max_waiting(BOUND)
            .build();
        let (slow, quick) = (
            topic.subscribe("k").into_feed(),
            topic.subscribe("k").into_feed(),
        );
        let limits = QueueLimits {
            items: 1000,
            bytes: BOUND * 2,
        };
        slow.begin(limits, Some(overflow), &Account::unlimited());
        quick.begin(limits, Some(overflow), &Account::unlimited());
        for n in 1..=500 {
            assert_eq!(topic.publish("k", &"x".repeat(1000)).number(), Some(n));
            let taken = quick.next();
            assert!(
                matches!(taken, Next::Item { seq, .. } if seq == n),
                "{taken:?}"
            );
            drop(taken);
            assert!(topic.held_bytes().1 <= BOUND);
        }
        let mut last = 0;
        let over = loop {
            match slow.next() {
                Next::Item { seq, .. } => {
                    assert!(seq > last);
                    last = seq;
                }
                Next::Empty => break false,
                Next::Over { why, .. } => break why == Over::Lagged,
            }
        };
        assert_eq!((over, topic.held_bytes()), (ends, (0, 0)), "{overflow:?}");
        assert!(
            ends || overflow == Overflow::DropNewest || last == 500,
            "{overflow:?}"
        );
        let large = "x".repeat(BOUND);
        assert_eq!(topic.publish("k", &large).number(), None);
        assert_eq!(
            topic.publish("k".repeat(257), &String::new()).number(),
            None
        );
    }
}

/// What waits is in the budget for responses, once.
#[test]
fn what_waits_is_reserved_once_and_given_back() {
    let accounts = Accounts::new(0, 1_000_000);
    let used = || accounts.budgets.responses.used();
    let topic = Topic::<String>::builder("reserved").build();
    let feeds: Vec<_> = (0..50).map(|_| topic.subscribe("k").into_feed()).collect();
    let limits = QueueLimits {
        items: 10_000,
        bytes: 10_000_000,
    };
    for feed in &feeds {
        feed.begin(limits, Some(Overflow::DropOldest), &accounts.open());
    }
    for _ in 0..400 {
        topic.publish("k", &"x".repeat(1000));
        let (_, waiting) = topic.held_bytes();
        assert!(
            used() >= waiting || waiting <= 4096,
            "{} of {waiting}",
            used()
        );
    }
    assert!((400_000..700_000).contains(&used()), "{}", used());
    // Beyond the budget the oldest go.
    for _ in 0..2_000 {
        topic.publish("k", &"x".repeat(1000));
        assert!(used() <= 1_000_000 && topic.held_bytes().1 <= 1_000_000);
    }
    for feed in &feeds {
        while let Next::Item { .. } = feed.next() {}
    }
    assert_eq!((used(), topic.held_bytes()), (0, (0, 0)));
}

#[test]
fn hooks_hear_of_the_first_and_the_last_subscriber() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let heard = Arc::clone(&heard);
        move |key: &str| heard.lock().unwrap().push(format!("{what} {key}"))
    };
    let topic = Topic::<u8>::builder("hooks")
        .on_first(note("first"))
        .on_last(note("last"))
        .build();
    let one = topic.subscribe("a");
    let two = topic.subscribe("a");
    let all = topic.subscribe_all();
    let other = topic.subscribe("b");
    drop((one, all));
    drop(other);
    drop(two);
    drop(topic.subscribe("a"));
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    let expected = [
        "first a", "first b", "last b", "last a", "first a", "last a",
    ];
    assert_eq!(heard, expected);
    assert_eq!(topic.keys(), 0);
}

/// Also when a filter has dropped the last subscriber.
#[test]
fn a_hook_may_use_its_topic() {
    let slot = Arc::new(OnceLock::<Topic<u8>>::new());
    let (first, last) = (Arc::clone(&slot), Arc::clone(&slot));
    let topic = Topic::<u8>::builder("hooks")
        .on_first(move |_| assert!(first.get().unwrap().publish("log", &1).number().is_some()))
        .on_last(move |key| {
            let topic = last.get().unwrap();
            assert!(topic.publish("log", &2).number().is_some());
            assert_eq!(topic.subscribers(key), 0);
        })
        .build();
    slot.set(topic.clone()).unwrap();
    let log = topic.subscribe("log").into_feed();
    let kept = Mutex::new(Some(topic.subscribe("other")));
    let filtered = topic.subscribe("k").filter(move |_| {
        drop(kept.lock().unwrap().take());
        true
    });
    topic.publish("k", &7);
    drop(filtered);
    let mut heard = Vec::new();
    while let Next::Item { item, .. } = log.next() {
        heard.push(item.json().to_vec());
    }
    assert_eq!(heard, [b"1", b"1", b"1", b"2", b"2"]);
}

/// A filter runs under the lock of its topic. What would wait for that lock is refused.
#[test]
fn a_filter_that_uses_a_topic_lets_nothing_pass() {
    let topic = Topic::<u8>::builder("filtered").build();
    let calls = Arc::new(AtomicUsize::new(0));
    let uses: [fn(&Topic<u8>); 4] = [
        |topic| assert!(topic.publish("other", &1).number().is_some()),
        |topic| drop(topic.subscribe("other")),
        |topic| assert!(topic.keys() > 0),
        |_| panic!("no"),
    ];
    let feeds: Vec<_> = uses
        .into_iter()
        .map(|act| {
            let owner = topic.clone();
            let (topic, calls) = (topic.clone(), Arc::clone(&calls));
            let test = move |_: &u8| {
                calls.fetch_add(1, Ordering::Relaxed);
                act(&topic);
                true
            };
            owner.subscribe("k").filter(test).into_feed()
        })
        .collect();
    let plain = topic.subscribe("k").into_feed();
    let kept = Mutex::new(Some(topic.subscribe("k")));
    let drops = topic.subscribe("k").filter(move |_| {
        drop(kept.lock().unwrap().take());
        true
    });
    let drops = drops.into_feed();
    assert_eq!(topic.publish("k", &7).number(), Some(1));
    assert_eq!(calls.load(Ordering::Relaxed), 4);
    for feed in &feeds {
        assert!(matches!(feed.next(), Next::Empty));
    }
    assert!(matches!(plain.next(), Next::Item { .. }));
    assert!(matches!(drops.next(), Next::Item { .. }));
    assert_eq!(topic.subscribers("k"), 6);
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
            seq: 2
        }
    ));
}
