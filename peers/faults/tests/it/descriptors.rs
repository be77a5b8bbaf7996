//! Tests of a server without free file descriptors.

use std::process::Command;
use std::time::{Duration, Instant};

use faults::{Connection, Outcome, Server, cpu_seconds, until};
use serde_json::json;

use crate::{SUBJECT, alone};

#[test]
fn who_is_connected_is_served_and_who_waits_is_let_in_when_there_is_room() {
    let _turn = alone();
    let server = Server::start(SUBJECT, &["--workers", "1", "--header-timeout", "60s"]);
    let worker = server.settled(1)[0].1;
    let limited = Command::new("prlimit")
        .args(["--nofile=64:64", "--pid", &worker.to_string()])
        .status();
    assert!(limited.unwrap().success());
    let mut first = Connection::open(server.address).unwrap();
    assert!(matches!(
        first.call("pid", &json!([]), false, ""),
        Outcome::Answered(_)
    ));
    let mut hoard: Vec<_> = (0..120)
        .map(|_| Connection::open(server.address).unwrap())
        .collect();
    until("it has run out", || {
        server.says("cannot accept connections").then_some(())
    });
    let (busy, begin) = (cpu_seconds(worker), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    let share = (cpu_seconds(worker) - busy) / begin.elapsed().as_secs_f64();
    let said = server
        .printed()
        .iter()
        .filter(|line| line.contains("cannot accept"))
        .count();
    assert!(said <= 5, "the log was told {said} times");
    // Established connections are still served.
    assert!(matches!(
        first.call("pid", &json!([]), false, ""),
        Outcome::Answered(_)
    ));
    // The last connection in the queue is accepted once the others have gone.
    let mut last = hoard.pop().unwrap();
    last.send("pid", &json!([]), false, "").unwrap();
    let begin = Instant::now();
    drop(hoard);
    assert!(last.answer().unwrap().contains("\"result\""));
    println!(
        "out of descriptors: {:.1} % of a core; who waited was answered {:?} after there was room",
        share * 100.0,
        begin.elapsed(),
    );
}
