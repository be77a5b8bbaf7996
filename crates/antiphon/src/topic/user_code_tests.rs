//! Tests of hooks, filters and wakers, which are code of others.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Wake, Waker};

use super::queue::{Next, Over};
use super::{Cursor, Topic};

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

/// Subscribers that come and go while a hook is busy are not queued up for it.
#[test]
fn a_slow_hook_is_not_told_of_those_who_have_gone_meanwhile() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (begins, begun) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel();
    let goes_on = Mutex::new(goes_on);
    let (first, last) = (Arc::clone(&heard), Arc::clone(&heard));
    let topic = Topic::<u8>::builder("slow hook")
        .on_first(move |key| {
            first.lock().unwrap().push(format!("first {key}"));
            if key == "slow" {
                begins.send(()).unwrap();
                goes_on.lock().unwrap().recv().unwrap();
            }
        })
        .on_last(move |key| last.lock().unwrap().push(format!("last {key}")))
        .build();
    let stays = std::thread::scope(|scope| {
        let slow = scope.spawn(|| topic.subscribe("slow"));
        begun.recv().unwrap();
        for _ in 0..1000 {
            drop(topic.subscribe("quick"));
        }
        let stays = topic.subscribe("stays");
        go_on.send(()).unwrap();
        drop(slow.join().unwrap());
        stays
    });
    let heard = std::mem::take(&mut *heard.lock().unwrap());
    assert_eq!(heard, ["first slow", "first stays", "last slow"]);
    drop(stays);
}

/// What a filter drops ends when the topic is not locked any more, wherever the filter has run.
#[test]
fn what_a_filter_drops_has_ended_when_its_topic_is_unlocked() {
    let topic = Topic::<u8>::builder("dropping").history(5).build();
    topic.publish("k", &1);
    for resumes in [true, false] {
        let other = Topic::<u8>::builder("other").build();
        let follower = other.subscribe("k").into_feed();
        let kept = Mutex::new(Some((topic.subscribe("other"), other)));
        let filtered = topic.subscribe("k").filter(move |_| {
            drop(kept.lock().unwrap().take());
            true
        });
        let filtered = match resumes {
            true => filtered.after(&Cursor::from("?")),
            false => {
                topic.publish("k", &2);
                filtered
            }
        };
        assert_eq!(topic.subscribers("other"), 0, "{resumes}");
        // The last handle of the other topic has gone, too.
        let next = follower.next();
        assert!(
            matches!(
                next,
                Next::Over {
                    why: Over::Closed,
                    ..
                }
            ),
            "{next:?}"
        );
        drop(filtered);
    }
}

/// Resuming needs the lock under which filters run.
#[test]
fn a_filter_that_resumes_a_subscription_lets_nothing_pass() {
    let topic = Topic::<u8>::builder("resuming").history(5).build();
    let other = Mutex::new(Some(topic.subscribe("other")));
    let resumes = topic.subscribe("k").filter(move |_| {
        let other = other.lock().unwrap().take();
        drop(other.map(|other| other.after(&Cursor::from("?"))));
        true
    });
    let resumes = resumes.into_feed();
    topic.publish("k", &1);
    assert!(matches!(resumes.next(), Next::Empty));
    assert_eq!(topic.subscribers("other"), 0);
}

/// An item that is published while a filter is added is filtered, too.
#[test]
fn no_item_comes_past_a_new_filter() {
    let topic = Topic::<u64>::builder("filtering").build();
    let done = AtomicBool::new(false);
    let wrong = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                n += 1;
                topic.publish("k", &n);
            }
        });
        let mut wrong = 0;
        for _ in 0..300 {
            let even = topic.subscribe("k").filter(|n| n % 2 == 0);
            let feed = even.into_feed();
            std::thread::yield_now();
            while let Next::Item { item, .. } = feed.next() {
                let n: u64 = serde_json::from_slice(item.json()).unwrap();
                wrong += n % 2;
            }
        }
        done.store(true, Ordering::Relaxed);
        wrong
    });
    assert_eq!(wrong, 0);
}

/// With the last waker of a task may go what uses the same topic.
#[test]
fn a_waker_that_is_replaced_may_use_the_topic() {
    struct Publishes(Topic<u8>);
    impl Wake for Publishes {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Publishes {
        fn drop(&mut self) {
            self.0.publish("k", &7);
        }
    }
    let topic = Topic::<u8>::builder("waking").build();
    let feed = topic.subscribe("k").into_feed();
    feed.listen(&Waker::from(Arc::new(Publishes(topic.clone()))));
    feed.listen(Waker::noop());
    assert!(matches!(feed.next(), Next::Item { seq: 1, .. }));
}
