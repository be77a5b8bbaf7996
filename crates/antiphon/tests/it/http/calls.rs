//! Tests of calls over HTTP/1 and HTTP/2: the examples of the specification, and special cases.

use serde_json::{Value, json};

use crate::spec::{EXAMPLES, router as examples};
use crate::support::http1::post;
use crate::support::test_server::{Log, TestServer};
use crate::support::{INVALID_REQUEST, batch, call, codes, notification};
use antiphon::Server;

#[tokio::test]
async fn every_example_of_the_specification_has_the_specified_response() {
    let server = TestServer::of(Server::new(examples()), Log::default()).await;
    let mut http1 = server.connect().await;
    let mut http2 = server.http2().await;
    for (request, expected) in EXAMPLES {
        let first = http1.ask(post("", request)).await;
        let head = http2.head();
        let second = http2.ask(head, request).await;
        let status = if expected.is_some() { 200 } else { 204 };
        assert_eq!((first.status, second.0), (status, status), "{request}");
        if let Some(expected) = expected {
            let expected: Value = serde_json::from_str(expected).unwrap();
            assert_eq!(first.json(), expected, "{request}");
            let second: Value = serde_json::from_str(&second.1).unwrap();
            assert_eq!(second, expected, "{request}");
        } else {
            assert_eq!((first.text(), &*second.1), ("", ""), "{request}");
        }
    }
    assert_eq!(server.handle.accepted(), 2);
}

#[tokio::test]
async fn unusual_ids_come_back_byte_for_byte() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    let mut http2 = server.http2().await;
    for (n, id) in [
        "-1",
        "1.5",
        "1.0",
        "18446744073709551616",
        "1e400",
        "123456789012345678901234567890",
        r#""\ud800""#,
        "null",
    ]
    .iter()
    .enumerate()
    {
        let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":null}}"#);
        let answer = http1.ask(post("", &call(id, "count", "[]"))).await;
        assert_eq!(answer.text(), expected);
        let head = http2.head();
        let answer = http2.ask(head, &call(id, "count", "[]")).await;
        assert_eq!(answer, (200, expected));
        assert_eq!(server.log.counted.get(), 2 * (n + 1));
    }
    for id in ["true", "[1]", "{}"] {
        let answer = http1.ask(post("", &call(id, "count", "[]"))).await;
        assert_eq!(answer.text(), INVALID_REQUEST, "{id}");
    }
}

#[tokio::test]
async fn parameters_must_be_structured_and_white_space_is_ignored() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    for params in ["5", r#""x""#, r#""null""#, "true"] {
        let answer = http1.ask(post("", &call("1", "take", params))).await;
        assert_eq!(answer.json()["error"]["code"], -32600, "{params}");
    }
    for spaces in [1, 129, 5_000] {
        let body = " ".repeat(spaces) + &call("1", "add", "[1,2]");
        assert_eq!(http1.ask(post("", &body)).await.json()["result"], 3);
    }
}

#[tokio::test]
async fn the_calls_of_a_batch_run_at_the_same_time_and_are_answered_in_order() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    let entries = (0..10).map(|id| call(&format!("{id}"), "sleep", &format!("[{}]", 220 - id)));
    let with_notification = entries.chain([notification("count", "[]")]);
    let answers = http1.ask(post("", &batch(with_notification))).await.json();
    let expected: Vec<_> = (0..10)
        .map(|id| json!({"jsonrpc": "2.0", "id": id, "result": 220 - id}))
        .collect();
    assert_eq!(answers, Value::from(expected));
    assert_eq!(server.log.sleeping.peak(), 8);
    assert_eq!(server.log.counted.get(), 1);
}

#[tokio::test]
async fn a_batch_that_is_too_long_is_refused_as_a_whole() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    let entries = |count| batch((0..count).map(|id| call(&format!("{id}"), "count", "[]")));
    let answers = http1.ask(post("", &entries(100))).await.json();
    assert_eq!(codes(&answers), [0; 100]);
    for count in [101, 100_000] {
        let answer = http1.ask(post("", &entries(count))).await;
        assert_eq!(answer.text(), INVALID_REQUEST);
    }
    assert_eq!(server.log.counted.get(), 100);
}

#[tokio::test]
async fn a_panic_is_answered_and_the_connection_stays_open() {
    crate::dispatch::quiet();
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    let mut http2 = server.http2().await;
    for n in 0..50 {
        let id = n.to_string();
        for answer in [
            http1.call(&id, "panic", "[]").await,
            http2.call(&id, "panic", "[]").await,
        ] {
            assert_eq!(answer["id"], n);
            assert_eq!(answer["error"]["code"], -32603);
            assert!(!answer.to_string().contains("S3CR3T"));
        }
    }
    assert_eq!(http1.call("1", "add", "[1,2]").await["result"], 3);
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
    assert_eq!(server.handle.accepted(), 2);
}

#[tokio::test]
async fn a_caller_may_shorten_the_time_limit_in_a_header() {
    let server = TestServer::with(|settings| {
        settings.calls =
            antiphon::Limits::default().call_timeout(std::time::Duration::from_secs(5));
    })
    .await;
    let mut http1 = server.connect().await;
    let hold = call("1", "hold", "[]");
    let answer = http1.ask(post("RPC-Timeout-Ms: 50\r\n", &hold)).await;
    assert_eq!(answer.json()["error"]["code"], -32001);
    assert_eq!(server.log.dropped.get(), 1);
    // An invalid value sets no limit. A longer time does not extend the limit of the server.
    let sleep = call("1", "sleep", "[60]");
    for value in ["", "-1", "1.5", "soon", "99999999999999999999999"] {
        let header = format!("RPC-Timeout-Ms: {value}\r\n");
        let answer = http1.ask(post(&header, &sleep)).await;
        assert_eq!(answer.json()["result"], 60, "{value:?}");
    }
    let mut http2 = server.http2().await;
    let head = http2.head().header("rpc-timeout-ms", "50");
    let (_, text) = http2
        .ask(head, &batch([hold, call("2", "add", "[1,2]")]))
        .await;
    assert_eq!(codes(&serde_json::from_str(&text).unwrap()), [-32001, 0]);
}

#[tokio::test]
async fn a_method_can_read_the_properties_of_its_caller() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    let request = post("User-Agent: test\r\n", &call("1", "whoami", "[]"));
    let first = http1.ask(&request).await.json();
    let again = http1.ask(&request).await.json();
    assert_eq!(first, again, "the same connection");
    assert_eq!(first["result"]["local"], true);
    assert_eq!(first["result"]["transport"], "http");
    assert_eq!(first["result"]["peer"], "127.0.0.1");
    assert_eq!(first["result"]["agent"], "test");
    assert_eq!(first["result"]["path"], "/");
    let other = server.connect().await.call("1", "whoami", "[]").await;
    assert_ne!(other["result"]["connection"], first["result"]["connection"]);
    assert_eq!(other["result"]["agent"], Value::Null);
}
