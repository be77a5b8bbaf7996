//! Tests of subscribers that go on at another worker, or are there before their key has a number.

use super::super::Topic;
use super::super::feed::Feed;
use super::super::gaps::Missed;
use super::super::queue::{Next, Over};
use super::exchange::Hub;
use super::model_tests::{Worker, settle};

/// The number of the next item, and what is missing before it.
fn take(feed: &Feed) -> (u64, Option<Missed>) {
    match feed.next() {
        Next::Item { item, missed, .. } => (item.place.number, missed),
        other => panic!("{other:?}"),
    }
}

fn publish(worker: &Worker, key: &str) {
    drop(worker.topic.publish(key, &(key.to_owned(), 0)));
}

/// Two workers that know each other.
fn two(hub: &mut Hub, history: usize) -> [Worker; 2] {
    let mut workers = [Worker::new(hub, history), Worker::new(hub, history)];
    settle(hub, &mut workers);
    workers
}

/// The place where a subscriber has begun is known if its worker has the key, and said to be unknown
/// otherwise.
#[test]
fn who_goes_on_where_it_has_begun_misses_nothing_unnoticed() {
    for (is_new, expected) in [
        (true, [(1, Some(Missed::Unknown)), (2, None)]),
        (false, [(2, None), (3, None)]),
    ] {
        let mut hub = Hub::default();
        let mut workers = two(&mut hub, 5);
        if !is_new {
            publish(&workers[1], "a");
            settle(&mut hub, &mut workers);
        }
        let feed = workers[0].topic.subscribe("a").into_feed();
        let start = feed.start().unwrap();
        assert_eq!(start.ends_with("-0-0"), is_new, "{start}");
        drop(feed);
        publish(&workers[0], "a");
        publish(&workers[0], "a");
        settle(&mut hub, &mut workers);
        for worker in &workers {
            let mut feed = worker.topic.subscribe("a").into_feed();
            feed.resume(&start);
            assert_eq!([take(&feed), take(&feed)], expected, "{is_new}");
        }
    }
}

/// A worker does not know whether a key had items before it vanished.
#[test]
fn a_key_that_has_vanished_and_come_again_leaves_a_gap() {
    for (others, missed) in [(10, None), (2_000, Some(Missed::Unknown))] {
        let mut hub = Hub::default();
        let mut workers = two(&mut hub, 5);
        let feed = workers[0].topic.subscribe("a").into_feed();
        settle(&mut hub, &mut workers);
        let start = feed.start().unwrap();
        assert!(start.ends_with("-1-0"), "{start}");
        drop(feed);
        settle(&mut hub, &mut workers);
        for n in 0..others {
            let other = workers[1].topic.subscribe(format!("other {n}"));
            settle(&mut hub, &mut workers);
            drop(other);
            settle(&mut hub, &mut workers);
        }
        let _first = workers[1].topic.subscribe("a");
        settle(&mut hub, &mut workers);
        let mut feed = workers[0].topic.subscribe("a").into_feed();
        feed.resume(&start);
        publish(&workers[1], "a");
        settle(&mut hub, &mut workers);
        assert_eq!(take(&feed), (1, missed), "{others}");
    }
}

/// What was published before its worker has heard of the key is there, or told.
#[test]
fn who_came_before_its_key_is_told_what_its_worker_has_not_got() {
    for (history, first, missed) in [(0, 6, 5), (2, 4, 3)] {
        let mut hub = Hub::with_log(1);
        let mut workers = two(&mut hub, history);
        let feed = workers[0].topic.subscribe("a").into_feed();
        let _other = workers[1].topic.subscribe("a");
        for _ in 0..5 {
            publish(&workers[1], "a");
        }
        while workers[1].up(&mut hub, usize::MAX) {}
        settle(&mut hub, &mut workers);
        publish(&workers[1], "a");
        settle(&mut hub, &mut workers);
        for (number, missed) in (first..=6).zip([Some(Missed::Some(missed)), None, None]) {
            assert_eq!(take(&feed), (number, missed), "{history}");
        }
    }
}

/// A queue that has to wait for the history has the same bound as any other.
#[test]
fn a_subscriber_that_waits_for_a_history_ends_if_there_is_no_memory_for_its_queue() {
    let mut hub = Hub::default();
    let topic = || Topic::builder("model").history(1000).max_waiting(1000);
    let mut workers = vec![Worker::with(&mut hub, topic())];
    settle(&mut hub, &mut workers);
    for _ in 0..300 {
        publish(&workers[0], "a");
    }
    settle(&mut hub, &mut workers);
    let late = Worker::with(&mut hub, topic());
    let mut feed = late.topic.subscribe("a").into_feed();
    assert_eq!(feed.start(), None);
    feed.resume("?");
    workers.push(late);
    assert!(matches!(feed.next(), Next::Empty) && !feed.is_refused());
    settle(&mut hub, &mut workers);
    let next = feed.next();
    let why = Over::Lagged;
    assert!(
        matches!(next, Next::Over { why: found, .. } if found == why),
        "{next:?}"
    );
    assert_eq!(workers[1].topic.held_bytes().1, 0);
}

/// Also if it is not known yet where the subscriber begins.
#[test]
fn what_is_missing_before_the_end_is_told_with_it() {
    for (waits, missed) in [(false, Missed::Some(5)), (true, Missed::Unknown)] {
        let mut hub = Hub::with_log(1);
        let mut workers = two(&mut hub, 0);
        let mut feed = workers[0].topic.subscribe("a").into_feed();
        let _other = workers[1].topic.subscribe("a");
        for _ in 0..5 {
            publish(&workers[1], "a");
        }
        while workers[1].up(&mut hub, usize::MAX) {}
        settle(&mut hub, &mut workers);
        if waits {
            // An item that nobody here has got yet.
            let start = feed.start().unwrap();
            let (epoch, _) = start.split_once('-').unwrap();
            feed.resume(&format!("{epoch}-1-a"));
            assert!(matches!(feed.next(), Next::Empty));
        }
        workers[0].topic = Topic::builder("another").build();
        let next = feed.next();
        assert!(
            matches!(
                next,
                Next::Over { why: Over::Closed, missed: Some(found), .. } if found == missed
            ),
            "{waits}: {next:?}"
        );
    }
}
