//! Tests of the bounds of a topic: keys, what waits, long queues, and that all of it is given back.

use super::queue::{ENTRY, Next, Over, QueueLimits};
use super::{Cursor, Overflow, Topic};
use crate::memory_budget::account::{Account, Accounts};

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
        let long = "k".repeat(257);
        assert_eq!(topic.publish(long, &String::new()).number(), None);
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

/// Not the key with the oldest item, and not one with subscribers.
#[test]
fn a_new_key_takes_the_place_of_that_one_published_longest_ago() {
    let topic = Topic::<usize>::builder("room")
        .history(100)
        .max_keys(200)
        .build();
    for n in 1..=100 {
        assert_eq!(topic.publish("hot", &n).number(), Some(n as u64));
    }
    let key = |n: usize| format!("key {n}");
    let followed: Vec<_> = (0..99).map(|n| topic.subscribe(key(n))).collect();
    for n in 0..199 {
        topic.publish(key(n), &n);
    }
    topic.publish("hot", &0);
    assert_eq!(topic.keys(), 200);
    // The keys 99 to 101 give way.
    let news: Vec<_> = (0..3)
        .map(|n| topic.subscribe(format!("new {n}")))
        .collect();
    assert!(!news.into_iter().any(|new| new.into_feed().is_refused()));
    assert_eq!(topic.publish("hot", &0).number(), Some(102));
    assert_eq!(topic.keys(), 197);
    for (n, number) in [(98, 2), (102, 2), (101, 1), (0, 2)] {
        assert_eq!(topic.publish(key(n), &n).number(), Some(number), "{n}");
    }
    // Without its subscriber, a key may go like any other.
    drop(followed);
    for n in 0..200 {
        assert_eq!(topic.publish(format!("newer {n}"), &n).number(), Some(1));
    }
    assert_eq!(topic.keys(), 200);
    for n in [0, 98, 102] {
        assert_eq!(topic.publish(key(n), &n).number(), Some(1), "{n}");
    }
}

/// Who goes on behind a cursor gets a long queue, which costs memory for each of them.
#[test]
fn long_queues_have_a_bound_together() {
    const ITEMS: usize = 2_000;
    let accounts = Accounts::new(0, 1_000_000);
    let used = || accounts.budgets.responses.used();
    let topic = Topic::<usize>::builder("long")
        .history(ITEMS)
        .max_waiting(100_000)
        .build();
    for n in 0..ITEMS {
        topic.publish("k", &n);
    }
    let one = topic.subscribe("k").into_feed();
    one.begin(QueueLimits::default(), None, &accounts.open());
    let resumed = || topic.subscribe("k").after(&Cursor::from("?")).into_feed();
    let feeds: Vec<_> = (0..3).map(|_| resumed()).collect();
    assert!(!feeds.iter().any(super::Feed::is_refused));
    assert_eq!(topic.held_bytes().1, 3 * ITEMS * ENTRY);
    assert!(used() >= 3 * ITEMS * ENTRY, "{}", used());
    assert!(resumed().is_refused());
    assert_eq!(topic.subscribers("k"), 4);
    for feed in &feeds {
        for n in 1..=ITEMS as u64 {
            let next = feed.next();
            assert!(
                matches!(next, Next::Item { seq, .. } if seq == n),
                "{next:?}"
            );
        }
    }
    assert_eq!((topic.held_bytes().1, used()), (0, 0));
    assert!(!resumed().is_refused());
    assert_eq!((topic.held_bytes().1, used()), (0, 0));
}

/// What a history keeps anyway costs nothing more in the queue of a subscriber, however old it is.
#[test]
fn nobody_loses_for_want_of_memory_what_the_history_keeps() {
    const BOUND: usize = 100_000;
    let text = "x".repeat(1000);
    let topic = Topic::<String>::builder("resumed")
        .history(50)
        .max_waiting(BOUND)
        .build();
    let publish = |key: &str, count: usize| {
        for _ in 0..count {
            topic.publish(key, &text);
            assert!(topic.held_bytes().1 <= BOUND);
        }
    };
    let feed = |subscription: super::Subscription<String>, overflow| {
        let limits = QueueLimits {
            items: 10_000,
            bytes: 10_000_000,
        };
        let feed = subscription.into_feed();
        feed.begin(limits, Some(overflow), &Account::unlimited());
        feed
    };
    let numbers = |feed: &super::Feed| {
        let mut numbers = Vec::new();
        let over = loop {
            match feed.next() {
                Next::Item { item, .. } => numbers.push((item.key.to_string(), item.place.number)),
                Next::Empty => break None,
                Next::Over { why, .. } => break Some(why),
            }
        };
        (numbers, over)
    };
    let of = |key: &str, from: u64, to: u64| (from..=to).map(|n| (key.to_owned(), n)).collect();
    publish("old", 50);
    let unknown = Cursor::from("?");
    let one = feed(topic.subscribe("old").after(&unknown), Overflow::Disconnect);
    let ends = feed(topic.subscribe("old").after(&unknown), Overflow::Disconnect);
    let all = feed(topic.subscribe_all().after(&unknown), Overflow::DropOldest);
    let slow = feed(topic.subscribe("new"), Overflow::DropOldest);
    publish("new", 300);
    assert_eq!(numbers(&one), (of("old", 1, 50), None));
    let (got, over) = numbers(&all);
    assert_eq!((&got[..50], over), (&of("old", 1, 50)[..], None));
    let (late, _) = numbers(&slow);
    assert!((50..300).contains(&late.len()), "{}", late.len());
    assert_eq!(got[got.len() - 50..], late[late.len() - 50..]);
    // What the history has given up counts.
    publish("old", 50);
    assert_eq!(numbers(&one), (of("old", 51, 100), None));
    publish("old", 40);
    let (late, over) = numbers(&ends);
    assert_eq!((late, over), (Vec::new(), Some(Over::Lagged)));
    assert_eq!(numbers(&one), (of("old", 101, 140), None));
}
