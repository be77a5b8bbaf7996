//! Tests of topics that are dropped and made again, of producers that stop, and of channels that end.

use std::sync::Arc;

use super::super::Topic;
use super::super::feed::Feed;
use super::super::gaps::Missed;
use super::super::published::PublishError;
use super::super::queue::{Next, Over};
use super::exchange::Hub;
use super::model_tests::{Item, Worker, settle};

/// The numbers of what waits for a subscriber.
fn numbers(feed: &Feed) -> Vec<u64> {
    let next = || match feed.next() {
        Next::Item { item, .. } => Some(item.place.number),
        _ => None,
    };
    std::iter::from_fn(next).collect()
}

/// What is said of the one that is dropped comes first, whatever waits there. It is another one if no
/// worker has it, and the program has dropped it while it served.
#[test]
fn a_topic_may_be_made_again_under_its_name() {
    for (items, has_another, serves) in [
        (0, false, true),
        (0, true, true),
        (3, false, true),
        (3, true, true),
        (3, false, false),
    ] {
        let mut hub = Hub::default();
        let mut workers = vec![Worker::new(&mut hub, 5)];
        if has_another {
            workers.push(Worker::new(&mut hub, 5));
        }
        settle(&mut hub, &mut workers);
        if serves {
            workers[0].link.keep_topics_if(|| false);
        }
        for n in 0..items {
            drop(workers[0].topic.publish("a", &("a".to_owned(), n)));
        }
        workers[0].topic = Topic::builder("another").build();
        let again = Topic::<Item>::builder("model").history(5).build();
        again.core().follow(&workers[0].link, "model", 0);
        let feed = again.subscribe("a").into_feed();
        workers[0].topic = again;
        settle(&mut hub, &mut workers);
        drop(workers[0].topic.publish("a", &("a".to_owned(), 9)));
        settle(&mut hub, &mut workers);
        let goes_on = has_another || !serves;
        let first = if goes_on { items + 1 } else { 1 };
        assert_eq!(numbers(&feed), [first], "{items} {has_another} {serves}");
    }
}

/// The next producer may be in another worker, and its items come behind those of the first one.
#[test]
fn what_a_producer_has_published_is_numbered_before_it_has_stopped() {
    let mut hub = Hub::default();
    let mut workers = [Worker::new(&mut hub, 5), Worker::new(&mut hub, 5)];
    settle(&mut hub, &mut workers);
    let first = workers[0].topic.subscribe("a");
    settle(&mut hub, &mut workers);
    assert!(workers[0].produces.lock().unwrap().contains("a"));
    // The last one goes, and is told to stop; its items wait.
    drop(first);
    workers[0].up(&mut hub, usize::MAX);
    for n in 0..3 {
        drop(workers[0].topic.publish("a", &("a".to_owned(), n)));
    }
    workers[0].down(&mut hub, usize::MAX);
    assert!(workers[0].produces.lock().unwrap().is_empty());
    let _second = workers[1].topic.subscribe("a");
    while workers[1].up(&mut hub, usize::MAX) {}
    let topic = Arc::clone(workers[0].topic.core());
    let produces = |worker: &Worker| worker.produces.lock().unwrap().contains("a");
    for most in 1.. {
        // Little by little, until the other one produces.
        let moved = workers[0].up(&mut hub, 1);
        workers[1].down(&mut hub, usize::MAX);
        if produces(&workers[1]) || !moved {
            assert!(most > 3);
            break;
        }
    }
    assert!(produces(&workers[1]));
    let published = workers[1].topic.publish("a", &("a".to_owned(), 3));
    while workers[1].up(&mut hub, usize::MAX) {}
    settle(&mut hub, &mut workers);
    assert_eq!(published.number(), None);
    let kept = topic.lock().all_after(0, u64::MAX);
    let kept = kept
        .iter()
        .map(|item| serde_json::from_slice::<Item>(item.json()).unwrap().1);
    assert!(kept.eq(0..4));
}

/// Its clients go on elsewhere, also those that wait for an item which it has not got.
#[tokio::test]
async fn a_worker_that_is_cut_off_ends_its_subscriptions_and_takes_no_new_ones() {
    let mut hub = Hub::default();
    let mut workers = [Worker::new(&mut hub, 5), Worker::new(&mut hub, 5)];
    settle(&mut hub, &mut workers);
    let worker = &workers[0];
    let feed = worker.topic.subscribe("a").into_feed();
    let all = worker.topic.subscribe_all().into_feed();
    settle(&mut hub, &mut workers);
    drop(workers[1].topic.publish("a", &("a".to_owned(), 1)));
    settle(&mut hub, &mut workers);
    let worker = &workers[0];
    assert!(worker.produces.lock().unwrap().contains("a"));
    let mut ahead = worker.topic.subscribe("a").into_feed();
    let epoch = worker.topic.core().lock().epoch;
    ahead.resume(&format!("{epoch:x}-1-9"));
    assert!(matches!(ahead.next(), Next::Empty));
    worker.link.end();
    let over = |feed: &Feed, expected: Option<Missed>| match feed.next() {
        Next::Over { why, missed, .. } => assert_eq!((why, missed), (Over::CutOff, expected)),
        other => panic!("{other:?}"),
    };
    for feed in [&feed, &all] {
        // What has come before is there.
        assert_eq!(numbers(feed), [1]);
        over(feed, None);
    }
    over(&ahead, Some(Missed::Unknown));
    assert!(worker.produces.lock().unwrap().is_empty());
    assert!(worker.topic.subscribe("a").into_feed().is_refused());
    assert!(worker.topic.subscribe_all().into_feed().is_refused());
    let refused = worker.topic.publish("a", &("a".to_owned(), 2)).await;
    assert!(matches!(refused, Err(PublishError::Disconnected)));
}

/// A topic of one process may have larger items than one of workers.
#[test]
fn an_item_that_is_too_large_for_a_channel_stays_behind_when_a_topic_follows() {
    let mut hub = Hub::default();
    let topic = || Topic::builder("model").history(9).max_waiting(100 << 20);
    let before = topic().history_bytes(100 << 20).build();
    for text in ["x".repeat(33 << 20), "y".to_owned()] {
        drop(before.publish("a", &(text, 0)));
    }
    let mut workers = [Worker::with(&mut hub, topic())];
    settle(&mut hub, &mut workers);
    before.core().follow(&workers[0].link, "model", 1);
    settle(&mut hub, &mut workers);
    let kept = before.core().lock().all_after(0, u64::MAX);
    let kept = kept.iter().map(|item| item.json().len());
    assert_eq!(kept.collect::<Vec<_>>(), [r#"["y",0]"#.len()]);
}

/// Also if that it has vanished is still on its way, or has left the log.
#[test]
fn who_subscribes_again_to_a_key_that_there_is_no_room_for_any_more_is_told() {
    for log in [1 << 20, 1] {
        let mut hub = Hub::with_log(log);
        // Two keys, with the spare one.
        let worker = |hub: &mut Hub| Worker::with(hub, Topic::builder("model").max_keys(1));
        let mut workers = [worker(&mut hub), worker(&mut hub)];
        settle(&mut hub, &mut workers);
        // The other one does not hear of it.
        let before = workers[0].topic.subscribe("a");
        settle(&mut hub, &mut workers[..1]);
        drop(before);
        settle(&mut hub, &mut workers[..1]);
        let others = ["b", "c"].map(|key| workers[1].topic.subscribe(key));
        while workers[1].up(&mut hub, usize::MAX) {}
        let again = workers[0].topic.subscribe("a").into_feed();
        while workers[0].up(&mut hub, usize::MAX) {}
        settle(&mut hub, &mut workers);
        let next = again.next();
        let is_told = matches!(
            next,
            Next::Over {
                why: Over::Lagged,
                ..
            }
        );
        assert!(is_told, "{log}: {next:?}");
        drop((again, others));
    }
}

/// However much is published meanwhile, so much that it never has everything.
#[test]
fn a_worker_gets_all_histories_while_a_flood_goes_on() {
    let mut hub = Hub::with_log(1);
    let text = "x".repeat(3_000);
    let mut flood = Worker::new(&mut hub, 50);
    let mut publish = |hub: &mut Hub| {
        for n in 0..50 {
            drop(flood.topic.publish("a", &(text.clone(), n)));
        }
        while flood.up(hub, usize::MAX) {}
        while flood.down(hub, usize::MAX) {}
    };
    publish(&mut hub);
    let mut new = Worker::new(&mut hub, 50);
    let other = Topic::<Item>::builder("other").history(20).build();
    other.core().follow(&new.link, "other", 0);
    let link = Arc::clone(&new.link);
    let mut ready = std::pin::pin!(link.live());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..100 {
        publish(&mut hub);
        new.up(&mut hub, usize::MAX);
        // Its history does not fit into this.
        new.down(&mut hub, 40_000);
        if ready.as_mut().poll(&mut cx).is_ready() {
            return;
        }
    }
    panic!("it does not become ready");
}

/// Nobody could tell it where it goes on.
#[test]
fn a_subscriber_that_is_over_does_not_wait_for_what_is_behind_its_cursor() {
    let ended = |feed: &Feed| {
        let next = feed.next();
        let unknown = Some(Missed::Unknown);
        matches!(next, Next::Over { missed, .. } if missed == unknown)
    };
    let mut hub = Hub::default();
    let mut workers = [Worker::new(&mut hub, 5)];
    settle(&mut hub, &mut workers);
    let worker = &workers[0];
    let epoch = worker.topic.core().lock().epoch;
    let ahead = format!("{epoch:x}-1-9");
    let mut cut_off = worker.topic.subscribe("a").into_feed();
    worker.link.end();
    cut_off.resume(&ahead);
    assert!(ended(&cut_off));

    // One without a history yet, and one with an item to come.
    for settles in [false, true] {
        let mut hub = Hub::default();
        let mut workers = [Worker::new(&mut hub, 5)];
        if settles {
            settle(&mut hub, &mut workers);
        }
        let mut dropped = workers[0].topic.subscribe("a").into_feed();
        let epoch = workers[0].topic.core().lock().epoch;
        workers[0].topic = Topic::builder("another").build();
        dropped.resume(&format!("{epoch:x}-1-9"));
        assert!(ended(&dropped), "{settles}");
    }
}

#[test]
fn what_publishes_a_key_stops_when_its_topic_is_dropped() {
    let mut hub = Hub::default();
    let mut workers = [Worker::new(&mut hub, 5)];
    settle(&mut hub, &mut workers);
    let feed = workers[0].topic.subscribe("a").into_feed();
    settle(&mut hub, &mut workers);
    let produces = Arc::clone(&workers[0].produces);
    assert!(produces.lock().unwrap().contains("a"));
    workers[0].topic = Topic::builder("another").build();
    assert!(produces.lock().unwrap().is_empty());
    drop(feed);
    settle(&mut hub, &mut workers);
}
