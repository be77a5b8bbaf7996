//! Topics when workers start, are replaced, are too fast, and when the whole program is upgraded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::peer::Peer;
use super::program::{Program, signal};

/// Asks until the answer is this one.
async fn until(peer: &mut Peer, method: &str, params: Value, expected: Value) {
    let mut answer = Value::Null;
    for _ in 0..1000 {
        answer = peer.call(method, params.clone()).await;
        if answer == expected {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{method} is {answer}, and never {expected}");
}

/// A connection to a worker that is none of these.
async fn to_another(address: &str, known: &[u32]) -> Peer {
    for _ in 0..1000 {
        let peer = Peer::connect(address).await;
        if !known.contains(&peer.worker) {
            return peer;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("all connections go to {known:?}");
}

#[tokio::test]
async fn a_reload_keeps_numbers_and_an_upgrade_begins_anew() {
    let mut program = Program::start(2);
    let mut peer = Peer::connect(&program.address).await;
    // What `main` has published, each worker has published.
    let mut begun = Peer::connect(&program.address).await;
    begun.subscribe("texts", "begun", Some("0-0-0")).await;
    let item = begun.item().await.unwrap();
    assert_eq!((item.number, item.item), (1, json!([0, "main"])));
    peer.subscribe("texts", "k", None).await;
    let mut other = Peer::connect(&program.address).await;
    for n in 1..=3 {
        assert_eq!(other.call("publish", json!(["k", [n, ""]])).await, n);
    }
    let cursor = peer.item().await.unwrap().cursor;
    for (kind, numbers, missed) in [("HUP", 2..=4, None), ("USR2", 1..=1, Some(Value::Null))] {
        let old = [peer.worker, other.worker];
        let supervisor = peer.supervisor;
        match kind {
            "HUP" => program.signal(kind),
            _ => program.upgrade(),
        }
        other = to_another(&program.address, &old).await;
        while kind == "USR2" && other.supervisor == supervisor {
            other = Peer::connect(&program.address).await;
        }
        let n = *numbers.end();
        assert_eq!(other.call("publish", json!(["k", [n, ""]])).await, n);
        let mut late = to_another(&program.address, &old).await;
        late.subscribe("texts", "k", Some(&cursor)).await;
        for number in numbers {
            let item = late.item().await.unwrap();
            let expected = missed.clone().filter(|_| number == 1);
            assert_eq!((item.number, item.missed), (number, expected), "{kind}");
            assert_eq!(item.item[0], number);
        }
        peer = late;
    }
    signal(peer.supervisor, "TERM");
    while peer.next().await.is_some() {}
}

#[tokio::test]
async fn a_worker_that_starts_has_the_history_and_topics_of_one_name_stay_apart() {
    let program = Program::start(1);
    let mut peer = Peer::connect(&program.address).await;
    for n in 1..=50 {
        peer.call("publish", json!(["k", [n, "x".repeat(1000)]]))
            .await;
        peer.call("publish_plain", json!(["k", [n, ""]])).await;
    }
    peer.subscribe("texts", "k", Some("0-0-0")).await;
    let first = peer.item().await.unwrap();
    assert_eq!((first.number, first.missed), (1, Some(Value::Null)));
    // It was the only one.
    signal(peer.worker, "KILL");
    let mut late = Peer::connect(&program.address).await;
    assert_ne!(late.worker, peer.worker);
    assert_eq!(late.call("publish", json!(["k", [51, ""]])).await, 51);
    assert_eq!(late.call("publish_plain", json!(["k", [51, ""]])).await, 51);
    late.subscribe("other", "k", Some("0-0-0")).await;
    late.subscribe("texts", "k", Some(&first.cursor)).await;
    for number in 2..=51 {
        let item = late.item().await.unwrap();
        assert_eq!((item.number, item.missed), (number, None));
        assert_eq!(item.item[0], number);
    }
}

#[tokio::test]
async fn a_key_has_one_producer_in_all_workers() {
    let program = Program::start(2);
    let mut peers = Peer::connect_to_all(&program.address, 2).await;
    let (mut b, mut a) = (peers.pop().unwrap(), peers.pop().unwrap());
    // Others, to ask with.
    let mut asks = Peer::connect_to_all(&program.address, 2).await;
    asks.sort_by_key(|peer| peer.worker != a.worker);
    a.subscribe("texts", "k", None).await;
    until(&mut asks[0], "produced", json!([]), json!(["k"])).await;
    b.subscribe("texts", "k", None).await;
    for ask in &mut asks {
        until(ask, "subscribers", json!(["k"]), json!([2, 2])).await;
    }
    assert_eq!(asks[1].call("produced", json!([])).await, json!([]));
    // The one that produces has no subscriber any more.
    drop(a);
    until(&mut asks[1], "subscribers", json!(["k"]), json!([1, 1])).await;
    assert_eq!(asks[0].call("produced", json!([])).await, json!(["k"]));
    assert_eq!(asks[1].call("produced", json!([])).await, json!([]));
    // It dies.
    signal(asks[0].worker, "KILL");
    until(&mut asks[1], "produced", json!([]), json!(["k"])).await;
    drop(b);
    until(&mut asks[1], "produced", json!([]), json!([])).await;
    until(&mut asks[1], "subscribers", json!(["k"]), json!([0, 0])).await;
}

#[tokio::test]
async fn who_publishes_too_fast_is_told_and_holds_up_no_replacement() {
    let program = Program::start(2);
    let mut peers = Peer::connect_to_all(&program.address, 2).await;
    let (mut other, mut flood) = (peers.pop().unwrap(), peers.pop().unwrap());
    assert_eq!(flood.call("flood", json!(["k", 1000])).await, 0);
    // A loop without an await fills the queue.
    let refused = flood.call("flood", json!(["k", 70_000])).await;
    assert_eq!(refused, 70_000 - 65_536);
    let flooding = tokio::spawn(async move {
        for _ in 0..5 {
            flood.call("flood", json!(["k", 20_000])).await;
        }
        flood
    });
    signal(other.worker, "KILL");
    while other.next().await.is_some() {}
    let known = flooding.await.unwrap();
    let mut new = to_another(&program.address, &[known.worker, other.worker]).await;
    assert!(
        new.call("publish_plain", json!(["k", [1, ""]]))
            .await
            .as_u64()
            > Some(65_536)
    );
}

#[tokio::test]
async fn a_flood_does_not_delay_the_replacement_of_a_worker_that_dies_meanwhile() {
    let program = Program::start(2);
    let mut peers = Peer::connect_to_all(&program.address, 2).await;
    let (mut other, mut flood) = (peers.pop().unwrap(), peers.pop().unwrap());
    // The new one has to get this as well.
    for n in 1..=100 {
        let item = json!(["k", [n, "x".repeat(50_000)]]);
        assert_eq!(other.call("publish", item).await, n);
    }
    let known = [flood.worker, other.worker];
    let enough = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&enough);
    let flooding = tokio::spawn(async move {
        while !until.load(Ordering::Relaxed) {
            flood.call("flood", json!(["k", 50_000])).await;
        }
    });
    signal(other.worker, "KILL");
    while other.next().await.is_some() {}
    // It accepts connections when it is ready.
    let mut new = to_another(&program.address, &known).await;
    new.subscribe("texts", "k", Some("0-0-0")).await;
    for n in 1..=100 {
        assert_eq!(new.item().await.unwrap().number, n);
    }
    assert!(!flooding.is_finished());
    enough.store(true, Ordering::Relaxed);
    flooding.await.unwrap();
}

#[tokio::test]
async fn a_worker_that_stands_still_holds_up_nobody_and_is_told_what_is_missing() {
    let program = Program::with_long_queues(2);
    let mut peers = Peer::connect_to_all(&program.address, 2).await;
    let (mut other, mut still) = (peers.pop().unwrap(), peers.pop().unwrap());
    still.subscribe("texts", "k", None).await;
    let mut plain = to_another(&program.address, &[other.worker]).await;
    plain.subscribe("plain", "k", None).await;
    assert_eq!(other.call("publish", json!(["k", [1, ""]])).await, 1);
    assert_eq!(other.call("publish_plain", json!(["k", [1, ""]])).await, 1);
    assert_eq!(still.item().await.unwrap().number, 1);
    assert_eq!(plain.item().await.unwrap().number, 1);
    signal(still.worker, "STOP");
    // More than what may wait for a worker.
    const COUNT: u64 = 1000;
    assert_eq!(other.call("fill", json!(["k", 2, COUNT])).await, COUNT);
    assert_eq!(other.call("publish", json!(["k", [2, ""]])).await, 2);
    signal(still.worker, "CONT");
    // What the history has, comes.
    assert_eq!(still.item().await.unwrap().number, 2);
    other.call("publish_plain", json!(["k", [0, ""]])).await;
    let (mut seen, mut missed) = (1, 0);
    while seen <= COUNT {
        let item = plain.item().await.unwrap();
        let count = item.missed.and_then(|missed| missed.as_u64()).unwrap_or(0);
        assert_eq!(item.number, seen + count + 1);
        (seen, missed) = (item.number, missed + count);
    }
    assert!((100..COUNT).contains(&missed), "{missed}");
}
