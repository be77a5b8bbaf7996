//! Tests of subscriptions as event streams, over HTTP/1 and HTTP/2.

use std::time::Duration;

use antiphon::{ErrorObject, Method, Overflow, Router, Server, Settings};
use futures_util::stream::{Stream, StreamExt as _, iter, once, pending};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;

use crate::support::counter::Counter;
use crate::support::events::{ACCEPT, EventReader, EventSource, ask, narrow};
use crate::support::http1::post;
use crate::support::http2::{begin, read, text};
use crate::support::test_server::{Log, TestServer};
use crate::support::{batch, call, code, codes, notification};

/// Counters of the streams of a test server.
#[derive(Clone, Default)]
struct Streams {
    /// Items that were produced.
    made: Counter,
    /// Streams that were dropped.
    dropped: Counter,
}

impl Streams {
    /// Wraps a stream. Counts its items when they are produced, and the stream when it is dropped.
    fn count<S: Stream + Send + 'static>(&self, items: S) -> impl Stream<Item = S::Item> + use<S> {
        let (made, guard) = (self.made.clone(), self.dropped.guard());
        items.inspect(move |_| {
            let _held = &guard;
            made.add();
        })
    }
}

/// A stream of `count` items of `size` bytes each.
fn load(count: u64, size: usize) -> impl Stream<Item = Box<RawValue>> {
    let item = RawValue::from_string(format!("\"{}\"", "x".repeat(size))).unwrap();
    iter(0..count).map(move |_| item.clone())
}

fn router(streams: &Streams) -> Router {
    let all = || streams.clone();
    let (count, quiet, later) = (all(), all(), all());
    let fails = |n: u64| {
        let no = Err(ErrorObject::new(7, "no"));
        iter(1..=n).map(Ok).chain(once(async { no }))
    };
    let lines = || iter([RawValue::from_string("[1,\r\n2,\n3]".to_owned()).unwrap()]);
    let router = Router::new()
        .method_fn("add", |a: i64, b: i64| a + b)
        .method_fn("count", move |n: u64| count.count(iter(1..=n)))
        .method_fn("quiet", move || quiet.count(iter([1]).chain(pending())))
        .method_fn("later", move |ms: u64| {
            let waiting = async move {
                sleep(Duration::from_millis(ms)).await;
                ms
            };
            later.count(once(waiting))
        })
        .method_fn("fails", fails)
        .method_fn("lines", lines);
    let policies = [
        ("disconnect", Overflow::Disconnect),
        ("drop_oldest", Overflow::DropOldest),
        ("latest_only", Overflow::LatestOnly),
        ("block", Overflow::Block),
    ];
    policies.into_iter().fold(router, |router, (name, policy)| {
        let streams = all();
        let load = move |n: u64, size: usize| streams.count(load(n, size));
        router.method(Method::function(name, load).overflow(policy))
    })
}

async fn server(change: impl FnOnce(&mut Settings)) -> (TestServer, Streams) {
    let streams = Streams::default();
    let server = Server::new(router(&streams)).configure(change);
    (TestServer::of(server, Log::default()).await, streams)
}

#[tokio::test]
async fn the_response_comes_first_then_each_message_then_the_end() {
    let (server, streams) = server(|_| {}).await;
    for http2 in [false, true] {
        for n in [0, 1, 3, 200] {
            let dropped = streams.dropped.get();
            let body = call("7", "count", &format!("[{n}]"));
            let mut reader = EventReader::open(&server, http2, &body).await;
            let events = reader.rest().await;
            let (last, items) = events.split_last().unwrap();
            for (at, (id, params)) in (1..).zip(items) {
                assert_eq!((*id, &params["result"]), (Some(at), &Value::from(at)));
            }
            assert_eq!(items.len(), n);
            assert_eq!(last.0, Some(n as u64 + 1));
            assert_eq!(last.1["end"], "complete");
            streams.dropped.reach(dropped + 1).await;
            // The connection can still be used.
            match reader.from {
                EventSource::Http1(mut http1) => {
                    assert_eq!(http1.call("1", "add", "[1,2]").await["result"], 3);
                }
                EventSource::Http2(mut http2, _) => {
                    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_error_is_the_last_message_and_a_message_may_have_lines() {
    let (server, _) = server(|_| {}).await;
    for http2 in [false, true] {
        let mut reader = EventReader::open(&server, http2, &call("7", "fails", "[2]")).await;
        let events = reader.rest().await;
        assert_eq!(events.len(), 3);
        assert_eq!(events[1].1["result"], 2);
        assert_eq!(
            (events[2].0, &events[2].1["error"]["code"]),
            (Some(3), &7.into())
        );

        let mut reader = EventReader::open(&server, http2, &call("7", "lines", "[]")).await;
        let events = reader.rest().await;
        assert_eq!(events[0].1["result"], serde_json::json!([1, 2, 3]));
        assert_eq!(events.len(), 2);
    }
}

#[tokio::test]
async fn the_accept_header_selects_the_type_of_the_response() {
    const JSON: Option<&str> = Some("application/json");
    const EVENTS: Option<&str> = Some("text/event-stream");
    const PLAIN: Option<&str> = Some("text/plain; charset=utf-8");
    let (server, _) = server(|_| {}).await;
    let stream = call("7", "count", "[1]");
    let add = call("1", "add", "[1,2]");
    let wrong = call("1", "none", "[]");
    let both = batch([&stream, &add]);
    let nobody = notification("add", "[1,2]");
    let alone = "text/event-stream";
    let with_json = "application/json, text/event-stream";
    let mut http1 = server.connect().await;
    for (accept, body, status, media_type, expected) in [
        // A client that does not accept an event stream gets none.
        ("application/json", &stream, 200, JSON, "-32004"),
        ("*/*", &stream, 200, JSON, "-32004"),
        ("text/*, */*", &stream, 200, JSON, "-32004"),
        ("text/event-stream;q=0, */*", &stream, 200, JSON, "-32004"),
        (
            alone,
            &stream,
            200,
            EVENTS,
            "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x",
        ),
        (with_json, &stream, 200, EVENTS, "id: 2\n"),
        (
            "text/event-stream;q=0.1, */*",
            &stream,
            200,
            EVENTS,
            "id: 2\n",
        ),
        // A batch never returns an event stream.
        (alone, &both, 200, EVENTS, "-32004"),
        (with_json, &both, 200, JSON, "-32004"),
        // Other responses have the accepted type.
        (with_json, &add, 200, JSON, "\"result\":3}"),
        (with_json, &wrong, 200, JSON, "-32601"),
        (
            alone,
            &add,
            200,
            EVENTS,
            "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":3}\n\n",
        ),
        (alone, &wrong, 200, EVENTS, "-32601"),
        (alone, &"{".to_owned(), 200, EVENTS, "-32700"),
        (alone, &nobody, 204, None, ""),
        (alone, &notification("count", "[1]"), 204, None, ""),
        // The request is refused before it becomes a call.
        ("text/html", &stream, 406, PLAIN, "Accept"),
        ("text/*", &stream, 406, PLAIN, "Accept"),
        ("text/event-stream;q=0", &stream, 406, PLAIN, "Accept"),
        ("text/event-streams", &stream, 406, PLAIN, "Accept"),
        ("text/html", &add, 406, PLAIN, "Accept"),
    ] {
        let answer = http1
            .ask(post(&format!("Accept: {accept}\r\n"), body))
            .await;
        let about = format!("{accept} {body} {answer:?}");
        assert_eq!(answer.status, status, "{about}");
        assert_eq!(answer.header("content-type"), media_type, "{about}");
        assert!(answer.text().contains(expected), "{about}");

        let mut http2 = server.http2().await;
        let (status_2, text_2) = read(ask(&mut http2, accept, body).await).await;
        assert_eq!(status_2, status, "{about}");
        assert!(text_2.contains(expected), "{about}");
    }
    let answer = http1.ask(post("", &stream)).await.json();
    assert_eq!(code(&answer), -32004);
    let answers = http1.ask(post("", &both)).await.json();
    assert_eq!(codes(&answers), [-32004, 0]);
}

#[tokio::test]
async fn a_client_that_closes_the_stream_ends_the_subscription() {
    let (server, streams) = server(|_| {}).await;
    for (count, http2) in [(1, false), (2, true)] {
        let mut reader = EventReader::open(&server, http2, &call("7", "quiet", "[]")).await;
        assert_eq!(reader.next().await.unwrap().0, None);
        assert_eq!(reader.next().await.unwrap().0, Some(1));
        assert_eq!(streams.dropped.get(), count - 1);
        match reader.from {
            EventSource::Http1(http1) => drop(http1),
            EventSource::Http2(mut http2, response) => {
                drop(response);
                streams.dropped.reach(count).await;
                // The request was one of several HTTP/2 streams.
                assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
            }
        }
        streams.dropped.reach(count).await;
        server.until_open(0).await;
    }
}

#[tokio::test]
async fn a_server_that_stops_sends_a_last_event() {
    let (mut server, streams) = server(|_| {}).await;
    let mut readers = Vec::new();
    for http2 in [false, true] {
        let mut reader = EventReader::open(&server, http2, &call("7", "quiet", "[]")).await;
        assert!(reader.next().await.is_some());
        assert!(reader.next().await.is_some());
        readers.push(reader);
    }
    server.handle.stop();
    for mut reader in readers {
        let (id, message) = reader.next().await.unwrap();
        assert_eq!(
            (id, &message["params"]["end"]),
            (Some(2), &"shutdown".into())
        );
        assert_eq!(reader.next().await, None);
        match reader.from {
            EventSource::Http1(http1) => http1.closed().await,
            EventSource::Http2(http2, _) => http2.driver.await.unwrap().unwrap(),
        }
    }
    streams.dropped.reach(2).await;
    server.ended().await;
}

const SHORT: Option<Duration> = Some(Duration::from_millis(150));

#[tokio::test]
async fn no_time_limit_applies_to_a_silent_stream() {
    let (server, _) = server(|settings| {
        settings.header_timeout = SHORT;
        settings.body_timeout = SHORT;
        settings.idle_timeout = SHORT;
        settings.write_timeout = SHORT;
        settings.calls = settings.calls.clone().call_timeout(SHORT);
    })
    .await;
    let read = async |http2| {
        let request = r#"{"jsonrpc":"2.0","id":7,"method":"later","params":[700],"timeout":100}"#;
        let mut reader = EventReader::open(&server, http2, request).await;
        let events = reader.rest().await;
        assert_eq!(events[0].1["result"], 700);
        assert_eq!(events[1].1["end"], "complete");
    };
    tokio::join!(read(false), read(true));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let (server, streams) = server(|settings| settings.write_timeout = SHORT).await;
    for (at, policy) in (0..).zip(["drop_oldest", "block"]) {
        let load = call("7", policy, "[18446744073709551615,50000]");
        let mut http1 = narrow(&server).await;
        http1.send(post(ACCEPT, &load)).await;
        streams.dropped.reach(2 * at + 1).await;
        let mut http2 = server.http2().await;
        let response = ask(&mut http2, "text/event-stream", &load).await;
        streams.dropped.reach(2 * at + 2).await;
        server.until_open(0).await;
        drop((http1, response));
    }
    server.answers_others().await;
}

#[tokio::test]
async fn the_overflow_policy_of_a_method_applies_to_a_slow_reader() {
    let (server, streams) = server(|settings| settings.write_timeout = None).await;
    // More than the queue and all buffers of the connection, including those of the system, can
    // hold.
    for (http2, all) in [(false, 150), (true, 50)] {
        for policy in ["disconnect", "drop_oldest", "latest_only", "block"] {
            let (made, dropped) = (streams.made.get(), streams.dropped.get());
            let load = call("7", policy, &format!("[{all},65536]"));
            let mut reader = EventReader::open(&server, http2, &load).await;
            // The client does not read until the stream has ended.
            if policy != "block" {
                streams.dropped.reach(dropped + 1).await;
            }
            let made = streams.made.get() - made;
            let events = reader.rest().await;
            let ids: Vec<_> = events.iter().filter_map(|(id, _)| *id).collect();
            let end = events.last().unwrap().1["end"].as_str().unwrap();
            let (count, newest) = (events.len() - 1, ids[ids.len() - 2]);
            let about = format!("{policy} http2 {http2}: {count} of {all}, {made} made");
            assert!(ids.is_sorted_by(|one, next| one < next), "{about}");
            let complete = (1..).zip(&ids).all(|(at, id)| at == *id);
            match policy {
                "disconnect" => {
                    assert_eq!(end, "lagged", "{about}");
                    // All items that were queued arrive, but not the one that did not fit.
                    assert!(made < all && newest == made as u64 - 1, "{about}");
                    assert_eq!(ids.last(), Some(&(made as u64 + 1)), "{about}");
                }
                "block" => {
                    assert_eq!((end, count, complete), ("complete", all, true), "{about}");
                }
                _ => {
                    assert_eq!((end, made), ("complete", all), "{about}");
                    assert!(count < all && !complete, "{about}");
                    assert_eq!(newest, all as u64, "{about}");
                }
            }
        }
    }
}

#[tokio::test]
async fn layers_pass_events_one_by_one_and_allowed_origins_can_read_them() {
    let streams = Streams::default();
    let server = Server::new(router(&streams))
        .allow_origin("https://app.example")
        .http_layer(CompressionLayer::new());
    let mut server = TestServer::of(server, Log::default()).await;
    let mut http1 = server.connect().await;
    let more = format!("{ACCEPT}Accept-Encoding: gzip\r\nOrigin: https://app.example\r\n");
    http1.send(post(&more, &call("7", "quiet", "[]"))).await;
    let head = http1.head().await.unwrap();
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(head.header("content-encoding"), None);
    assert_eq!(
        head.header("access-control-allow-origin"),
        Some("https://app.example")
    );
    let mut reader = EventReader::of(EventSource::Http1(http1));
    assert_eq!(reader.next().await.unwrap().1["id"], 7);
    assert_eq!(reader.next().await.unwrap().0, Some(1));
    // Clients behind layers receive the event about the end of the server, too.
    let mut http2 = server.http2().await;
    let response = ask(&mut http2, "text/event-stream", &call("7", "quiet", "[]")).await;
    let mut response = begin(response).await;
    streams.made.reach(2).await;
    server.handle.stop();
    let said = text(response.body_mut()).await;
    assert!(said.contains("\"end\":\"shutdown\""), "{said}");
    assert_eq!(reader.next().await.unwrap().1["params"]["end"], "shutdown");
    assert_eq!(reader.next().await, None);
    drop((reader, http2, response));
    streams.dropped.reach(2).await;
    server.ended().await;
}

#[tokio::test(start_paused = true)]
async fn a_mounted_service_sends_keep_alive_comments_and_ends_with_its_body() {
    let streams = Streams::default();
    let service = router(&streams).into_service().unwrap();
    let request = Request::post("http://localhost/")
        .header("content-type", "application/json")
        .header("accept", "text/event-stream")
        .body(call("7", "quiet", "[]"))
        .unwrap();
    let mut body = service.oneshot(request).await.unwrap().into_body();
    let began = Instant::now();
    for (seconds, begins) in [(0, "data: "), (0, "id: 1\n"), (15, ":\n\n"), (30, ":\n\n")] {
        let frame = body.frame().await.unwrap().unwrap();
        let text = frame.into_data().unwrap();
        assert!(text.starts_with(begins.as_bytes()), "{text:?}");
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
    assert_eq!(streams.dropped.get(), 0);
    drop(body);
    streams.dropped.reach(1).await;
}
