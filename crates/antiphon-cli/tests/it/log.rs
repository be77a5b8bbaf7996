//! Tests of the log of `antiphon serve` when nobody reads standard error.
//!
//! The calls are made over HTTP/2, whose library has much to say at the level `trace`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{TIMEOUT, TOOL};

/// More calls than the pipe and the queue have room for the lines of.
const CALLS: u32 = 1500;

// Types and flags of HTTP/2 frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags];
    [&head, &stream.to_be_bytes()[..], payload].concat()
}

/// A server whose standard error is read by the test alone.
struct Server {
    child: Child,
    /// `None` once the test has taken or closed it.
    err: Option<BufReader<ChildStderr>>,
    address: String,
}

impl Server {
    fn start(flags: &[&str]) -> Self {
        let mut child = Command::new(TOOL)
            .args(["serve", "--bind", "127.0.0.1:0", "--log", "trace"])
            .args(flags)
            .env_remove("ANTIPHON_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = BufReader::with_capacity(256, child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(err.read_line(&mut line).unwrap() > 0, "it does not listen");
            if let Some((_, address)) = line.trim().split_once("listening on http://") {
                break address.to_owned();
            }
        };
        Self {
            child,
            err: Some(err),
            address,
        }
    }

    /// Makes this many calls on one connection, each of which must be answered.
    fn calls(&self, count: u32) {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
        socket
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .unwrap();
        socket.write_all(&frame(SETTINGS, 0, 0, &[])).unwrap();
        let window = 0x3fff_ffff_u32.to_be_bytes();
        socket
            .write_all(&frame(WINDOW_UPDATE, 0, 0, &window))
            .unwrap();
        let body = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let mut fields = Vec::new();
        for (name, value) in [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", &*self.address),
            ("content-type", "application/json"),
        ] {
            // A literal that is not indexed, with both texts as they are.
            fields.extend([0, u8::try_from(name.len()).unwrap()]);
            fields.extend(name.bytes());
            fields.push(u8::try_from(value.len()).unwrap());
            fields.extend(value.bytes());
        }
        for call in 0..count {
            let stream = 2 * call + 1;
            let head = frame(HEADERS, END_HEADERS, stream, &fields);
            let request = [head, frame(DATA, END_STREAM, stream, body)].concat();
            socket.write_all(&request).unwrap();
            let mut answer = Vec::new();
            loop {
                let mut head = [0; 9];
                socket.read_exact(&mut head).unwrap();
                let [a, b, c, kind, flags, ..] = head;
                let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
                socket.read_exact(&mut payload).unwrap();
                match kind {
                    SETTINGS if flags == 0 => {
                        socket.write_all(&frame(SETTINGS, ACK, 0, &[])).unwrap();
                    }
                    DATA => answer.extend(payload),
                    _ => assert!(kind != GOAWAY && kind != RST_STREAM, "call {call}"),
                }
                if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                    break;
                }
            }
            let answer = String::from_utf8_lossy(&answer);
            assert!(answer.contains("\"result\""), "call {call}: {answer}");
        }
    }

    fn terminate(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &id]).status();
        assert!(sent.unwrap().success());
    }

    fn wait(&mut self) -> Option<i32> {
        let until = Instant::now() + TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    /// Workers end with their supervisor.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_log_that_nobody_reads_stops_neither_calls_nor_the_end_of_the_server() {
    for flags in [
        &["--threads", "1"][..],
        &["--threads", "2"],
        &["--workers", "2"],
    ] {
        let mut server = Server::start(flags);
        server.calls(CALLS);
        server.terminate();
        assert_eq!(server.wait(), Some(0), "{flags:?}");
    }
}

#[test]
fn when_the_log_is_read_again_it_says_how_many_lines_were_dropped() {
    for flags in [&["--threads", "1"][..], &["--workers", "2"]] {
        let mut server = Server::start(flags);
        server.calls(CALLS);
        let mut err = server.err.take().unwrap();
        let mut line = Vec::new();
        let mut dropped = 0_u64;
        let mut lines = 0;
        while dropped == 0 {
            line.clear();
            let read = err.read_until(b'\n', &mut line).unwrap();
            assert!(read > 0, "{flags:?}: nothing was dropped in {lines} lines");
            let text = std::str::from_utf8(&line).unwrap();
            lines += 1;
            match text.strip_prefix("antiphon: ") {
                Some(notice) => {
                    let (count, rest) = notice.split_once(' ').unwrap();
                    assert!(rest.contains("lines of the log were dropped"), "{text}");
                    dropped = count.parse().unwrap();
                }
                // The time of the line: it is whole.
                None => assert!(text.starts_with("20") && text.ends_with('\n'), "{text}"),
            }
        }
        // From here on somebody reads.
        let reader = thread::spawn(move || std::io::copy(&mut err, &mut std::io::sink()));
        server.calls(10);
        server.terminate();
        assert_eq!(server.wait(), Some(0), "{flags:?}");
        reader.join().unwrap().unwrap();
    }
}

#[test]
fn without_standard_error_a_server_serves_and_ends() {
    let mut server = Server::start(&[]);
    server.err = None;
    server.calls(100);
    server.terminate();
    assert_eq!(server.wait(), Some(0));
}
