//! Topics: large items for many who do not read, and many keys.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{KEPT, Target, alone, check, complaints, give_back, more, resident_of};
use crate::wire::{Peer, Protocol, call};

/// Subscribers of one item; every second one does not read.
const SUBSCRIBERS: usize = 1_000;
/// Items of 100 KiB: more than fit into the buffers of a socket and the queue of a subscriber.
const ITEMS: u64 = 24;
/// What all of it may take, in MiB: the connections, one copy of the items that wait, and for each
/// subscriber that does not read what is on its way to it.
const MANY: u64 = 64;

/// Time limit for cutting the connections of those who do not read. The promise is 30 seconds.
const CUT: Duration = Duration::from_secs(90);

const KEYS: usize = 100_000;
/// What so many keys may take with a subscriber and an item each, in MiB.
const ALL_KEYS: u64 = 128;
/// How often they come and go.
const ROUNDS: usize = 4;

fn subscribe(target: &Target) -> Peer {
    let mut peer = target.connect("unix", Protocol::Lines);
    let answer = peer.ask(&call(1, "hear", "[]")).unwrap();
    assert!(answer.contains("\"result\":\"0x"), "{answer}");
    peer
}

/// The result of a call over HTTP.
fn result(target: &Target, method: &str, params: &Value) -> Value {
    let mut peer = target.connect("http", Protocol::Http1);
    let answer = peer.ask(&call(1, method, &params.to_string())).unwrap();
    serde_json::from_str::<Value>(&answer).unwrap()["result"].take()
}

/// Each item is read by all who read before the next one is published: those who do not read hold up
/// nobody.
#[test]
fn those_who_do_not_read_a_topic_delay_nobody_and_cost_little() {
    let _turn = alone();
    let target = Target::subject(&["--bind", "unix:{folder}/socket,http://127.0.0.1:0"]);
    let name = "1,000 subscribers of items of 100 KiB, half of whom do not read";
    check(name, target, MANY, |target| {
        let all = |_| subscribe(target);
        let mut readers: Vec<_> = (0..SUBSCRIBERS / 2).map(all).collect();
        let silent: Vec<_> = (0..SUBSCRIBERS / 2).map(all).collect();
        for number in 1..=ITEMS {
            assert_eq!(result(target, "shout", &json!([])), number);
            for reader in &mut readers {
                let item = reader.receive().unwrap();
                assert!(item.len() > 100 * 1024, "{item}");
                assert!(item.contains(&format!("\"seq\":{number},")), "{number}");
            }
            let held = result(target, "topic", &json!([]));
            let waiting = held["waiting"].as_u64().unwrap();
            // One copy of each item, and of those alone that still fit into a queue.
            assert!(waiting <= 12 * 101 * 1024, "{held}");
        }
        // The others lose their subscriptions, and their items with them, when their connections are cut.
        let end = Instant::now() + CUT;
        loop {
            let held = result(target, "topic", &json!([]));
            let subscribers = held["subscribers"].as_u64();
            if subscribers == Some(readers.len() as u64) && held["waiting"] == 0 {
                break;
            }
            assert!(Instant::now() < end, "{held}");
            sleep(Duration::from_millis(100));
        }
        (readers, silent)
    });
}

/// Each key has a subscriber, or was published once and never again.
#[test]
fn a_hundred_thousand_keys_cost_little_and_give_it_back() {
    for (method, subscribers) in [("follow_keys", KEYS as u64), ("publish_keys", 0)] {
        let _turn = alone();
        // With one thread the allocator has one arena, which is used in each round.
        let target = Target::subject(&["--bind", "http://127.0.0.1:0", "--threads", "1"]);
        let processes = target.processes();
        result(&target, "ping", &json!([]));
        let before = resident_of(&processes);
        // It keeps some of it.
        for round in 0..ROUNDS {
            let held = result(&target, method, &json!([KEYS]));
            let most = more(resident_of(&processes), before);
            println!("{method}, round {round}: {held}, {most} MiB");
            let number = |name: &str| held[name].as_u64().unwrap();
            assert!((1..=KEYS as u64).contains(&number("keys")), "{held}");
            assert_eq!(number("subscribers"), subscribers, "{held}");
            assert!(number("kept") <= 16 << 20, "{held}");
            assert!(number("waiting") <= 64 << 20, "{held}");
            assert!(most <= ALL_KEYS, "{method}: {most} MiB");
            result(&target, "let_go", &json!([]));
            let nothing = json!({"keys": 0, "subscribers": 0, "kept": 0, "waiting": 0});
            assert_eq!(result(&target, "topic", &json!([])), nothing, "{method}");
        }
        let (kept, _) = give_back(&processes, before);
        assert!(kept <= KEPT, "{method}: {kept} MiB are left");
        let wrong = complaints(&target.stop());
        assert!(wrong.is_empty(), "{method}: {wrong:#?}");
    }
}
