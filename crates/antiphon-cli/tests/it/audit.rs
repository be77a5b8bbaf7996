//! Tests of `--audit-log`, with processes.

use std::fs;
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Process, Server, TIMEOUT, post, run};
use crate::temp_folder::TempFolder;

/// Calls in a batch.
const BATCH: usize = 100;

/// How many lines of calls of this method are in a file. Each line has to be whole.
fn count(path: &str, method: &str) -> usize {
    let text = fs::read_to_string(path).unwrap_or_default();
    let is_of = |line: &&str| {
        let line: serde_json::Value = serde_json::from_str(line).expect(line);
        line["method"] == method
    };
    text.lines().filter(is_of).count()
}

/// Makes this many batches from each of four threads.
fn load(url: &str, batches: usize) {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let batch = format!("[{}]", vec![call; BATCH].join(","));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..batches {
                    let (status, body) = post(url, "", &batch);
                    assert_eq!((status, body.matches("pong").count()), (200, BATCH));
                }
            });
        }
    });
}

fn until(what: &str, is_true: impl Fn() -> bool) {
    let until = Instant::now() + TIMEOUT;
    while !is_true() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn each_call_of_a_load_has_one_line_also_over_rotations_and_a_stop() {
    for workers in ["0", "2"] {
        let folder = TempFolder::new();
        let path = folder.path("audit.log");
        let server = Server::start(&["--audit-log", &path, "--workers", workers]);
        let mut moved = Vec::new();
        for turn in 0..3 {
            load(&server.url, 10);
            // As a program does that keeps old logs.
            let old = folder.path(&format!("audit.log.{turn}"));
            fs::rename(&path, &old).unwrap();
            moved.push(old);
            server.process.signal("HUP");
            until("no new file", || fs::exists(&path).unwrap());
        }
        load(&server.url, 10);
        moved.push(path);
        server.process.signal("TERM");
        let ended = server.process.end();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        let lines: usize = moved.iter().map(|path| count(path, "ping")).sum();
        assert_eq!(
            lines,
            4 * 4 * 10 * BATCH,
            "{workers} workers\n{}",
            ended.err
        );
    }
}

#[test]
fn lines_may_go_to_standard_output() {
    let server = Server::start(&["--audit-log", "-"]);
    post(&server.url, "", r#"{"jsonrpc":"2.0","method":"ping"}"#);
    let line: serde_json::Value = serde_json::from_str(&server.process.line()).unwrap();
    assert_eq!(line["method"], "ping");
    assert_eq!(line["bytesOut"], 0);
    server.process.retire();
}

#[test]
fn a_reader_of_standard_output_that_stops_slows_nobody() {
    let (_held, output) = std::io::pipe().unwrap();
    let args = ["serve", "--bind", "127.0.0.1:0", "--audit-log", "-"];
    let process = Process::start_with(&args, "", output);
    let ready = process.note();
    let url = ready
        .trim_end()
        .strip_prefix("antiphon listening on ")
        .unwrap();
    // More than the pipe and the queue have room for.
    load(url, 120);
    let told = "lines of the audit log were dropped";
    until("nothing is told", || process.note().contains(told));
    load(url, 1);
    process.signal("TERM");
    let ended = process.end();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_in_the_log() {
    let server = Server::start(&["--audit-log", "/dev/full"]);
    load(&server.url, 1);
    let line = server.process.note();
    assert!(
        line.contains("of the audit log could not be written"),
        "{line}"
    );
    assert!(line.contains("No space left"), "{line}");
    load(&server.url, 1);
    server.process.retire();
}

#[test]
fn a_connection_is_no_place_for_it() {
    let ended = run(&["serve", "--stdio", "--audit-log", "-"], "");
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(
        ended.err.contains("`audit-log` cannot be standard output"),
        "{}",
        ended.err
    );
    assert_eq!(ended.out, "");
}

/// The old workers go on for a while with what they have: their lines are not lost either.
#[test]
fn workers_that_leave_open_a_file_again_that_was_moved_away() {
    let folder = TempFolder::new();
    let (path, old) = (folder.path("audit.log"), folder.path("audit.log.1"));
    let server = Server::start(&["--audit-log", &path, "--workers", "1"]);
    load(&server.url, 1);
    until("no lines", || count(&path, "ping") == 4 * BATCH);
    fs::rename(&path, &old).unwrap();
    // A connection that stays with the old worker.
    let host = server.url.strip_prefix("http://").unwrap();
    let mut socket = std::net::TcpStream::connect(host).unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(head.as_bytes()).unwrap();
    server.process.signal("HUP");
    until("it was not opened again", || fs::exists(&path).unwrap());
    socket.write_all(body.as_bytes()).unwrap();
    until("no line in the new file", || count(&path, "ping") == 1);
    assert_eq!(count(&old, "ping"), 4 * BATCH);
    server.process.retire();
}

#[test]
fn a_file_that_cannot_be_used_is_refused_at_the_start() {
    let folder = TempFolder::new();
    let root = folder.path("");
    let none = folder.path("none/audit.log");
    for (path, part) in [
        (&*root, "audit log cannot be written to"),
        (&none, "No such file"),
    ] {
        for workers in ["0", "1"] {
            let args = [
                "serve",
                "--bind",
                "127.0.0.1:0",
                "--audit-log",
                path,
                "--workers",
                workers,
            ];
            let ended = run(&args, "");
            assert_eq!(ended.code, Some(1), "{path}: {}", ended.err);
            assert!(ended.err.contains(part), "{path}: {}", ended.err);
        }
    }
}
