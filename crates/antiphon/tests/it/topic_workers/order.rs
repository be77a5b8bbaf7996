//! All subscribers of all workers see one order, also while workers die.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::peer::{Got, Peer};
use super::program::{Program, signal};
use crate::support::call;

const SUBSCRIBERS: usize = 40;
const PUBLISHERS: u64 = 8;
const ITEMS: u64 = 10_000;
const WORKERS: usize = 4;

/// How many calls of a publisher are on their way.
const IN_FLIGHT: u64 = 32;

/// Publishes items that nobody else publishes, and returns their numbers.
async fn publish(address: String, publisher: u64) -> BTreeMap<u64, u64> {
    let mut peer = Peer::connect(&address).await;
    let (first, last) = (publisher * ITEMS, publisher * ITEMS + ITEMS / PUBLISHERS);
    let (mut numbers, mut sent) = (BTreeMap::new(), first);
    while numbers.len() < (last - first) as usize {
        while sent < last && sent < first + numbers.len() as u64 + IN_FLIGHT {
            let params = json!(["k", [sent, "text"]]).to_string();
            assert!(
                peer.send(&call(&sent.to_string(), "publish", &params))
                    .await
            );
            sent += 1;
        }
        let answer = peer.next().await.expect("an answer");
        let number = answer["result"].as_u64().expect("a number");
        numbers.insert(answer["id"].as_u64().unwrap(), number);
    }
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn everybody_hears_everything_in_one_order() {
    let program = Program::start(WORKERS);
    let mut workers = BTreeSet::new();
    let mut readers: Vec<JoinHandle<Vec<Got>>> = Vec::new();
    for n in 0..SUBSCRIBERS {
        let mut peer = Peer::connect(&program.address).await;
        workers.insert(peer.worker);
        // A topic with a history, and of its items those of all keys.
        match n % 4 {
            0 => peer.subscribe("all", "", None).await,
            _ => peer.subscribe("texts", "k", None).await,
        }
        readers.push(tokio::spawn(async move {
            let mut got = Vec::new();
            while (got.len() as u64) < ITEMS {
                let item = peer.item().await.expect("an item");
                if item.item[1] == "text" {
                    got.push(item);
                }
            }
            got
        }));
    }
    assert_eq!(workers.len(), WORKERS);
    let publishers = (0..PUBLISHERS).map(|n| tokio::spawn(publish(program.address.clone(), n)));
    let publishers: Vec<_> = publishers.collect();
    let mut numbers = BTreeMap::new();
    for publisher in publishers {
        numbers.extend(publisher.await.unwrap());
    }
    let order: BTreeMap<u64, u64> = numbers
        .iter()
        .map(|(item, number)| (*number, *item))
        .collect();
    assert!(order.keys().copied().eq(1..=ITEMS), "1 to {ITEMS}");
    for (n, reader) in readers.into_iter().enumerate() {
        let got = reader.await.unwrap();
        let items = got.iter().map(|got| got.item[0].as_u64().unwrap());
        assert!(items.eq(order.values().copied()), "subscriber {n}");
        assert!(got.iter().all(|got| got.missed.is_none()));
        let first = got[0].number;
        let expected = (first..).take(got.len());
        assert!(got.iter().map(|got| got.number).eq(expected));
    }
}

/// Subscribes again behind what it has got whenever its worker dies, until the last item.
async fn read_on(address: String, done: Value) -> Vec<Got> {
    let mut got: Vec<Got> = Vec::new();
    loop {
        let mut peer = Peer::connect(&address).await;
        let after = got.last().map(|got| got.cursor.clone());
        // The first one begins before there is anything; so nothing is missing then.
        if peer
            .try_subscribe("texts", "k", after.as_deref())
            .await
            .is_none()
        {
            continue;
        }
        while let Some(item) = peer.item().await {
            let is_last = item.item == done;
            got.push(item);
            if is_last {
                return got;
            }
        }
    }
}

/// Publishes until it is told to stop; returns what was acknowledged, and what may have been lost.
async fn publish_on(
    address: String,
    publisher: u64,
    stop: Arc<AtomicBool>,
) -> (BTreeMap<u64, u64>, BTreeSet<u64>) {
    let (mut numbers, mut unknown) = (BTreeMap::new(), BTreeSet::new());
    let mut next = publisher * 1_000_000;
    while !stop.load(Ordering::Relaxed) {
        let mut peer = Peer::connect(&address).await;
        while !stop.load(Ordering::Relaxed) {
            next += 1;
            let answer = peer.try_call("publish", json!(["k", [next, "text"]])).await;
            match answer.and_then(|answer| answer["result"].as_u64()) {
                Some(number) => drop(numbers.insert(number, next)),
                None => {
                    unknown.insert(next);
                    break;
                }
            }
            sleep(Duration::from_millis(2)).await;
        }
    }
    (numbers, unknown)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn nothing_is_missing_or_comes_twice_when_workers_are_killed() {
    let program = Program::start(WORKERS);
    let done = json!([0, "done"]);
    // Something is there to go on behind.
    let mut first = Peer::connect(&program.address).await;
    first.subscribe("texts", "k", None).await;
    let mut other = Peer::connect(&program.address).await;
    other.call("publish", json!(["k", [7, "text"]])).await;
    let begin = first.item().await.unwrap();
    assert_eq!(begin.number, 1);
    let readers =
        (0..SUBSCRIBERS).map(|_| tokio::spawn(read_on(program.address.clone(), done.clone())));
    let readers: Vec<_> = readers.collect();
    let stop = Arc::new(AtomicBool::new(false));
    let publishers = (1..=PUBLISHERS)
        .map(|n| tokio::spawn(publish_on(program.address.clone(), n, Arc::clone(&stop))));
    let publishers: Vec<_> = publishers.collect();
    for _ in 0..6 {
        sleep(Duration::from_millis(1000)).await;
        let victim = Peer::connect(&program.address).await;
        signal(victim.worker, "KILL");
    }
    stop.store(true, Ordering::Relaxed);
    let (mut numbers, mut unknown) = (BTreeMap::from([(1, 7)]), BTreeSet::new());
    for publisher in publishers {
        let (acknowledged, lost) = publisher.await.unwrap();
        numbers.extend(acknowledged);
        unknown.extend(lost);
    }
    let mut last = Peer::connect(&program.address).await;
    let end = last.call("publish", json!(["k", done])).await;
    assert!(numbers.len() > 100, "{}", numbers.len());
    for (n, reader) in readers.into_iter().enumerate() {
        let got = reader.await.unwrap();
        let expected = got[0].number..=end.as_u64().unwrap();
        assert!(
            got.iter().map(|got| got.number).eq(expected),
            "subscriber {n}"
        );
        for item in &got[..got.len() - 1] {
            assert_eq!(item.missed, None);
            let value = item.item[0].as_u64().unwrap();
            let known = numbers.get(&item.number);
            assert!(
                known.map_or(unknown.contains(&value), |known| *known == value),
                "{item:?}"
            );
        }
    }
    // Somebody who begins at the beginning gets all that was acknowledged.
    let mut late = Peer::connect(&program.address).await;
    late.subscribe("texts", "k", Some(&begin.cursor)).await;
    for number in 2..end.as_u64().unwrap() {
        let item = late.item().await.unwrap();
        assert_eq!(item.number, number);
        let acknowledged = numbers.remove(&number);
        assert!(acknowledged.is_none_or(|value| item.item[0] == value));
    }
    assert!(numbers.keys().all(|number| *number == 1), "{numbers:?}");
}
