//! HTTP/1, WebSocket, and connections without HTTP, with peers that send bytes.

use std::future::poll_fn;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, split};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::call_origin::Connection;
use crate::memory_budget::Account;
use crate::session::{Session, SessionConfig, Wire as _};
use crate::transport::memory;

/// A peer that makes no effort.
#[derive(Clone, Default)]
struct Peer {
    /// What it sends at the start.
    first: Vec<u8>,
    /// What it sends each second after that.
    drip: Vec<u8>,
    /// How many bytes it reads in a second.
    reads: usize,
}

/// Enough to read everything that comes.
const ALL: usize = 1 << 20;

/// A peer that reads all and sends this.
fn sends(first: impl AsRef<[u8]>) -> Peer {
    Peer {
        first: first.as_ref().to_vec(),
        drip: Vec::new(),
        reads: ALL,
    }
}

impl Peer {
    fn drips(self, drip: impl AsRef<[u8]>) -> Self {
        let drip = drip.as_ref().to_vec();
        Self { drip, ..self }
    }

    fn reads(self, reads: usize) -> Self {
        Self { reads, ..self }
    }

    /// Acts until the connection ends.
    fn act(self, end: DuplexStream) {
        const SECOND: Duration = Duration::from_secs(1);
        let (mut reader, mut writer) = split(end);
        tokio::spawn(async move {
            let mut sent = writer.write_all(&self.first).await;
            while sent.is_ok() {
                sleep(SECOND).await;
                sent = writer.write_all(&self.drip).await;
            }
        });
        tokio::spawn(async move {
            let mut buffer = vec![0; self.reads];
            loop {
                let mut left = self.reads;
                while left > 0 {
                    let Some(room) = buffer.get_mut(..left) else {
                        return;
                    };
                    match timeout(SECOND, reader.read(room)).await {
                        Ok(Ok(0) | Err(_)) => return,
                        Ok(Ok(count)) => left -= count,
                        Err(_) => {}
                    }
                }
                sleep(SECOND).await;
            }
        });
    }
}

const HEAD: &str = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";

fn post(fields: &str, body: &str) -> String {
    format!("{HEAD}{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

fn events(method: &str) -> String {
    post("Accept: text/event-stream\r\n", &call(method, "[]"))
}

fn line(method: &str, params: &str) -> String {
    call(method, params) + "\n"
}

fn message(method: &str, params: &str) -> String {
    let call = call(method, params);
    format!("Content-Length: {}\r\n\r\n{call}", call.len())
}

/// The request that opens a WebSocket, and frames with a mask of zeros.
fn web_socket<const N: usize>(frames: &[Vec<u8>; N]) -> Vec<u8> {
    let opening = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    [opening.as_bytes(), &frames.concat()].concat()
}

fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = payload.len() as u16;
    let length = match length {
        0..126 => vec![0x80 | length as u8],
        _ => [&[0xfe][..], &length.to_be_bytes()].concat(),
    };
    [&[first][..], &length, &[0; 4], payload].concat()
}

/// A frame that is a whole text.
const TEXT: u8 = 0x81;
/// A fragment that begins a text, and one that continues it.
const FIRST: u8 = 0x01;
const NEXT: u8 = 0x00;
const PING: u8 = 0x89;

/// What a peer does, over which transport, and the seconds until the connection has ended.
type Row = (&'static str, (Protocol, Transport), Peer, Option<u64>);

/// Checks after how many seconds a server with its default settings has closed the connection;
/// `None` if it stays open. Where the server ends the connection in an orderly way, the last second
/// is that in which it waits for the peer to close, too.
async fn check(table: Vec<Row>) {
    let mut wrong = Vec::new();
    for (phase, kind, peer, expected) in table {
        let (end, serving) = serve(kind, &Settings::default(), &Shutdown::default());
        peer.act(end);
        let actual = seconds(serving).await;
        if actual != expected {
            wrong.push(format!("{phase}: {actual:?} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(start_paused = true)]
async fn each_phase_of_http_1_has_a_deadline() {
    let begun = format!("{HEAD}Content-Length: 1000000\r\n\r\n");
    let chunked = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n");
    let zeros = "0".repeat(2000);
    let spaces = " ".repeat(2000);
    let big = post("", &call("big", "[200000]"));
    check(vec![
        ("nothing", HTTP, sends(""), Some(10)),
        ("a head", HTTP, sends(HEAD).drips("x"), Some(10)),
        ("blank lines", HTTP, sends("").drips("\r\n"), Some(11)),
        ("a preface", HTTP, sends("PRI * HT"), Some(10)),
        // No settings, and no answer to a ping after 20 seconds.
        (
            "frames",
            HTTP,
            sends("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            Some(41),
        ),
        // 408, and a second until the peer closes.
        ("no body", HTTP, sends(&begun), Some(6)),
        ("a slow body", HTTP, sends(&begun).drips("xx"), Some(6)),
        ("a long body", HTTP, sends(&begun).drips(&zeros), Some(31)),
        ("a chunk size", HTTP, sends(&chunked).drips(&zeros), Some(6)),
        (
            "spaces behind a chunk size",
            HTTP,
            sends(format!("{chunked}1")).drips(&spaces),
            Some(6),
        ),
        (
            "chunks of a byte",
            HTTP,
            sends(&chunked).drips("1\r\n \r\n".repeat(2000)),
            Some(20),
        ),
        (
            "a call",
            HTTP,
            sends(post("", &call("hold", "[]"))),
            Some(30 + 76),
        ),
        ("a response", HTTP, sends(&big).reads(0), Some(30)),
        ("a response, a byte", HTTP, sends(&big).reads(1), Some(30)),
        (
            "a response, too slow",
            HTTP,
            sends(&big).reads(512),
            Some(59),
        ),
        // All of it is read, in 98 seconds, and then the connection is idle.
        (
            "a response, slow",
            HTTP,
            sends(&big).reads(2048),
            Some(97 + 76),
        ),
        (
            "many responses",
            HTTP,
            sends(big.repeat(30)).reads(100),
            Some(33),
        ),
        ("the next request", HTTP, sends(post("", "{}")), Some(76)),
        (
            "the next head",
            HTTP,
            sends(post("", "{}")).drips("\r\n"),
            Some(12),
        ),
        ("an event stream", HTTP, sends(events("quiet")), None),
        (
            "unread events",
            HTTP,
            sends(events("endless")).reads(0),
            Some(30),
        ),
        (
            "slow events",
            HTTP,
            sends(events("endless")).reads(500),
            Some(57),
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_phase_of_a_web_socket_has_a_deadline() {
    let big = || frame(TEXT, call("big", "[200000]"));
    check(vec![
        (
            "an opening",
            HTTP,
            sends("GET / HTTP/1.1\r\nUpgr").drips("x"),
            Some(10),
        ),
        // A ping after 20 seconds, and 20 seconds for the pong.
        ("silence", HTTP, sends(web_socket(&[])), Some(40)),
        // Pings are the sign of life of a WebSocket.
        (
            "pings",
            HTTP,
            sends(web_socket(&[])).drips(frame(PING, "")),
            None,
        ),
        (
            "a fragment",
            HTTP,
            sends(web_socket(&[frame(FIRST, "[")])),
            Some(6),
        ),
        (
            "fragments",
            HTTP,
            sends(web_socket(&[frame(FIRST, "[")])).drips(frame(NEXT, " ")),
            Some(6),
        ),
        (
            "empty fragments",
            HTTP,
            sends(web_socket(&[frame(FIRST, "[")])).drips(frame(NEXT, "")),
            Some(6),
        ),
        (
            "a fragment and pings",
            HTTP,
            sends(web_socket(&[frame(FIRST, "[")])).drips(frame(PING, "")),
            Some(6),
        ),
        (
            "a long message",
            HTTP,
            sends(web_socket(&[frame(FIRST, "[")])).drips(frame(NEXT, [b' '; 2000])),
            Some(31),
        ),
        (
            "a response",
            HTTP,
            sends(web_socket(&[big()])).reads(0),
            Some(30),
        ),
        (
            "a response, a byte",
            HTTP,
            sends(web_socket(&[big()])).drips(frame(PING, "")).reads(1),
            Some(30),
        ),
        (
            "a response, too slow",
            HTTP,
            sends(web_socket(&[big()]))
                .drips(frame(PING, ""))
                .reads(512),
            Some(59),
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_phase_of_a_connection_without_http_has_a_deadline() {
    for (kind, name, begun, open, done, message) in [
        (
            LINES,
            "lines",
            "[",
            "[",
            "{}\n",
            line as fn(&str, &str) -> String,
        ),
        (
            HEADERS,
            "headers",
            "Content-Length: 5",
            "Content-Length: 1000000\r\n\r\n",
            "Content-Length: 2\r\n\r\n{}",
            message,
        ),
    ] {
        println!("{name}");
        let blank = match kind == LINES {
            true => " \r\n\t",
            false => "",
        };
        let big = message("big", "[200000]");
        check(vec![
            ("nothing", kind, sends(""), Some(11)),
            ("blanks", kind, sends("").drips(blank), Some(11)),
            ("a message", kind, sends(begun), Some(6)),
            ("the rest of it", kind, sends(open), Some(6)),
            ("slowly", kind, sends(open).drips("  "), Some(6)),
            (
                "a long one",
                kind,
                sends(open).drips(" ".repeat(2000)),
                Some(31),
            ),
            ("the next one", kind, sends(done), Some(76)),
            ("blanks after one", kind, sends(done).drips(blank), Some(76)),
            (
                "a message after one",
                kind,
                sends([done, begun].concat()).drips("1"),
                Some(6),
            ),
            ("a call", kind, sends(message("hold", "[]")), Some(30 + 76)),
            ("a response", kind, sends(&big).reads(0), Some(30)),
            ("a response, a byte", kind, sends(&big).reads(1), Some(30)),
            (
                "a response, too slow",
                kind,
                sends(&big).reads(512),
                Some(59),
            ),
            (
                "a response, slow",
                kind,
                sends(&big).reads(2048),
                Some(97 + 76),
            ),
            ("a subscription", kind, sends(message("quiet", "[]")), None),
            (
                "unread items",
                kind,
                sends(message("endless", "[]")).reads(0),
                Some(30),
            ),
            (
                "slow items",
                kind,
                sends(message("endless", "[]")).reads(500),
                Some(57),
            ),
        ])
        .await;
    }
    let big = line("big", "[200000]");
    check(vec![
        ("silence", STDIO, sends(""), None),
        ("blanks", STDIO, sends("").drips("\n"), None),
        ("a message", STDIO, sends("["), Some(6)),
        ("a response", STDIO, sends(&big).reads(0), Some(30)),
        (
            "a response, too slow",
            STDIO,
            sends(&big).reads(512),
            Some(59),
        ),
    ])
    .await;
}

/// In process the peer is another session, which may be busy for long.
#[tokio::test(start_paused = true)]
async fn a_peer_in_process_that_does_not_read_has_a_deadline() {
    let (mut peer, wire) = memory::pair();
    let dispatcher = router().build().unwrap();
    let connection = Connection::new(Transport::InProcess, None, Account::unlimited());
    let config = SessionConfig::default();
    let session = Session::new(wire, dispatcher, connection, true, &config, |_| {});
    let serving = tokio::spawn(async move {
        session.await;
    });
    for _ in 0..3 {
        peer.send(&mut call("big", "[200000]").into_bytes());
    }
    poll_fn(|cx| peer.poll_flush(cx)).await.unwrap();
    assert_eq!(seconds(serving).await, Some(30));
}

/// While a server stops, neither blanks nor an incomplete message hold it up.
#[tokio::test(start_paused = true)]
async fn a_server_that_stops_waits_for_no_drip() {
    for (phase, kind, peer, expected) in [
        ("silence", LINES, sends("{}\n"), 1),
        ("blanks", LINES, sends("{}\n").drips("\n"), 1),
        ("a message", LINES, sends("[").drips("1"), 1),
        ("a head", HTTP, sends(HEAD).drips("x"), 10),
        ("an idle time", HTTP, sends(post("", "{}")), 1),
        (
            "an unread response",
            LINES,
            sends(line("big", "[200000]")).reads(0),
            30,
        ),
    ] {
        let shutdown = Shutdown::default();
        let (end, serving) = serve(kind, &Settings::default(), &shutdown);
        let began = Instant::now();
        peer.act(end);
        sleep(Duration::from_millis(10)).await;
        shutdown.stop();
        assert!(seconds(serving).await.is_some(), "{phase}");
        assert_eq!(began.elapsed().as_secs(), expected, "{phase}");
    }
}
