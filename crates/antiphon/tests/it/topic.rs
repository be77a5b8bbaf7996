//! Tests of topics that the program itself reads.

use std::time::Duration;

use antiphon::{Cursor, Event, Overflow, Subscription, SubscriptionError, Topic};
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

fn topic(overflow: Overflow, history: usize) -> Topic<u64> {
    Topic::builder("read")
        .overflow(overflow)
        .history(history)
        .build()
}

/// What has come, in a few words.
fn told(next: Option<Result<u64, SubscriptionError>>) -> String {
    match next {
        None => "end".to_owned(),
        Some(Ok(n)) => n.to_string(),
        Some(Err(SubscriptionError::Gap { missed: Some(n) })) => format!("gap {n}"),
        Some(Err(SubscriptionError::Gap { missed: None })) => "gap".to_owned(),
        Some(Err(error)) => {
            let over = if error.is_end() { ", over" } else { "" };
            format!("{error}{over}")
        }
    }
}

async fn check(items: &mut Subscription<u64>, expected: &[&str], what: &str) {
    for expected in expected {
        let next = timeout(Duration::from_secs(3600), items.next()).await;
        assert_eq!(told(next.expect("nothing comes")), *expected, "{what}");
    }
}

/// More are published than may wait, and then the topic ends.
#[tokio::test(start_paused = true)]
async fn a_reader_that_is_too_slow_is_told_what_is_missing() {
    let lagged = "too many items have waited, over";
    // The first number, the last one, what comes before and behind them.
    for (overflow, before, first, last, behind) in [
        (Overflow::Disconnect, None, 1, 256, &["gap 1", lagged][..]),
        (Overflow::DropOldest, Some("gap 44"), 45, 300, &[]),
        (Overflow::DropNewest, None, 1, 256, &["gap 44"]),
        (Overflow::LatestOnly, Some("gap 299"), 300, 300, &[]),
        (Overflow::Conflate, Some("gap 299"), 300, 300, &[]),
    ] {
        let topic = topic(overflow, 0);
        let mut items = topic.subscribe("k");
        for n in 1..=300 {
            topic.publish("k", &n);
        }
        drop(topic);
        let what = format!("{overflow:?}");
        check(&mut items, before.as_slice(), &what).await;
        for n in first..=last {
            check(&mut items, &[&n.to_string()], &what).await;
        }
        check(&mut items, behind, &what).await;
        check(&mut items, &["end", "end"], &what).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_gets_what_comes_and_what_was_kept() {
    let topic = topic(Overflow::Disconnect, 3);
    let mut items = topic.subscribe("k");
    let mut all = topic.subscribe_all();
    let waiting = tokio::spawn(async move {
        let event = items.next_event().await.unwrap().unwrap();
        (event, items)
    });
    tokio::task::yield_now().await;
    for n in 1..=5 {
        topic.publish("k", &n);
    }
    topic.publish("\"", &6);
    let (event, mut items) = waiting.await.unwrap();
    assert_eq!((event.item, event.key.as_deref()), (1, Some("k")));
    check(&mut items, &["2", "3", "4", "5"], "live").await;
    let mut events: Vec<Event<u64>> = Vec::new();
    for _ in 1..=6 {
        events.push(all.next_event().await.unwrap().unwrap());
    }
    let (last, first) = (events.pop().unwrap(), events.remove(0));
    assert_eq!((last.item, last.key.as_deref()), (6, Some("\"")));
    assert_ne!(first.cursor, event.cursor);

    let cursor = event.cursor.unwrap();
    let mut again = topic.subscribe("k").after(&cursor);
    check(&mut again, &["gap 1", "3", "4", "5"], "behind a cursor").await;
    let mut again = topic.subscribe("other").after(&cursor);
    topic.publish("other", &7);
    check(&mut again, &["gap", "7"], "of another key").await;
    let mut again = topic.subscribe_all().after(&first.cursor.unwrap());
    check(&mut again, &["gap 1", "3", "4", "5", "6", "7"], "all").await;
    let odd = topic.subscribe("k").filter(|n| n % 2 == 1).after(&cursor);
    let mut odd = odd.filter(|n| *n > 3);
    check(&mut odd, &["gap 1", "5"], "filtered").await;
    topic.publish("k", &8);
    topic.publish("k", &9);
    check(&mut odd, &["9"], "filtered").await;

    // It is a stream, and methods of streams work on it.
    let mut doubled = topic.subscribe("k").map(|n| n.unwrap() * 2);
    topic.publish("k", &10);
    assert_eq!(doubled.next().await, Some(20));
    assert_eq!(topic.subscribers("k"), 4);
    drop((items, doubled, odd, again));
    assert_eq!(topic.subscribers("k"), 1);
    drop(topic);
    assert_eq!(told(all.next().await), "7");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_an_error() {
    /// Its JSON text lacks a member.
    #[derive(Serialize, Deserialize)]
    struct Odd {
        #[serde(skip_serializing)]
        #[allow(dead_code)] // nobody gets that far
        lost: u64,
    }
    let odd = Topic::builder("odd").build();
    let mut items = odd.subscribe("k");
    odd.publish("k", &Odd { lost: 1 });
    drop(odd);
    let error = items.next().await.unwrap().map(|_| ()).unwrap_err();
    assert!(matches!(error, SubscriptionError::Decode(_)), "{error}");
    assert!(!error.is_end() && items.next().await.is_none());

    let topic: Topic<u64> = Topic::builder("few").max_keys(1).build();
    let mut first = topic.subscribe("a");
    let refused = "the topic has no room for this subscription, over";
    check(
        &mut topic.subscribe("b"),
        &[refused, "end", "end"],
        "one key",
    )
    .await;
    let long = "k".repeat(257);
    check(&mut topic.subscribe(long), &[refused, "end"], "a long key").await;
    drop(topic);
    check(&mut first, &["end"], "the first").await;
}

/// What is missing behind the last item is not lost with the end.
#[tokio::test(start_paused = true)]
async fn a_reader_is_told_what_is_missing_before_the_end() {
    type Filter = fn(&u64) -> bool;
    for (what, history, after, filter, expected) in [
        ("none is kept", 0, None, (|_| true) as Filter, "gap 4"),
        (
            "some are kept, which do not pass",
            2,
            None,
            |_| false,
            "gap 2",
        ),
        ("nobody knows", 0, Some("?"), |_| true, "gap"),
    ] {
        let topic = topic(Overflow::Disconnect, history);
        let mut first = topic.subscribe("k");
        topic.publish("k", &1);
        let seen = first.next_event().await.unwrap().unwrap().cursor.unwrap();
        for n in 2..=5 {
            topic.publish("k", &n);
        }
        let after = after.map_or(seen, Cursor::from);
        let mut items = topic.subscribe("k").filter(filter).after(&after);
        drop(topic);
        check(&mut items, &[expected, "end", "end"], what).await;
    }
}
