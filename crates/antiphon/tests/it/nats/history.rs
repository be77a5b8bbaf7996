//! Random calls, and random failures between them: what callers are told agrees with what has run.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::broker::{Broker, until_answered};
use super::server_process::{Record, ServerProcess, Told, agree};

/// Numbers that are the same for the same seed.
struct Random(u64);

impl Random {
    /// The next number below a bound.
    fn below(&mut self, bound: u64) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What is called and what fails is the same in each run; how the two meet is not.
const SEED: u64 = 0x5DEE_CE66_D2B7_4A1F;

/// How many failures there are, and how many calls at least.
const FAILURES: usize = 24;
const CALLS: u64 = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_has_one_outcome_and_it_is_true() {
    let Some(mut broker) = Broker::start().await else {
        return;
    };
    let record = Record::in_folder(&broker.folder);
    let start = |broker: &Broker| ServerProcess::start(&broker.url("shop"), &record.0);
    let mut servers: Vec<_> = (0..3).map(|_| start(&broker)).collect();
    until_answered(&broker.client("shop")).await;
    let (next, is_over) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let all = Arc::<Mutex<HashMap<u64, Told>>>::default();
    let mut callers = Vec::new();
    for caller in 0..12 {
        let client = broker.client("shop");
        let (next, is_over, all) = (Arc::clone(&next), Arc::clone(&is_over), Arc::clone(&all));
        callers.push(tokio::spawn(async move {
            let mut random = Random(SEED + caller);
            loop {
                let id = next.fetch_add(1, Ordering::Relaxed);
                if is_over.load(Ordering::Relaxed) && id >= CALLS {
                    return;
                }
                // Most are quick; some are acknowledged, and some of those are given up.
                let milliseconds = match random.below(50) {
                    0 => 400,
                    1..10 => random.below(30),
                    _ => 0,
                };
                let limit = match random.below(100) {
                    0 => Duration::from_millis(300),
                    _ => Duration::from_secs(60),
                };
                let call = client.call::<u64>("run", (id, milliseconds)).timeout(limit);
                let told = match timeout(Duration::from_secs(90), call.into_future()).await {
                    Ok(Err(error)) if error.code().is_some_and(|code| code.0 == -32001) => {
                        Told::Unknown
                    }
                    Ok(outcome) => Told::of(id, &outcome),
                    Err(_) => panic!("nobody is told of call {id}"),
                };
                let before = all.lock().unwrap().insert(id, told);
                assert_eq!(before, None, "call {id} has two outcomes");
                if told != Told::Answered {
                    sleep(Duration::from_millis(2)).await;
                }
            }
        }));
    }
    let mut random = Random(SEED);
    for _ in 0..FAILURES {
        sleep(Duration::from_millis(50 + random.below(200))).await;
        let which = usize::try_from(random.below(3)).unwrap();
        match random.below(5) {
            0 => {
                broker.kill();
                sleep(Duration::from_millis(random.below(100))).await;
                broker.restart().await;
            }
            1 => {
                servers[which].signal("STOP");
                sleep(Duration::from_millis(random.below(3_500))).await;
                servers[which].signal("CONT");
            }
            _ => {
                servers[which].kill();
                servers[which] = start(&broker);
            }
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
    // What is still at a server is past its callers by now.
    sleep(Duration::from_millis(500)).await;
    let (all, begun) = (all.lock().unwrap(), record.begun());
    agree(&all, &begun);
    let count = |one: Told| all.values().filter(|told| **told == one).count();
    assert!(count(Told::Answered) as u64 > CALLS / 2, "{}", all.len());
    assert!(count(Told::Unknown) > 0);
}
