//! Tests of what a worker cannot do to the supervisor and to other workers, however it behaves.

use super::super::Topic;
use super::super::feed::Feed;
use super::super::item::Text;
use super::super::keys::HistoryLimits;
use super::super::link::buffer::{LENGTH, MAX_NAME, MAX_TEXT};
use super::super::link::frame::ToHub;
use super::super::queue::Next;
use super::exchange::Hub;
use super::model_tests::{Item, Worker, settle};

/// Items that wait for a subscriber.
fn count(feed: &Feed) -> usize {
    std::iter::from_fn(|| matches!(feed.next(), Next::Item { .. }).then_some(())).count()
}

/// Whether the supervisor takes a message.
fn takes(hub: &mut Hub, peer: u64, frame: ToHub<'_>) -> bool {
    let mut bytes = Vec::new();
    frame.write(&mut bytes);
    hub.receive(peer, &bytes[LENGTH..]).is_ok()
}

fn register(topic: u32, name: &str) -> ToHub<'_> {
    ToHub::Register {
        topic,
        nth: 0,
        limits: HistoryLimits {
            items: 5,
            bytes: 1_000_000,
        },
        keys: 10,
        name,
    }
}

/// What it is told takes many turns, and in each of them another one publishes.
#[test]
fn a_worker_with_many_keys_that_has_fallen_behind_catches_up_while_others_publish() {
    const KEYS: usize = 5_000;
    let mut hub = Hub::with_log(20_000);
    let builder = || Topic::builder("model").max_keys(10_000);
    let mut workers = vec![
        Worker::with(&mut hub, builder()),
        Worker::with(&mut hub, builder()),
    ];
    let followed: Vec<_> = (0..KEYS)
        .map(|n| workers[0].topic.subscribe(format!("key {n}")).into_feed())
        .collect();
    settle(&mut hub, &mut workers);
    let [slow, busy] = &mut workers[..] else {
        panic!("there are two");
    };
    let mut publish = |hub: &mut Hub, n: u64| {
        drop(busy.topic.publish("key 7", &("key 7".to_owned(), n)));
        while busy.up(hub, usize::MAX) || busy.down(hub, usize::MAX) {}
    };
    // More than the log has.
    (0..1_000).for_each(|n| publish(&mut hub, n));
    for round in 0..2 {
        for n in 0..20 {
            slow.down(&mut hub, 64 * 1024);
            publish(&mut hub, 1_000 + 20 * round + n);
        }
        let read = count(&followed[7]);
        // By the second round it has been told all.
        assert!(round == 0 || read >= 19, "{read}");
    }
}

#[test]
fn what_a_worker_says_is_bounded() {
    let mut hub = Hub::default();
    let peer = hub.connect();
    assert!(takes(&mut hub, peer, register(1, "a")));
    // A number, or a topic, that it has already.
    assert!(!takes(&mut hub, peer, register(1, "b")));
    assert!(!takes(&mut hub, peer, register(2, "a")));
    let (longest, longer) = ("n".repeat(MAX_NAME), "n".repeat(MAX_NAME + 1));
    assert!(takes(&mut hub, peer, register(3, &longest)));
    assert!(!takes(&mut hub, peer, register(4, &longer)));
    // One that was refused is not kept.
    assert!(takes(&mut hub, peer, register(5, "b")));
    // Again and again, without reading.
    for _ in 0..10_000 {
        let topic = 6;
        assert!(takes(&mut hub, peer, register(topic, "c")));
        let keeps = false;
        assert!(takes(&mut hub, peer, ToHub::Unregister { topic, keeps }));
    }
    let mut told = Vec::new();
    let cx = std::task::Context::from_waker(std::task::Waker::noop());
    hub.poll_write(peer, &cx, &mut told);
    assert!(told.len() < 1_000, "{}", told.len());
}

/// An item that is too large for other workers ends the one that publishes it, and no other.
#[test]
fn an_item_that_no_worker_would_take_is_refused() {
    let text = |bytes: usize| {
        let mut text = Text::begin();
        text.extend(std::iter::repeat_n(b'1', bytes));
        Text::end(text)
    };
    for (bytes, taken) in [(1_000, true), (MAX_TEXT, false)] {
        let mut hub = Hub::default();
        let peer = hub.connect();
        let mut workers = vec![Worker::new(&mut hub, 5)];
        assert!(takes(&mut hub, peer, register(1, "model")));
        let text = text(bytes);
        let publish = ToHub::Publish {
            topic: 1,
            key: "k",
            text: text.raw(),
        };
        assert_eq!(takes(&mut hub, peer, publish), taken, "{bytes}");
        // It would panic if a message were too long.
        settle(&mut hub, &mut workers);
    }
}

#[test]
fn what_was_published_before_the_start_reaches_all_however_much_it_is() {
    const ITEMS: usize = 70_000;
    let mut hub = Hub::default();
    let builder = || {
        Topic::<Item>::builder("model")
            .history(2 * ITEMS)
            .history_bytes(1 << 26)
    };
    let mut workers = vec![Worker::new(&mut hub, 5), Worker::new(&mut hub, 5)];
    let [early, late] = &mut workers[..] else {
        panic!("there are two");
    };
    let topic = builder().build();
    for n in 0..ITEMS as u64 {
        drop(topic.publish("k", &("k".to_owned(), n)));
    }
    topic.core().follow(&early.link, "large", 0);
    early.topic = topic;
    while early.up(&mut hub, usize::MAX) || early.down(&mut hub, usize::MAX) {}
    let topic = builder().build();
    topic.core().follow(&late.link, "large", 0);
    late.topic = topic;
    settle(&mut hub, &mut workers);
    for worker in &workers {
        assert_eq!(
            worker.topic.core().lock().all_after(0, u64::MAX).len(),
            ITEMS
        );
    }
}
