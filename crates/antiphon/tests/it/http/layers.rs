//! Tests of layers around HTTP requests, combined with layers around calls.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon::{Body, BoxError, Call, Endpoint, HttpStack, Server};
use http::{HeaderValue, Request, Response};
use tower::layer::layer_fn;
use tower::{Service as _, service_fn};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::support::http1::{chunked, head, post};
use crate::support::test_server::{Log, TestServer, router};
use crate::support::{batch, call, codes};

#[tokio::test]
async fn http_layers_and_call_layers_work_together() {
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let counting = layer_fn(move |inside: Endpoint| {
        let seen = Arc::clone(&seen);
        service_fn(move |call: Call| {
            seen.fetch_add(1, Ordering::Relaxed);
            inside.clone().call(call)
        })
    });
    let log = Log::default();
    let mark = HeaderValue::from_static("yes");
    let server = Server::new(router(&log))
        .call_layer(counting)
        .http_layer(CompressionLayer::new().compress_when(SizeAbove::new(200)))
        .http_layer(SetResponseHeaderLayer::overriding(
            http::HeaderName::from_static("x-marked"),
            mark,
        ));
    let server = TestServer::of(server, log).await;
    let mut http1 = server.connect().await;
    for (size, compressed) in [(10, false), (100, false), (200, true), (100_000, true)] {
        let body = call("1", "big", &format!("[{size}]"));
        let answer = http1.ask(post("Accept-Encoding: gzip\r\n", &body)).await;
        assert_eq!(answer.header("x-marked"), Some("yes"));
        let encoding = compressed.then_some("gzip");
        assert_eq!(answer.header("content-encoding"), encoding, "{size}");
        let mut text = String::new();
        if compressed {
            let mut decoder = flate2::read::GzDecoder::new(&*answer.body);
            decoder.read_to_string(&mut text).unwrap();
        } else {
            text.push_str(answer.text());
        }
        assert!(text.contains(&"x".repeat(size)));

        let plain = http1.ask(post("", &body)).await;
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(plain.text(), text);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 8);

    let entries = (0..5).map(|id| call(&format!("{id}"), "add", "[1,2]"));
    let answers = http1.ask(post("", &batch(entries))).await.json();
    assert_eq!(codes(&answers), [0; 5]);
    assert_eq!(calls.load(Ordering::Relaxed), 13);

    // Refused requests pass through the layers as well, and bodies are streamed through them.
    let refused = http1.ask("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(
        (refused.status, refused.header("x-marked")),
        (405, Some("yes"))
    );
    let body = chunked(&call("1", "add", "[1,2]"), 7);
    let request = head("Transfer-Encoding: chunked\r\n") + &body;
    assert_eq!(http1.ask(request).await.json()["result"], 3);
    assert_eq!(server.handle.accepted(), 1);
}

#[tokio::test]
async fn layers_do_not_change_whether_a_caller_is_local() {
    let log = Log::default();
    let mark = HeaderValue::from_static("yes");
    let layer = SetResponseHeaderLayer::overriding(http::header::SERVER, mark);
    let server = TestServer::of(Server::new(router(&log)).http_layer(layer), log).await;
    let mut http1 = server.connect().await;
    assert_eq!(http1.call("1", "secret", "[]").await["result"], 1);
    assert_eq!(
        http1.call("1", "whoami", "[]").await["result"]["peer"],
        "127.0.0.1"
    );
    let request = post("X-Forwarded-For: 1.1.1.1\r\n", &call("1", "secret", "[]"));
    let answer = http1.ask(request).await.json();
    assert_eq!(answer["error"]["code"], -32601);
}

#[tokio::test]
async fn a_layer_that_fails_or_panics_is_status_500_and_keeps_the_connection() {
    crate::dispatch::quiet();
    let layer = layer_fn(|inside: HttpStack| {
        service_fn(move |request: Request<Body>| {
            let mut inside = inside.clone();
            let kind = request.headers().get("x-kind").cloned();
            let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
            assert!(kind.as_deref() != Some("at-once"), "S3CR3T");
            async move {
                match kind.as_deref() {
                    Some("fails") => Err(BoxError::from("S3CR3T")),
                    Some("panics") => panic!("S3CR3T"),
                    Some("answers") => Ok(Response::new(Body::from(bytes::Bytes::from("mine")))),
                    _ => Ok(inside.call(request).await?),
                }
            }
        })
    });
    let log = Log::default();
    let server = TestServer::of(Server::new(router(&log)).http_layer(layer), log).await;
    let mut http1 = server.connect().await;
    let mut http2 = server.http2().await;
    let body = call("1", "add", "[1,2]");
    for (kind, status) in [
        ("fails", 500),
        ("panics", 500),
        ("at-once", 500),
        ("answers", 200),
    ] {
        let answer = http1.ask(post(&format!("X-Kind: {kind}\r\n"), &body)).await;
        assert_eq!(answer.status, status, "{kind}");
        assert!(!answer.text().contains("S3CR3T"), "{kind}");
        let head = http2.head().header("x-kind", kind);
        assert_eq!(http2.ask(head, &body).await.0, status, "{kind}");
    }
    assert_eq!(http1.call("1", "add", "[1,2]").await["result"], 3);
    assert_eq!(server.handle.accepted(), 2);
}

#[tokio::test]
async fn a_layer_with_a_condition_is_passed_by() {
    let log = Log::default();
    let seen = Arc::new(AtomicUsize::new(0));
    let counting = |seen: &Arc<AtomicUsize>, by: usize| {
        let seen = Arc::clone(seen);
        layer_fn(move |inside: HttpStack| {
            let seen = Arc::clone(&seen);
            service_fn(move |request: Request<Body>| {
                seen.fetch_add(by, Ordering::Relaxed);
                inside.clone().call(request)
            })
        })
    };
    // From the innermost to the outermost.
    let server = Server::new(router(&log))
        .http_layer_if(
            |headers| headers.contains_key("x-first"),
            counting(&seen, 1),
        )
        .http_layer(counting(&seen, 10))
        .http_layer_if(
            |headers| {
                headers.contains_key("x-third")
                    || headers.get("x-panic").is_some_and(|_| panic!("S3CR3T"))
            },
            counting(&seen, 100),
        );
    let server = TestServer::of(server, log).await;
    let mut http1 = server.connect().await;
    for (fields, expected) in [
        ("", 10),
        ("X-First: 1\r\n", 11),
        ("X-Third: 1\r\n", 110),
        ("X-First: 1\r\nX-Third: 1\r\n", 111),
    ] {
        seen.store(0, Ordering::Relaxed);
        let answer = http1.ask(post(fields, &call("1", "add", "[3,4]"))).await;
        assert_eq!(answer.json()["result"], 7);
        assert_eq!(seen.load(Ordering::Relaxed), expected, "{fields}");
    }
    seen.store(0, Ordering::Relaxed);
    let panics = post("X-Panic: 1\r\n", &call("1", "add", "[3,4]"));
    let answer = http1.ask(panics).await;
    assert_eq!((answer.status, answer.text()), (500, ""));
    assert_eq!(seen.load(Ordering::Relaxed), 0, "the layer was passed by");
    let answer = http1.ask(post("", &call("1", "add", "[3,4]"))).await;
    assert_eq!(answer.json()["result"], 7);
}
