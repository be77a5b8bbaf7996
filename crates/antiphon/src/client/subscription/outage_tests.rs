//! Tests of outages, on a network in memory and a paused clock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use antiphon_proto::ErrorCode;
use tokio::time::{Instant, sleep, timeout};

use super::super::memory_net::Net;
use super::super::reconnect::Reconnect;
use super::{StreamError, Subscription};
use crate::call::Reply;
use crate::call_future::CallFuture;
use crate::current_call::CurrentCall;
use crate::router::{Method, Router};
use crate::subscription::Items;
use crate::topic::{Cursor, Topic};

/// A topic of numbers, and a server of it that refuses the calls from `first` on, so many, with a code.
fn numbers(history: usize, first: u32, refusals: u32, code: ErrorCode) -> (Topic<u64>, Net) {
    let topic = Topic::builder("numbers").history(history).build();
    let (follow, calls) = (topic.clone(), AtomicU32::new(0));
    let numbers = Method::new("numbers".to_owned(), move |call| {
        let number = calls.fetch_add(1, Ordering::Relaxed);
        let refused = (first..first.saturating_add(refusals)).contains(&number);
        CallFuture::ready(match refused {
            true => Reply::error(code),
            false => call.subscribe(Items::Topic(Box::new(follow.subscribe("k").into_feed()))),
        })
    });
    let router = Router::new()
        .method(numbers.subscription())
        .method_fn("hold", async || {
            sleep(Duration::from_secs(3600)).await;
            7
        });
    (topic, Net::new(router))
}

fn publish(topic: &Topic<u64>, numbers: impl IntoIterator<Item = u64>) {
    for n in numbers {
        topic.publish("k", &n);
    }
}

/// The next thing that comes, in a few words.
async fn next(items: &mut Subscription<u64>) -> String {
    let next = timeout(Duration::from_secs(7 * 24 * 3600), items.next()).await;
    match next.expect("nothing comes") {
        None => "end".to_owned(),
        Some(Ok(n)) => n.to_string(),
        Some(Err(StreamError::Gap { missed: Some(n) })) => format!("gap {n}"),
        Some(Err(StreamError::Gap { missed: None })) => "gap".to_owned(),
        Some(Err(StreamError::Lost(error))) => match error.code() {
            Some(code) => format!("lost {}", code.0),
            None => "lost".to_owned(),
        },
        Some(Err(error)) => format!("{error:?}"),
    }
}

async fn expect(items: &mut Subscription<u64>, expected: &[&str], what: &str) {
    for expected in expected {
        assert_eq!(next(items).await, *expected, "{what}");
    }
}

/// The timeout of a call, 30 s, is not that of an outage, and neither is the deadline of the call in
/// which the subscription was opened.
#[tokio::test(start_paused = true)]
async fn an_outage_may_last_for_any_time() {
    let tries = Reconnect::default().max_attempts(20);
    for (what, reconnect, outage, expected) in [
        ("a moment", Some(Reconnect::default()), 0, &["2", "3"][..]),
        ("an hour", Some(Reconnect::default()), 3600, &["2", "3"]),
        ("a few attempts", Some(tries.clone()), 1, &["2", "3"]),
        ("all attempts", Some(tries), 3600, &["lost", "end"]),
        ("no reconnection", None, 0, &["lost", "end"]),
    ] {
        let (topic, net) = numbers(10, 0, 0, ErrorCode::OVERLOADED);
        let client = net.client(reconnect);
        let call = CurrentCall {
            deadline: Some(Instant::now() + Duration::from_secs(10)),
            ..CurrentCall::default()
        };
        let pending = client.subscribe::<u64>("numbers", ());
        let mut items = call.scope(pending.into_future()).await.unwrap();
        publish(&topic, [1]);
        expect(&mut items, &["1"], what).await;
        sleep(Duration::from_secs(11)).await;
        net.set_up(false);
        net.cut();
        publish(&topic, [2]);
        let (again, later) = (net.clone(), topic.clone());
        tokio::spawn(async move {
            sleep(Duration::from_secs(outage)).await;
            again.set_up(true);
            publish(&later, [3]);
        });
        expect(&mut items, expected, what).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_may_refuse_for_a_while() {
    for (code, refusals, expected) in [
        (ErrorCode::OVERLOADED, 1, &["2"][..]),
        (ErrorCode::OVERLOADED, 10, &["2"]),
        (ErrorCode::OVERLOADED, 11, &["lost -32000", "end"]),
        (ErrorCode::LIMIT_EXCEEDED, 10, &["2"]),
        (ErrorCode::TIMEOUT, 10, &["2"]),
        (ErrorCode::METHOD_NOT_FOUND, 1, &["lost -32601", "end"]),
    ] {
        let (topic, net) = numbers(10, 1, refusals, code);
        let client = net.client(Some(Reconnect::default()));
        let mut items = client.subscribe::<u64>("numbers", ()).await.unwrap();
        publish(&topic, [1]);
        expect(&mut items, &["1"], "before").await;
        net.cut();
        publish(&topic, [2]);
        expect(&mut items, expected, &format!("{code:?} {refusals}")).await;
    }
}

/// A server that stops ends its subscriptions at once, and its connections when their calls have ended. The
/// client does not wait for these.
#[tokio::test(start_paused = true)]
async fn a_server_that_stops_is_an_outage() {
    for (what, reconnects, holds, expected) in [
        ("at once", true, false, &["2", "3"][..]),
        ("with a call in flight", true, true, &["2", "3"]),
        ("without reconnection", false, false, &["Shutdown", "end"]),
    ] {
        let (topic, net) = numbers(10, 0, 0, ErrorCode::OVERLOADED);
        let client = net.client(reconnects.then(Reconnect::default));
        let mut items = client.subscribe::<u64>("numbers", ()).await.unwrap();
        publish(&topic, [1]);
        expect(&mut items, &["1"], what).await;
        let held = holds.then(|| {
            let call = client.call::<u8>("hold", ()).timeout(None);
            tokio::spawn(call.into_future())
        });
        sleep(Duration::from_millis(1)).await;
        net.stop();
        sleep(Duration::from_millis(1)).await;
        publish(&topic, [2]);
        let later = topic.clone();
        tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            publish(&later, [3]);
        });
        let before = Instant::now();
        expect(&mut items, expected, what).await;
        assert!(before.elapsed() < Duration::from_secs(2), "{what}");
        assert_eq!(net.accepted(), if reconnects { 2 } else { 1 }, "{what}");
        if let Some(held) = held {
            assert_eq!(held.await.unwrap().unwrap(), 7);
        }
    }
}

/// A server that says again and again that it stops, and does not close its connections, gets no more of them.
/// They end with the client.
#[tokio::test(start_paused = true)]
async fn few_connections_of_servers_that_stop_are_kept() {
    let (topic, net) = numbers(100, 0, 0, ErrorCode::OVERLOADED);
    let client = net.client(Some(Reconnect::default()));
    let mut items = client.subscribe::<u64>("numbers", ()).await.unwrap();
    for number in 1..=9 {
        publish(&topic, [number]);
        expect(&mut items, &[&*number.to_string()], "each connection").await;
        let call = client.call::<u8>("hold", ()).timeout(None);
        tokio::spawn(call.into_future());
        sleep(Duration::from_millis(1)).await;
        net.stop();
        sleep(Duration::from_millis(1)).await;
    }
    publish(&topic, [10]);
    let next = timeout(Duration::from_secs(50), items.next()).await;
    assert!(next.is_err(), "{next:?}");
    assert_eq!((net.open(), net.accepted()), (9, 9));
    drop((items, client));
    sleep(Duration::from_secs(3601)).await;
    assert_eq!((net.open(), net.accepted()), (0, 9));
}

/// Items that come faster than they are taken come again, from the history.
#[tokio::test(start_paused = true)]
async fn a_slow_program_gets_all_that_was_kept() {
    for (reconnects, count, slow, buffer) in [
        (true, 500, false, 4),
        (true, 300, true, 1),
        (true, 5000, false, 1024),
        (false, 500, false, 4),
    ] {
        let (topic, net) = numbers(10_000, 0, 0, ErrorCode::OVERLOADED);
        publish(&topic, 1..=count);
        let client = net.client(reconnects.then(Reconnect::default));
        let all = client.subscribe::<u64>("numbers", ()).buffer(buffer);
        let mut items = all.after(Cursor::from("")).await.unwrap();
        expect(&mut items, &["gap"], "before the first").await;
        let mut seen = 0;
        let end = loop {
            let next = next(&mut items).await;
            if next != (seen + 1).to_string() {
                break next;
            }
            seen += 1;
            if slow {
                sleep(Duration::from_millis(10)).await;
            }
            if seen == count {
                break "all".to_owned();
            }
        };
        let expected = if reconnects { "all" } else { "Lagged" };
        assert_eq!(end, expected, "after {seen}");
        assert_eq!(net.accepted(), 1);
    }
}
