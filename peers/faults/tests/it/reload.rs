//! Tests of reloads: new workers replace the old ones.

use std::time::Duration;

use faults::{Load, Server, until};
use rustix::process::Signal;

use crate::{SUBJECT, alone, rounds};

#[test]
fn a_reload_under_load_loses_nothing() {
    let _turn = alone();
    let reloads = rounds(4, 10);
    let server = Server::start(SUBJECT, &["--workers", "2"]);
    let mut workers = server.settled(2);
    let load = Load::start(server.address, 16, 5);
    for _ in 0..reloads {
        std::thread::sleep(Duration::from_millis(if reloads > 4 { 3000 } else { 300 }));
        server.signal(Signal::HUP);
        let known = workers.clone();
        workers = until("all workers are new", || {
            let running = server.settled(2);
            running
                .iter()
                .all(|worker| !known.contains(worker))
                .then_some(running)
        });
    }
    let tally = load.stop();
    println!(
        "SIGHUP x {reloads}: {} calls, {} lost, {} refused; p50 {:?}, p99 {:?}; by process {:?}",
        tally.0.len(),
        tally.lost().len(),
        tally.refused(),
        tally.latency(0.5),
        tally.latency(0.99),
        tally.by_process().values().collect::<Vec<_>>(),
    );
    assert!(tally.lost().is_empty(), "{:#?}", tally.lost());
    assert_eq!((tally.refused(), tally.failed()), (0, 0));
}

#[test]
fn broken_settings_and_workers_that_fail_leave_the_old_ones() {
    let file = std::env::temp_dir().join(format!("antiphon-settings-{}.toml", std::process::id()));
    let fail = std::env::temp_dir().join(format!("antiphon-reload-{}", std::process::id()));
    std::fs::write(&file, "max-batch = 7\n").unwrap();
    let arguments = [
        "--workers",
        "2",
        "--config",
        file.to_str().unwrap(),
        "--fail-if",
        fail.to_str().unwrap(),
    ];
    let server = Server::start(SUBJECT, &arguments);
    let workers = server.settled(2);
    std::fs::write(&file, "max-bacth = 7\n").unwrap();
    server.signal(Signal::HUP);
    until("it was refused", || server.says("max-bacth").then_some(()));
    assert_eq!(server.settled(2), workers);
    // A worker that is replaced during the reload gets the settings of the others.
    server.signal_worker(workers[0].1, Signal::KILL);
    let workers = until("it is replaced", || {
        let running = server.settled(2);
        (running != workers).then_some(running)
    });
    std::fs::write(&file, "max-batch = 8\n").unwrap();
    std::fs::write(&fail, "").unwrap();
    server.signal(Signal::HUP);
    until("a new worker has failed", || {
        server.says("the old workers go on").then_some(())
    });
    assert_eq!(server.settled(2), workers);
    std::fs::remove_file(&fail).unwrap();
    server.signal(Signal::HUP);
    until("all workers are new", || {
        let running = server.settled(2);
        running
            .iter()
            .all(|worker| !workers.contains(worker))
            .then_some(())
    });
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn workers_that_have_answered_enough_are_replaced_and_nothing_is_lost() {
    let _turn = alone();
    let server = Server::start(SUBJECT, &["--workers", "2", "--max-requests", "500"]);
    let first = server.settled(2);
    let load = Load::start(server.address, 16, 2);
    std::thread::sleep(Duration::from_secs(rounds(3, 10) as u64));
    let tally = load.stop();
    println!(
        "--max-requests 500: {} calls by {} processes, {} lost; p99 {:?}, longest {:?}",
        tally.0.len(),
        tally.by_process().len(),
        tally.lost().len(),
        tally.latency(0.99),
        tally.latency(1.0),
    );
    assert!(tally.lost().is_empty(), "{:#?}", tally.lost());
    assert_eq!((tally.refused(), tally.failed()), (0, 0));
    assert!(tally.by_process().len() > 2);
    let last = until("all workers run", || {
        let running = server.workers("running");
        (running.len() == 2).then_some(running)
    });
    assert!(last.iter().any(|worker| !first.contains(worker)));
}
