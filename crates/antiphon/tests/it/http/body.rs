//! Tests of request bodies: the limit of one body, and the common limit of all bodies.

use antiphon::{Limits, Route, Router, Server};

use crate::support::call;
use crate::support::http1::{chunked, head, post};
use crate::support::test_server::{Log, TestServer};

/// A call of `count`, padded with spaces to this length.
fn padded(length: usize) -> String {
    let body = call("1", "count", "[]");
    let spaces = " ".repeat(length - body.len());
    body + &spaces
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_limit_and_no_larger() {
    let server = TestServer::with(|settings| settings.max_request = 100_000).await;
    let chunked_head = head("Transfer-Encoding: chunked\r\n");
    for (length, status) in [(100_000, 200), (100_001, 413), (1_000_000, 413)] {
        let body = padded(length);
        for request in [
            post("", &body),
            chunked_head.clone() + &chunked(&body, 1000),
            chunked_head.clone() + &chunked(&body, 1_000_000),
        ] {
            let mut http1 = server.connect().await;
            let before = server.log.counted.get();
            http1.send(&request).await;
            let answer = http1.answer().await;
            assert_eq!(answer.status, status, "{length}");
            let ran = server.log.counted.get() - before;
            assert_eq!(ran, usize::from(status == 200));
            assert_eq!(answer.closes(), status == 413);
            if status == 413 {
                http1.closed().await;
            }
        }
        let mut http2 = server.http2().await;
        let head = http2.head();
        assert_eq!(http2.ask(head, &body).await.0, status, "{length}");
        assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
    }
}

#[tokio::test]
async fn the_default_limit_is_ten_mebibytes() {
    let server = TestServer::new().await;
    let limit = 10 * 1024 * 1024;
    let mut http1 = server.connect().await;
    assert_eq!(http1.ask(post("", &padded(limit))).await.status, 200);
    let answer = http1
        .ask(head(&format!("Content-Length: {}\r\n", limit + 1)))
        .await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_body_with_an_excessive_length_is_refused_before_it_arrives() {
    let server = TestServer::new().await;
    for length in ["10485761", "1073741824", "9223372036854775807"] {
        let mut http1 = server.connect().await;
        let answer = http1
            .ask(head(&format!("Content-Length: {length}\r\n")))
            .await;
        assert_eq!(answer.status, 413, "{length}");
        assert!(answer.closes());
        // A client that sends the body anyway still gets the response. The server does not read it.
        for _ in 0..100 {
            if http1.try_send([b' '; 10_000]).await.is_err() {
                break;
            }
        }
        http1.closed().await;
    }
    server.answers_others().await;
}

#[tokio::test]
async fn incomplete_bodies_share_a_budget() {
    let server = TestServer::with(|settings| {
        settings.max_request = 75_000;
        settings.max_request_memory = 150_000;
    })
    .await;
    let begun = || {
        let body = padded(60_000);
        let request = post("", &body);
        let (first, last) = request.split_at(request.len() - 10);
        (first.to_owned(), last.to_owned())
    };
    let mut first = server.connect().await;
    let (most, last) = begun();
    first.send(&most).await;
    // The budget has no space for the second body, whenever its bytes arrive.
    let mut refused = None;
    for _ in 0..400 {
        let mut second = server.connect().await;
        let answer = second.ask(post("", &padded(60_000))).await;
        if answer.status == 503 {
            refused = Some((answer, second));
            break;
        }
    }
    let (answer, second) = refused.expect("the budget does not hold");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(answer.closes());
    second.closed().await;
    // A small body still fits. The first body keeps its space until it is answered.
    server.answers_others().await;
    assert_eq!(first.ask(last).await.status, 200);
    let mut third = server.connect().await;
    assert_eq!(third.ask(post("", &padded(60_000))).await.status, 200);
}

#[tokio::test]
async fn an_incomplete_body_returns_its_budget_and_runs_nothing() {
    let server = TestServer::with(|settings| {
        settings.max_request = 100_000;
        settings.max_request_memory = 200_000;
    })
    .await;
    for _ in 0..10 {
        let mut http1 = server.connect().await;
        http1.send(head("Content-Length: 99999\r\n")).await;
        http1.send(" ".repeat(90_000)).await;
        drop(http1);
    }
    server.until_open(0).await;
    let mut http1 = server.connect().await;
    assert_eq!(http1.ask(post("", &padded(99_000))).await.status, 200);
    assert_eq!(server.log.counted.get(), 1);
}

#[tokio::test]
async fn a_large_response_arrives_completely() {
    let server = TestServer::new().await;
    let size = 9 * 1024 * 1024;
    let params = format!("[{size}]");
    let mut http1 = server.connect().await;
    let answer = http1.call("1", "big", &params).await;
    assert_eq!(answer["result"].as_str().unwrap().len(), size);
    let mut http2 = server.http2().await;
    let answer = http2.call("1", "big", &params).await;
    assert_eq!(answer["result"].as_str().unwrap().len(), size);
    let too_large = http1.call("1", "big", "[10485760]").await;
    assert_eq!(too_large["error"]["code"], -32003);
}

/// What one connection may hold follows from the largest answer of its routes.
#[tokio::test]
async fn a_route_with_larger_limits_answers_with_more_than_the_default_share() {
    const SIZE: usize = 35 * 1024 * 1024;
    let limits = Limits::default()
        .max_response(40 * 1024 * 1024)
        .max_batch_response(40 * 1024 * 1024);
    let large = Router::new().method_fn("large", || "x".repeat(SIZE));
    let route = Route::new(large.build_with(limits).unwrap());
    let server = Server::builder().route("/", route);
    let server = TestServer::of(server, Log::default()).await;
    let mut http1 = server.connect().await;
    let answer = http1.ask(post("", &call("1", "large", "[]"))).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.len() > SIZE, "{} bytes", answer.body.len());
}
