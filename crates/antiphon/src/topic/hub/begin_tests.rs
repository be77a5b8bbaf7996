//! Tests of subscribers that are there before their worker has the history of the topic.

use std::time::Duration;

use super::super::feed::Feed;
use super::super::gaps::Missed;
use super::super::queue::Next;
use super::exchange::Hub;
use super::model_tests::{Worker, settle};

/// The numbers of all items, and what is missing before each.
fn all(feed: &Feed) -> Vec<(u64, Option<Missed>)> {
    let mut all = Vec::new();
    while let Next::Item { item, missed, .. } = feed.next() {
        all.push((item.serial, missed));
    }
    all
}

fn publish(worker: &Worker, value: u64) {
    drop(worker.topic.publish("k", &("k".to_owned(), value)));
}

async fn later() {
    tokio::time::advance(Duration::from_millis(1)).await;
}

/// Also if the supervisor hears of topic, subscriber and items at once, and what the worker has taken of
/// others is behind.
#[tokio::test(start_paused = true)]
async fn who_subscribes_before_there_is_a_history_gets_all_that_follows() {
    const GAP: Option<Missed> = Some(Missed::Unknown);
    for (before, between, expected) in [
        (0, 0, vec![(1, None), (2, None)]),
        // It was there before the subscriber.
        (3, 0, vec![(4, None), (5, None)]),
        // Nobody knows whether it was.
        (0, 2, vec![(3, GAP), (4, None)]),
        (3, 2, vec![(6, GAP), (7, None)]),
    ] {
        for history in [0, 1, 100] {
            let mut hub = Hub::default();
            let mut workers = vec![Worker::new(&mut hub, history)];
            settle(&mut hub, &mut workers);
            for value in 0..before {
                publish(&workers[0], value);
            }
            settle(&mut hub, &mut workers);
            later().await;
            let late = Worker::new(&mut hub, history);
            let one = late.topic.subscribe("k").into_feed();
            let every = late.topic.subscribe_all().into_feed();
            later().await;
            for value in 0..between {
                publish(&workers[0], value);
            }
            settle(&mut hub, &mut workers);
            publish(&late, 7);
            publish(&late, 8);
            workers.push(late);
            settle(&mut hub, &mut workers);
            for feed in [one, every] {
                assert_eq!(all(&feed), expected, "{history}");
            }
        }
    }
}

/// A cursor says where it begins.
#[tokio::test(start_paused = true)]
async fn who_goes_on_behind_a_cursor_before_there_is_a_history_is_told_nothing_else() {
    for resumes_first in [true, false] {
        let mut hub = Hub::default();
        let mut workers = vec![Worker::new(&mut hub, 10)];
        settle(&mut hub, &mut workers);
        let first = workers[0].topic.subscribe("k").into_feed();
        (0..3).for_each(|value| publish(&workers[0], value));
        settle(&mut hub, &mut workers);
        let Next::Item { item, .. } = first.next() else {
            panic!("nothing has come");
        };
        let late = Worker::new(&mut hub, 10);
        let mut feed = late.topic.subscribe("k").into_feed();
        later().await;
        publish(&workers[0], 4);
        settle(&mut hub, &mut workers);
        if resumes_first {
            feed.resume(&item.cursor(false));
        }
        workers.push(late);
        settle(&mut hub, &mut workers);
        if !resumes_first {
            feed.resume(&item.cursor(false));
        }
        publish(&workers[0], 5);
        settle(&mut hub, &mut workers);
        let numbers = (2..=5).map(|number| (number, None));
        assert!(numbers.eq(all(&feed)), "{resumes_first}");
    }
}
