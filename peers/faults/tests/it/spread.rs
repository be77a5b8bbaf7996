//! Tests of the spread of connections over the workers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use faults::{Connection, Server, until};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::{Value, json};

use crate::{SUBJECT, alone, rounds};

/// How a client opens its connections.
#[derive(Clone, Copy, Debug)]
enum Opening {
    /// All of them, before it calls on the first one.
    AtOnce,
    /// The next one when the last one was answered.
    OneByOne,
}

/// Opens connections, and calls on each of them. They stay open.
fn open(address: SocketAddr, count: usize, opening: Opening) -> Vec<(Connection, u64)> {
    let connect = || Connection::open(address).unwrap();
    let ask = |connection: &mut Connection| connection.send("pid", &json!([]), false, "").unwrap();
    let answered = |mut connection: Connection| {
        let answer: Value = serde_json::from_str(&connection.answer().unwrap()).unwrap();
        (connection, answer["result"].as_u64().unwrap())
    };
    match opening {
        Opening::OneByOne => (0..count)
            .map(|_| {
                let mut connection = connect();
                ask(&mut connection);
                answered(connection)
            })
            .collect(),
        Opening::AtOnce => {
            let mut connections: Vec<_> = (0..count).map(|_| connect()).collect();
            connections.iter_mut().for_each(ask);
            connections.into_iter().map(answered).collect()
        }
    }
}

/// How many of these connections each worker has, the most first.
fn shares(connections: &[(Connection, u64)]) -> Vec<usize> {
    let mut by_worker = BTreeMap::<u64, usize>::new();
    for (_, worker) in connections {
        *by_worker.entry(*worker).or_default() += 1;
    }
    let mut shares: Vec<_> = by_worker.into_values().collect();
    shares.sort_unstable_by(|one, other| other.cmp(one));
    shares
}

/// Waits until no connections are open but that of the one who asks.
fn quiet(server: &Server) {
    until("all connections are closed", || {
        let info = server.info();
        let workers = info["monitors"]["rpc"]["workers"].as_array()?.clone();
        let open = |worker: &Value| worker["rpcserver"]["clients"]["connected_clients"].as_u64();
        let open: u64 = workers.iter().filter_map(open).sum();
        (open <= 1).then_some(())
    });
}

/// How long a process has waited for a processor in all, while it could run.
fn delay(pid: u32) -> Duration {
    let counters = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    let delay = counters.split_whitespace().nth(1).unwrap().parse().unwrap();
    Duration::from_nanos(delay)
}

/// How long a connection is left to the worker whose turn it is.
const TURN: Duration = Duration::from_millis(7);

/// Each worker gets some, and none more than 1.25 times the mean, where one connection makes no
/// difference. On a machine that is busy with something else a worker may not run for so long that
/// the others have to take its connections. So this holds for each round in which all workers ran,
/// and for most of the others.
#[test]
fn connections_are_spread_over_all_workers() {
    let _turn = alone();
    let server = Server::start(SUBJECT, &["--workers", "4"]);
    let workers = server.settled(4);
    let delays = || {
        workers
            .iter()
            .map(|worker| delay(worker.1))
            .collect::<Vec<_>>()
    };
    for (count, opening) in [
        (400, Opening::AtOnce),
        (400, Opening::OneByOne),
        (16, Opening::AtOnce),
        (16, Opening::OneByOne),
    ] {
        let rounds: Vec<_> = (0..rounds(5, 30))
            .map(|_| {
                quiet(&server);
                let before = delays();
                let shares = shares(&open(server.address, count, opening));
                let delay = delays()
                    .into_iter()
                    .zip(before)
                    .map(|(now, before)| now - before);
                (shares, delay.max().unwrap())
            })
            .collect();
        println!("{count} connections {opening:?}: {rounds:?}");
        let most = if count < 100 { count } else { count * 5 / 16 };
        let is_even = |shares: &Vec<usize>| shares.len() == 4 && shares[0] <= most;
        for (shares, delay) in &rounds {
            assert!(is_even(shares) || *delay >= TURN, "{shares:?} {delay:?}");
        }
        let even = rounds.iter().filter(|round| is_even(&round.0)).count();
        assert!(even * 2 > rounds.len(), "{count} {opening:?}: {rounds:?}");
    }
}

#[test]
fn a_worker_that_does_not_run_is_not_waited_for() {
    let _turn = alone();
    let server = Server::start(SUBJECT, &["--workers", "4"]);
    let workers = server.settled(4);
    let stopped = workers[0].1;
    let mut kept = open(server.address, 16, Opening::AtOnce);
    server.signal_worker(stopped, Signal::STOP);
    for opening in [Opening::AtOnce, Opening::OneByOne] {
        // All are answered, by the other three.
        let connections = open(server.address, 60, opening);
        let shares = shares(&connections);
        println!("60 connections {opening:?}, without one worker: {shares:?}");
        assert_eq!(shares.len(), 3, "{shares:?}");
        kept.extend(connections);
    }
    // If each were left to it, none would be answered in this time.
    let is_at_once = |_| {
        let begin = Instant::now();
        kept.extend(open(server.address, 1, Opening::OneByOne));
        begin.elapsed() < TURN
    };
    assert!((0..200).any(is_at_once));
    // Then it has fewest, so it gets the next ones.
    server.signal_worker(stopped, Signal::CONT);
    kept.extend(open(server.address, 40, Opening::OneByOne));
    let shares = shares(&kept);
    println!("and 40 more when it goes on, in all: {shares:?}");
    assert!(shares.len() == 4 && shares[3] >= 20, "{shares:?}");
}

#[test]
fn connections_that_wait_when_a_worker_is_killed_are_answered_by_others() {
    let _turn = alone();
    let server = Server::start(SUBJECT, &["--workers", "4"]);
    let workers = server.settled(4);
    let signal = |workers: &[(String, u32)], signal| {
        workers
            .iter()
            .for_each(|worker| server.signal_worker(worker.1, signal));
    };
    signal(&workers, Signal::STOP);
    let mut connections: Vec<_> = (0..60)
        .map(|_| Connection::open(server.address).unwrap())
        .collect();
    for connection in &mut connections {
        connection.send("pid", &json!([]), false, "").unwrap();
    }
    signal(&workers[..2], Signal::KILL);
    signal(&workers[2..], Signal::CONT);
    for connection in &mut connections {
        assert!(connection.answer().unwrap().contains("\"result\""));
    }
}

/// Its turn comes again and again, since it has fewest, but it cannot accept.
#[test]
fn connections_are_answered_by_others_when_a_worker_is_out_of_file_descriptors() {
    let _turn = alone();
    let server = Server::start(SUBJECT, &["--workers", "2"]);
    let worker = server.settled(2)[0].1;
    let pid = Pid::from_raw(i32::try_from(worker).unwrap());
    let none = Rlimit {
        current: Some(0),
        maximum: rustix::process::getrlimit(Resource::Nofile).maximum,
    };
    let before = prlimit(pid, Resource::Nofile, none).unwrap();
    let mut kept = open(server.address, 60, Opening::AtOnce);
    kept.extend(open(server.address, 60, Opening::OneByOne));
    assert!(
        kept.iter()
            .all(|(_, answered)| *answered != u64::from(worker))
    );
    prlimit(pid, Resource::Nofile, before).unwrap();
    // It tries again soon, and then its turn comes.
    until("it accepts again", || {
        kept.extend(open(server.address, 1, Opening::OneByOne));
        let is_last = kept.last()?.1 == u64::from(worker);
        is_last.then_some(())
    });
}

#[test]
fn new_workers_get_connections_until_they_have_as_many_as_the_others() {
    let _turn = alone();
    let server = Server::start(SUBJECT, &["--workers", "4"]);
    let workers = server.settled(4);
    let mut kept = open(server.address, 160, Opening::OneByOne);
    let died = workers[0].1;
    server.signal_worker(died, Signal::KILL);
    kept.retain(|(_, worker)| *worker != u64::from(died));
    // Nothing was opened meanwhile but what is closed again.
    server.settled(4);
    kept.extend(open(server.address, 40, Opening::OneByOne));
    let after_death = shares(&kept);
    println!("200 connections, one worker of four replaced in between: {after_death:?}");
    assert!(
        after_death.len() == 4 && after_death[3] >= 20,
        "{after_death:?}"
    );
}

#[test]
fn connections_are_spread_after_a_reload_and_after_an_upgrade() {
    let _turn = alone();
    let server = Server::start(SUBJECT, &["--workers", "4"]);
    let mut known = server.settled(4);
    let mut all_shares = Vec::new();
    for signal in [Signal::HUP, Signal::USR2] {
        // Held by the workers that are replaced.
        let held = open(server.address, 40, Opening::AtOnce);
        server.signal(signal);
        known = until("all workers are new", || {
            let workers = server.settled(4);
            let is_new = |worker: &(String, u32)| !known.contains(worker);
            workers.iter().all(is_new).then_some(workers)
        });
        drop(held);
        let connections = open(server.address, 100, Opening::AtOnce);
        all_shares.push((signal, shares(&connections)));
    }
    let supervisor = server.info()["server"]["process_id"].as_u64().unwrap();
    server.signal_worker(u32::try_from(supervisor).unwrap(), Signal::TERM);
    for (signal, shares) in all_shares {
        println!("100 connections after {signal:?}: {shares:?}");
        assert!(
            shares.len() == 4 && shares[0] <= 35,
            "{signal:?}: {shares:?}"
        );
    }
}
