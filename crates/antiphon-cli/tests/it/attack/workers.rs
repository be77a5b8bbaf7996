//! Two workers with a limit of the system on their memory; floods of signals.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{Honest, Sampler, Target, alone, complaints, judge, more, resident_of, send_on_many};
use crate::support::TIMEOUT;
use crate::wire::{Protocol, batch};

/// The process ids of the workers that run.
fn workers(target: &Target) -> Vec<u64> {
    let info = target.info();
    let workers = info["monitors"]["rpc"]["workers"].as_array().cloned();
    let mut running: Vec<_> = workers
        .unwrap_or_default()
        .iter()
        .filter(|worker| worker["actor"]["state"] == "running")
        .filter_map(|worker| worker["actor"]["process_id"].as_u64())
        .collect();
    running.sort_unstable();
    running
}

/// Waits until two workers run.
fn settled(target: &Target) -> Vec<u64> {
    let begin = Instant::now();
    loop {
        let running = workers(target);
        if running.len() == 2 {
            return running;
        }
        assert!(begin.elapsed() < TIMEOUT, "{running:?} run");
        sleep(Duration::from_millis(20));
    }
}

/// A hundred connections ask for a batch of two results of 10 MB each and read nothing, twice. An
/// allocation beyond the limit aborts the worker. The results cost no work, since this is about
/// memory, and a worker has one thread for all connections.
#[test]
fn workers_of_one_gibibyte_survive_what_would_fill_them() {
    let _turn = alone();
    let target = Target::limited(1024, &["--workers", "2", "--bind", "127.0.0.1:0"]);
    let before = settled(&target);
    let processes = target.processes();
    let sampler = Sampler::start(processes.clone());
    let at_rest = resident_of(&processes);
    let http = target.place("http").clone();
    let honest = Honest::start(vec![
        (http.clone(), Protocol::Http1),
        (http, Protocol::WebSocket),
    ]);
    for _ in 0..2 {
        let held = send_on_many(&target, "http", Protocol::Http1, 100, |peer| {
            peer.encode(&batch(2, "big", "[]"))
        });
        sleep(Duration::from_secs(6));
        drop(held);
    }
    let honest = honest.stop();
    let after = settled(&target);
    println!(
        "two workers of 1 GiB: at most {} MiB in all; workers {before:?}, then {after:?}; {} honest \
         calls, {} failed, the slowest {:?}",
        more(sampler.most(), at_rest),
        honest.calls,
        honest.failures.len(),
        honest.worst,
    );
    let mut wrong = judge(&honest);
    if before != after {
        wrong.push(format!("workers {before:?} were replaced by {after:?}"));
    }
    wrong.extend(complaints(&target.stop()));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Workers are replaced, or settings read again, and nobody notices.
#[test]
fn two_hundred_reloads_disturb_nobody() {
    let _turn = alone();
    for flags in [&["--workers", "2"][..], &[]] {
        let target = Target::shipped(&[flags, &["--bind", "127.0.0.1:0"]].concat());
        let http = target.place("http").clone();
        let honest = Honest::start(vec![(http, Protocol::Http1)]);
        for _ in 0..20 {
            target.signal("HUP", 10);
            sleep(Duration::from_millis(50));
        }
        if !flags.is_empty() {
            settled(&target);
        }
        let honest = honest.stop();
        println!(
            "200 × SIGHUP, {flags:?}: {} honest calls, {} failed, the slowest {:?}",
            honest.calls,
            honest.failures.len(),
            honest.worst,
        );
        let mut wrong = judge(&honest);
        wrong.extend(complaints(&target.stop()));
        assert!(wrong.is_empty(), "{flags:?}: {wrong:#?}");
    }
}
