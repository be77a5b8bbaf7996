//! Reader for event streams.

use std::time::Duration;

use h2::RecvStream;
use h2::client::ResponseFuture;
use http::Response;
use serde_json::Value;
use tokio::net::TcpSocket;
use tokio::time::timeout;

use crate::support::http1::{Http1, post};
use crate::support::http2::{Http2, begin};
use crate::support::test_server::TestServer;

pub(crate) const ACCEPT: &str = "Accept: text/event-stream\r\n";
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// A reader of one event stream.
pub(crate) struct EventReader {
    pub(crate) from: EventSource,
    read: Vec<u8>,
    /// Bytes of an event that is not complete yet.
    seen: usize,
}

/// The connection of the event stream.
pub(crate) enum EventSource {
    Http1(Http1),
    Http2(Http2, Response<RecvStream>),
}

/// The id of an event and its message.
pub(crate) type Event = (Option<u64>, Value);

impl EventReader {
    /// Makes a call that returns an event stream, and checks the head of the response.
    pub(crate) async fn open(server: &TestServer, http2: bool, body: &str) -> Self {
        let from = match http2 {
            false => {
                let mut http1 = narrow(server).await;
                http1.send(post(ACCEPT, body)).await;
                let head = http1.head().await.unwrap();
                assert_eq!(head.status, 200);
                assert_eq!(head.header("content-type"), Some("text/event-stream"));
                assert_eq!(head.header("cache-control"), Some("no-store"));
                assert_eq!(head.header("content-encoding"), None);
                EventSource::Http1(http1)
            }
            true => {
                let mut http2 = server.http2().await;
                let response = ask(&mut http2, "text/event-stream", body).await;
                let head = begin(response).await;
                assert_eq!(head.status(), 200);
                assert_eq!(head.headers()["content-type"], "text/event-stream");
                assert_eq!(head.headers()["cache-control"], "no-store");
                EventSource::Http2(http2, head)
            }
        };
        Self::of(from)
    }

    pub(crate) fn of(from: EventSource) -> Self {
        let (read, seen) = (Vec::new(), 0);
        Self { from, read, seen }
    }

    /// Reads more bytes. Returns false at the end of the body.
    async fn more(&mut self) -> bool {
        let data = match &mut self.from {
            EventSource::Http1(http1) => http1.chunk().await.unwrap(),
            EventSource::Http2(_, response) => {
                let body = response.body_mut();
                let data = timeout(TEST_TIMEOUT, body.data()).await.expect("no data");
                data.map(|data| {
                    let data = data.unwrap();
                    body.flow_control().release_capacity(data.len()).unwrap();
                    data.to_vec()
                })
            }
        };
        self.read.extend(data.iter().flatten());
        data.is_some()
    }

    /// Reads the next event as text.
    pub(crate) async fn text(&mut self) -> Option<String> {
        loop {
            let mut pairs = self.read[self.seen..].windows(2);
            if let Some(end) = pairs.position(|pair| pair == b"\n\n") {
                let event = self.read.drain(..self.seen + end + 2).collect();
                self.seen = 0;
                return Some(String::from_utf8(event).unwrap());
            }
            self.seen = self.read.len().saturating_sub(1);
            if !self.more().await {
                assert!(self.read.is_empty());
                return None;
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Option<Event> {
        let text = self.text().await?;
        let field = |name: &str| {
            let lines = text.lines();
            let values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            values.collect::<Vec<_>>().join("\n")
        };
        let id = field("id").parse().ok();
        Some((id, serde_json::from_str(&field("data")).unwrap()))
    }

    /// Reads all events. Checks the first one, the response with the id of the subscription and
    /// without an event id, and returns the others.
    pub(crate) async fn rest(&mut self) -> Vec<Event> {
        let (id, answer) = self.next().await.unwrap();
        assert_eq!((id, &answer["id"]), (None, &Value::from(7)));
        let subscription = &answer["result"];
        assert!(subscription.is_string());
        let mut events = Vec::new();
        while let Some((id, message)) = self.next().await {
            let params = &message["params"];
            assert_eq!(&params["subscription"], subscription);
            assert_eq!(params["seq"].as_u64(), id);
            events.push((id, params.clone()));
        }
        events
    }
}

/// A connection with a small receive buffer.
pub(crate) async fn narrow(server: &TestServer) -> Http1 {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let stream = socket.connect(server.address).await.unwrap();
    let read = Vec::new();
    Http1 { stream, read }
}

/// Sends a message with this `Accept` header.
pub(crate) async fn ask(http2: &mut Http2, accept: &str, body: &str) -> ResponseFuture {
    let head = http2.head().header("accept", accept).body(()).unwrap();
    let (response, mut stream) = http2.begin(head, false).await;
    stream.send_data(body.to_owned().into(), true).unwrap();
    response
}
