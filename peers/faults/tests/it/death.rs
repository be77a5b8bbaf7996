//! Tests of crashes of workers and of the supervisor.

use std::time::{Duration, Instant};

use faults::{Connection, Load, Outcome, Server, alive, call, cpu_seconds, until};
use rustix::process::Signal;
use serde_json::json;

use crate::{SUBJECT, alone, rounds};

#[test]
fn a_killed_worker_costs_what_it_had_in_hand_and_nothing_more() {
    let _turn = alone();
    let kills = rounds(4, 20);
    let server = Server::start(SUBJECT, &["--workers", "2"]);
    let load = Load::start(server.address, 16, 20);
    let mut deaths = Vec::new();
    let mut back = Vec::new();
    for _ in 0..kills {
        // Long enough apart that the supervisor does not slow its restarts down.
        std::thread::sleep(Duration::from_millis(2100));
        let workers = server.settled(2);
        let victim = workers[0].1;
        let died = Instant::now();
        server.signal_worker(victim, Signal::KILL);
        deaths.push(died);
        let known: Vec<_> = workers.iter().map(|worker| worker.1).collect();
        until("a new worker answers", || {
            match call(server.address, "pid", &json!([])) {
                Outcome::Answered(pid) => (!known.contains(&(pid.as_u64()? as u32))).then_some(()),
                _ => None,
            }
        });
        back.push(died.elapsed());
    }
    let tally = load.stop();
    let lost = tally.lost();
    // Each client has at most one call in flight.
    assert!(lost.len() <= 16 * kills, "{}", lost.len());
    for call in &lost {
        let cause = deaths.iter().find(|death| {
            call.ended >= **death && call.began <= **death + Duration::from_millis(50)
        });
        assert!(cause.is_some(), "lost without a cause: {call:?}");
    }
    assert_eq!(tally.refused(), 0);
    assert_eq!(tally.failed(), 0);
    back.sort();
    println!(
        "kill -9 x {kills}: {} of {} calls lost, none of them begun later than 50 ms after a kill; \
         first answer of the replacement: median {:?}, p95 {:?}, longest {:?}",
        lost.len(),
        tally.0.len(),
        back[back.len() / 2],
        back[back.len() * 95 / 100],
        back[back.len() - 1],
    );
}

#[test]
fn a_crash_loop_is_slowed_down_and_the_others_serve() {
    let _turn = alone();
    let file = std::env::temp_dir().join(format!("antiphon-abort-{}", std::process::id()));
    let path = file.to_str().unwrap();
    let server = Server::start(SUBJECT, &["--workers", "2", "--abort-if", path]);
    let workers = server.settled(2);
    let quiet = Load::start(server.address, 4, 5);
    std::thread::sleep(Duration::from_secs(2));
    let quiet = quiet.stop();
    std::fs::write(&file, "").unwrap();
    let load = Load::start(server.address, 4, 5);
    let busy = cpu_seconds(server.pid());
    let begin = Instant::now();
    server.signal_worker(workers[0].1, Signal::KILL);
    std::thread::sleep(Duration::from_secs(10));
    let deaths = server
        .printed()
        .iter()
        .filter(|line| line.contains("a worker has died"))
        .count();
    let share = (cpu_seconds(server.pid()) - busy) / begin.elapsed().as_secs_f64();
    let tally = load.stop();
    std::fs::remove_file(&file).unwrap();
    // The killed worker, and two to five replacements.
    assert!((3..=6).contains(&deaths), "{deaths} have died");
    assert!(server.info()["monitors"]["rpc"]["server"]["deaths_to_replace"].is_u64());
    // The worker runs again once it no longer crashes.
    server.settled(2);
    println!(
        "crash loop: {} restarts in 10 s, supervisor at {:.1} % of a core; p99 of the others {:?}, \
         before {:?}; {} of {} calls lost on those that crashed",
        deaths - 1,
        share * 100.0,
        tally.latency(0.99),
        quiet.latency(0.99),
        tally.lost().len(),
        tally.0.len(),
    );
}

#[test]
fn a_worker_that_blocks_is_replaced_and_one_that_waits_is_not() {
    let _turn = alone();
    let arguments = [
        "--workers",
        "2",
        "--worker-timeout",
        "2s",
        "--call-timeout",
        "100s",
    ];
    let server = Server::start(SUBJECT, &arguments);
    let workers = server.settled(2);
    // A call that takes longer than the timeout, but does not block.
    let address = server.address;
    let long = if rounds(0, 1) == 1 { 60_000 } else { 5_000 };
    let patient = std::thread::spawn(move || call(address, "sleep", &json!([long])));
    let blocked = std::thread::spawn(move || call(address, "block", &json!([600_000])));
    let begin = Instant::now();
    until("the worker is ended", || {
        server.says("no sign of life").then_some(())
    });
    let noticed = begin.elapsed();
    // The blocked worker cannot answer, so only the state of the workers is polled.
    let survivor = until("the other one is replaced", || {
        let running = server.workers("running");
        let is_new = |worker: &&(String, u32)| !workers.contains(worker);
        (running.len() == 2 && running.iter().filter(is_new).count() == 1)
            .then(|| running.into_iter().find(|worker| workers.contains(worker)))
    });
    let replaced = begin.elapsed();
    assert!(matches!(blocked.join().unwrap(), Outcome::Lost(_)));
    let survivor = survivor.unwrap();
    match patient.join().unwrap() {
        Outcome::Answered(pid) => assert_eq!(pid, json!(survivor.1)),
        // Both calls may have been dispatched to the same worker.
        Outcome::Lost(_) => {}
        other => panic!("{other:?}"),
    }
    println!("blocked worker, timeout 2 s: noticed after {noticed:?}, replaced after {replaced:?}");
}

#[test]
fn workers_do_not_outlive_their_supervisor() {
    let _turn = alone();
    let mut server = Server::start(SUBJECT, &["--workers", "2", "--call-timeout", "100s"]);
    let workers = server.settled(2);
    let address = server.address;
    let short = std::thread::spawn(move || call(address, "sleep", &json!([300])));
    let endless = std::thread::spawn(move || call(address, "hang", &json!([])));
    // Blocks a worker, if the system assigns the connection to one.
    let _blocked = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(150));
        call(address, "block", &json!([20_000]))
    });
    std::thread::sleep(Duration::from_millis(200));
    let begin = Instant::now();
    server.signal(Signal::KILL);
    server.ended();
    until("no worker is left", || {
        workers.iter().all(|worker| !alive(worker.1)).then_some(())
    });
    let gone = begin.elapsed();
    // Started calls are finished if there is time, and refused otherwise.
    let short = short.join().unwrap();
    assert!(
        matches!(short, Outcome::Answered(_) | Outcome::Lost(_)),
        "{short:?}"
    );
    let endless = endless.join().unwrap();
    assert!(
        matches!(endless, Outcome::Failed(-32000, _) | Outcome::Lost(_)),
        "{endless:?}"
    );
    // The other threads of a worker may end, and close its sockets, after its main thread has.
    until("the port is free", || {
        std::net::TcpListener::bind(address).ok().map(drop)
    });
    println!("supervisor killed: no worker left after {gone:?}");
}

#[test]
fn a_worker_that_leaves_by_itself_is_replaced() {
    let server = Server::start(SUBJECT, &["--workers", "1"]);
    let first = server.settled(1);
    // A worker is replaced however it ends: by a normal exit, a crash or a signal.
    assert!(matches!(
        call(server.address, "exit", &json!([])),
        Outcome::Lost(_)
    ));
    let second = server.settled(1);
    assert_ne!(first, second);
    assert!(matches!(
        call(server.address, "abort", &json!([])),
        Outcome::Lost(_)
    ));
    let third = server.settled(1);
    assert_ne!(second, third);
    let mut connection = Connection::open(server.address).unwrap();
    connection.send("sleep", &json!([700]), false, "").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    server.signal_worker(third[0].1, Signal::TERM);
    let fourth = server.settled(1);
    assert_ne!(third, fourth);
    // The worker has finished its running call.
    let answer = connection.answer().unwrap();
    assert!(
        answer.contains(&format!("\"result\":{}", third[0].1)),
        "{answer}"
    );
    assert!(connection.closes);
}
