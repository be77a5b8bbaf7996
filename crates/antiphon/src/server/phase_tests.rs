//! Every phase of a connection has a deadline, over every transport, which neither single bytes nor
//! framing extend.
//!
//! The connections are in memory, and the clock is paused.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_proto::Framing;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::call_origin::Transport;
use crate::metrics::status::ServerStatus;
use crate::router::{Method, Router};
use crate::server::app::App;
use crate::server::exposure::Exposure;
use crate::server::listener::Protocol;
use crate::server::settings::Settings;
use crate::shutdown::Shutdown;
use crate::subscription::Overflow;
use crate::transport::http::Route;
use crate::transport::http::request_body::Budget;

const HTTP: (Protocol, Transport) = (Protocol::Http, Transport::Tcp);
const LINES: (Protocol, Transport) = (Protocol::Raw(Framing::Newline), Transport::Tcp);
const HEADERS: (Protocol, Transport) = (Protocol::Raw(Framing::ContentLength), Transport::Unix);
const STDIO: (Protocol, Transport) = (Protocol::Raw(Framing::Newline), Transport::Stdio);

/// A stream of one item again and again, or without items.
struct Items(Option<String>);

impl futures_core::Stream for Items {
    type Item = String;

    fn poll_next(self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<String>> {
        match &self.0 {
            Some(item) => Poll::Ready(Some(item.clone())),
            None => Poll::Pending,
        }
    }
}

fn router() -> Router {
    let endless = || Items(Some("x".repeat(1000)));
    Router::new()
        .method_fn("big", |size: usize| "x".repeat(size))
        .method_fn("hold", std::future::pending::<()>)
        .method_fn("quiet", || Items(None))
        .method(Method::function("endless", endless).overflow(Overflow::Block))
}

/// Serves one connection; returns the peer's end.
fn serve(
    (protocol, transport): (Protocol, Transport),
    settings: &Settings,
    shutdown: &Shutdown,
) -> (DuplexStream, JoinHandle<()>) {
    let count = || Arc::new(AtomicUsize::new(0));
    let status = ServerStatus::new(
        Vec::new(),
        shutdown.clone(),
        count(),
        count(),
        Vec::new(),
        None,
    );
    let app = App {
        routes: vec![(Some("/".to_owned()), Route::new(router().build().unwrap()))],
        status: Arc::new(status),
        admin: None,
        http_layers: Vec::new(),
        tls: None,
        budget: Budget::new(settings.max_request_memory),
        exposure: Exposure::of(&[]),
    };
    let (peer, socket) = duplex(1024);
    let setup = app.setup(settings);
    let shutdown = shutdown.clone();
    let serving = tokio::spawn(async move {
        let peer = None;
        let served = setup.serve_stream(socket, protocol, transport, peer, shutdown);
        if let Some(session) = served.await {
            session.await;
        }
    });
    (peer, serving)
}

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

fn call(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
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
fn web_socket<const N: usize>(frames: [Vec<u8>; N]) -> Vec<u8> {
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

/// Longer than any of the deadlines.
const LONG: Duration = Duration::from_secs(1000);

/// The seconds until a server with its default settings has closed the connection; `None` if it
/// stays open. Where the server ends the connection in an orderly way, the last second is that in
/// which it waits for the peer to close, too.
async fn seconds(kind: (Protocol, Transport), peer: Peer) -> Option<u64> {
    let (end, serving) = serve(kind, &Settings::default(), &Shutdown::default());
    let began = Instant::now();
    peer.act(end);
    let ended = timeout(LONG, serving).await;
    ended.ok().map(|ended| {
        ended.unwrap();
        began.elapsed().as_secs()
    })
}

async fn check(table: Vec<(&str, (Protocol, Transport), Peer, Option<u64>)>) {
    let mut wrong = Vec::new();
    for (phase, kind, peer, expected) in table {
        let actual = seconds(kind, peer).await;
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
        ("silence", HTTP, sends(web_socket([])), Some(40)),
        // Pings are the sign of life of a WebSocket.
        (
            "pings",
            HTTP,
            sends(web_socket([])).drips(frame(PING, "")),
            None,
        ),
        (
            "a fragment",
            HTTP,
            sends(web_socket([frame(FIRST, "[")])),
            Some(6),
        ),
        (
            "fragments",
            HTTP,
            sends(web_socket([frame(FIRST, "[")])).drips(frame(NEXT, " ")),
            Some(6),
        ),
        (
            "empty fragments",
            HTTP,
            sends(web_socket([frame(FIRST, "[")])).drips(frame(NEXT, "")),
            Some(6),
        ),
        (
            "a fragment and pings",
            HTTP,
            sends(web_socket([frame(FIRST, "[")])).drips(frame(PING, "")),
            Some(6),
        ),
        (
            "a long message",
            HTTP,
            sends(web_socket([frame(FIRST, "[")])).drips(frame(NEXT, [b' '; 2000])),
            Some(31),
        ),
        (
            "a response",
            HTTP,
            sends(web_socket([big()])).reads(0),
            Some(30),
        ),
        (
            "a response, a byte",
            HTTP,
            sends(web_socket([big()])).drips(frame(PING, "")).reads(1),
            Some(30),
        ),
        (
            "a response, too slow",
            HTTP,
            sends(web_socket([big()])).drips(frame(PING, "")).reads(512),
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
