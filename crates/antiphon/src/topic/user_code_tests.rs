//! Tests of hooks and filters, which are code of the program's.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::Topic;
use super::queue::Next;

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
        .on_first(move |_| assert!(first.get().unwrap().publish("log", &1) > 0))
        .on_last(move |key| {
            let topic = last.get().unwrap();
            assert!(topic.publish("log", &2) > 0);
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
        |topic| assert!(topic.publish("other", &1) > 0),
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
    assert_eq!(topic.publish("k", &7), 1);
    assert_eq!(calls.load(Ordering::Relaxed), 4);
    for feed in &feeds {
        assert!(matches!(feed.next(), Next::Empty));
    }
    assert!(matches!(plain.next(), Next::Item { .. }));
    assert!(matches!(drops.next(), Next::Item { .. }));
    assert_eq!(topic.subscribers("k"), 6);
}
