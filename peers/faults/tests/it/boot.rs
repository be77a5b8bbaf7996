//! Tests of programs whose workers do not start.

use faults::{Outcome, Server, alive, call, until};
use rustix::process::Signal;
use serde_json::json;

use crate::{SUBJECT, alone};

/// Expects that the program reports the reason, exits with 1, and does not retry forever.
#[track_caller]
fn fails(arguments: &[&str], reason: &str) {
    let mut server = Server::launch(SUBJECT, arguments);
    assert_eq!(server.ended().code(), Some(1));
    let printed = server.last_words().join("\n");
    assert!(printed.contains(reason), "{printed}");
    assert!(!printed.contains("antiphon listening"), "{printed}");
}

#[test]
fn a_program_that_leaves_main_before_start_is_told_so() {
    fails(
        &["--workers", "2", "--leave"],
        "no worker has come up: it left `main` before it came to `start`",
    );
}

#[test]
fn a_router_that_cannot_be_made_ends_the_start() {
    let file = std::env::temp_dir().join(format!("antiphon-fail-{}", std::process::id()));
    std::fs::write(&file, "").unwrap();
    let path = file.to_str().unwrap();
    fails(
        &["--workers", "2", "--fail-if", path],
        "the router cannot be made, as was asked for",
    );
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn a_worker_that_does_not_come_to_start_is_not_waited_for() {
    let file = std::env::temp_dir().join(format!("antiphon-stall-{}", std::process::id()));
    let path = file.to_str().unwrap().to_owned();
    let server = Server::start(
        SUBJECT,
        &[
            "--workers",
            "1",
            "--boot-timeout",
            "1s",
            "--stall-if",
            &path,
        ],
    );
    let first = server.settled(1);
    std::fs::write(&file, "").unwrap();
    server.signal(Signal::HUP);
    until("the reload has failed", || {
        server
            .says("it did not come to `start` within 1 s")
            .then_some(())
    });
    assert_eq!(server.settled(1), first);
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn the_second_start_of_a_program_starts_nothing() {
    let _turn = alone();
    let mut server = Server::start(SUBJECT, &["--workers", "2", "--twice"]);
    let workers = server.settled(2);
    // A worker reaches its second `start` when the first one has ended.
    server.signal_worker(workers[0].1, Signal::TERM);
    until("it was refused there", || {
        server.says("a worker serves once").then_some(())
    });
    server.settled(2);
    server.signal(Signal::TERM);
    assert_eq!(server.ended().code(), Some(1));
    let printed = server.last_words().join("\n");
    assert!(
        printed.contains("a program supervises workers once"),
        "{printed}"
    );
}

#[test]
fn the_hook_runs_once_and_in_no_worker() {
    let hook = std::env::temp_dir().join(format!("antiphon-hook-{}", std::process::id()));
    let path = hook.to_str().unwrap();
    for workers in ["0", "2"] {
        let server = Server::start(SUBJECT, &["--workers", workers, "--hook", path]);
        assert!(matches!(
            call(server.address, "pid", &json!([])),
            Outcome::Answered(_)
        ));
        assert_eq!(std::fs::read_to_string(&hook).unwrap(), "started\n");
        std::fs::remove_file(&hook).unwrap();
    }
}

#[test]
fn what_a_worker_starts_is_no_worker() {
    let server = Server::start(SUBJECT, &["--workers", "1"]);
    let worker = server.settled(1)[0].1;
    // Simulates a program that a worker has started: it inherits the variable, but has another
    // parent.
    let mut own = std::process::Command::new(SUBJECT)
        .args(["--bind", "127.0.0.1:0"])
        .env("ANTIPHON_WORKER", server.pid().to_string())
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stderr = std::io::BufReader::new(own.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
    assert!(
        line.starts_with("antiphon listening on http://127.0.0.1:"),
        "{line}"
    );
    own.kill().unwrap();
    own.wait().unwrap();
    assert!(alive(worker));
}

#[test]
fn a_busy_port_and_bad_settings_are_said_before_any_worker_starts() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    fails(&["--workers", "2", "--bind", &address], "cannot listen on");
    fails(
        &["--workers", "2", "--bind", "0.0.0.0:0"],
        "--allow-unauthenticated-public",
    );
}
