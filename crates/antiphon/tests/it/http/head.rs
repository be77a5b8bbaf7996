//! Tests of request heads: number of fields, size, and other features of HTTP/1.

use crate::support::call;
use crate::support::http1::{chunked, head, post};
use crate::support::test_server::TestServer;

/// The default request with this total number of header fields.
fn with_fields(count: usize) -> String {
    let more: String = (0..count - 3).map(|n| format!("X-{n}: y\r\n")).collect();
    post(&more, &call("1", "count", "[]"))
}

/// The default request with a head of this many bytes.
fn with_head(size: usize) -> String {
    let body = call("1", "count", "[]");
    let empty = post("X-Long: \r\n", &body).len() - body.len();
    post(&format!("X-Long: {}\r\n", "y".repeat(size - empty)), &body)
}

#[tokio::test]
async fn the_fields_and_the_size_of_a_head_are_limited() {
    let server = TestServer::new().await;
    let kib = 1024;
    let cases = [
        (with_fields(64), 200),
        (with_fields(65), 431),
        (with_fields(1_000), 431),
        (with_head(16 * kib), 200),
        (with_head(16 * kib + 1), 431),
        (with_head(17 * kib), 431),
        (with_head(1024 * kib), 431),
        (
            format!("POST /{} HTTP/1.1\r\n\r\n", "x".repeat(1024 * kib)),
            431,
        ),
    ];
    for (request, status) in cases {
        let mut http1 = server.connect().await;
        let before = server.log.counted.get();
        // The server may stop reading before the end.
        let _ = http1.try_send(&request).await;
        let answer = http1.answer().await;
        let text = request.get(..60).unwrap_or_default();
        assert_eq!(answer.status, status, "{} {text}", request.len());
        let ran = server.log.counted.get() - before;
        assert_eq!(ran, usize::from(status == 200));
        if status == 431 {
            assert!(answer.closes());
            http1.closed().await;
        }
    }
    server.answers_others().await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_refused_when_it_is_too_long() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    http1
        .send("POST / HTTP/1.1\r\nHost: localhost\r\nX: ")
        .await;
    for _ in 0..1_000 {
        if http1.try_send([b'y'; 1000]).await.is_err() {
            break;
        }
    }
    let rest = http1.rest().await;
    let text = String::from_utf8_lossy(&rest);
    assert!(
        text.starts_with("HTTP/1.1 431 ") || text.is_empty(),
        "{text}"
    );
    server.answers_others().await;
}

#[tokio::test]
async fn over_http2_the_size_of_a_head_is_limited() {
    let server = TestServer::new().await;
    let mut http2 = server.http2().await;
    let body = call("1", "add", "[1,2]");
    let fits = http2.head().header("x-long", "y".repeat(10_000));
    assert_eq!(http2.ask(fits, &body).await.0, 200);
    let exceeds = http2.head().header("x-long", "y".repeat(17_000));
    assert_eq!(http2.ask(exceeds, &body).await.0, 431);
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
}

#[tokio::test]
async fn over_http2_the_fields_and_the_target_of_a_head_are_limited() {
    let server = TestServer::with(|settings| settings.max_headers = 10).await;
    let mut http2 = server.http2().await;
    let body = call("1", "count", "[]");
    for (fields, status) in [(10, 200), (11, 431), (200, 431)] {
        // One of the fields is `content-type`.
        let with = |head: http::request::Builder, n| head.header(format!("x-{n}"), "y");
        let head = (1..fields).fold(http2.head(), with);
        let before = server.log.counted.get();
        assert_eq!(http2.ask(head, &body).await.0, status, "{fields} fields");
        let ran = server.log.counted.get() - before;
        assert_eq!(ran, usize::from(status == 200), "{fields} fields");
    }
    // The parts of a cookie are one field.
    let with = |head: http::request::Builder, n| head.header("cookie", format!("a{n}=b"));
    let head = (0..50).fold(http2.head(), with);
    assert_eq!(http2.ask(head, &body).await.0, 200);
    // So is one name that stands in several fields, in both versions, only as often as it is there.
    let with = |head: http::request::Builder, _| head.header("x-same", "y");
    let head = (0..50).fold(http2.head(), with);
    assert_eq!(http2.ask(head, &body).await.0, 431);
    for (length, status) in [(10_000, 200), (17_000, 431), (60_000, 431)] {
        let target = format!("http://localhost/?{}", "x".repeat(length));
        let head = http::Request::post(target).header("content-type", "application/json");
        assert_eq!(http2.ask(head, &body).await.0, status, "{length} bytes");
    }
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
    assert_eq!(server.handle.accepted(), 1);
}

#[tokio::test]
async fn the_trailers_of_a_body_are_limited() {
    let server = TestServer::new().await;
    let message = call("1", "count", "[]");
    let many = "X: y\r\n".repeat(65);
    let long = format!("X: {}\r\n", "y".repeat(17 * 1024));
    for (trailers, runs) in [("X: y\r\n".repeat(60), true), (many, false), (long, false)] {
        let body = chunked(&message, 1000).replace("0\r\n\r\n", &format!("0\r\n{trailers}\r\n"));
        let mut http1 = server.connect().await;
        let before = server.log.counted.get();
        let request = head("Transfer-Encoding: chunked\r\n") + &body;
        let answer = http1.ask(request).await;
        assert_eq!(answer.status, if runs { 200 } else { 400 });
        assert_eq!(server.log.counted.get() - before, usize::from(runs));
    }
    // Over HTTP/2 what exceeds the size of a head is dropped, since nobody reads trailers. What is
    // much longer ends the connection.
    for (size, runs) in [(1_000, true), (17_000, true), (200_000, false)] {
        let mut http2 = server.http2().await;
        let head = http2.head().body(()).unwrap();
        let (response, mut stream) = http2.begin(head, false).await;
        stream.send_data(message.clone().into(), false).unwrap();
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-long", "y".repeat(size).parse().unwrap());
        let before = server.log.counted.get();
        stream.send_trailers(trailers).unwrap();
        let status = response.await.map(|answer| answer.status().as_u16());
        let ran = server.log.counted.get() - before;
        assert_eq!(matches!(status, Ok(200)), runs, "{size}: {status:?}");
        assert_eq!(ran, usize::from(runs), "{size}");
    }
    server.answers_others().await;
}

#[tokio::test]
async fn an_old_client_is_answered_in_its_own_version() {
    let server = TestServer::new().await;
    let body = call("1", "add", "[1,2]");
    let request = |more: &str| post(more, &body).replacen("HTTP/1.1", "HTTP/1.0", 1);
    let mut http1 = server.connect().await;
    let answer = http1.ask(request("")).await;
    assert_eq!(answer.json()["result"], 3);
    http1.closed().await;

    let mut http1 = server.connect().await;
    for _ in 0..2 {
        let answer = http1.ask(request("Connection: keep-alive\r\n")).await;
        assert_eq!(answer.json()["result"], 3);
        assert_eq!(answer.header("connection"), Some("keep-alive"));
    }
    let last = http1.ask(request("Connection: close\r\n")).await;
    assert_eq!(last.json()["result"], 3);
    http1.closed().await;
    assert_eq!(server.handle.accepted(), 2);
}

#[tokio::test]
async fn a_client_may_wait_for_100_continue() {
    let server = TestServer::with(|settings| settings.max_request = 1000).await;
    let mut http1 = server.connect().await;
    let body = call("1", "add", "[1,2]");
    for _ in 0..2 {
        let expect = format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len());
        let go_on = http1.ask(head(&expect)).await;
        assert_eq!(go_on.status, 100);
        assert_eq!(http1.ask(&body).await.json()["result"], 3);
    }
    // The server refuses the request before the client has sent the body.
    let refused = head("Content-Length: 1001\r\nExpect: 100-continue\r\n");
    let answer = http1.ask(refused).await;
    assert_eq!(answer.status, 413);
    assert!(answer.closes());
    http1.closed().await;
}

#[tokio::test]
async fn a_chunked_body_is_reassembled() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    let body = call("1", "echo", &format!("[\"{}\"]", "y".repeat(10_000)));
    for size in [1, 10, 100_000] {
        let request = head("Transfer-Encoding: chunked\r\n") + &chunked(&body, size);
        let answer = http1.ask(request).await;
        assert_eq!(answer.json()["result"], "y".repeat(10_000));
    }
    let trailers =
        chunked(&call("1", "add", "[1,2]"), 9).replace("0\r\n\r\n", "0\r\nX-Trailer: 1\r\n\r\n");
    let request = head("Transfer-Encoding: chunked\r\nTrailer: X-Trailer\r\n") + &trailers;
    assert_eq!(http1.ask(request).await.json()["result"], 3);
    assert_eq!(server.handle.accepted(), 1);
}

#[tokio::test]
async fn a_body_that_is_mostly_framing_is_refused() {
    let server = TestServer::new().await;
    let long = call("1", "echo", &format!("[\"{}\"]", "y".repeat(100_000)));
    let spaces = |body: &str| chunked(body, body.len()).replacen("\r\n", &" ".repeat(400_000), 1);
    let short = call("1", "count", "[]");
    for (body, accepted) in [
        (chunked(&long, 16), true),
        (chunked(&long, 1), false),
        (spaces(&short).replacen("   {", "  \r\n{", 1), false),
    ] {
        let mut http1 = server.connect().await;
        let request = head("Transfer-Encoding: chunked\r\n") + &body;
        // The server may answer and close before it has read all.
        let _ = http1.try_send(request).await;
        let answer = http1.answer().await;
        assert_eq!(answer.status, if accepted { 200 } else { 400 });
        assert_eq!(answer.closes(), !accepted);
    }
    assert_eq!(server.log.counted.get(), 0);
    server.answers_others().await;
}

#[tokio::test]
async fn a_head_may_come_byte_by_byte() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    for _ in 0..2 {
        for byte in post("", &call("1", "add", "[1,2]")).bytes() {
            http1.send([byte]).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(http1.answer().await.json()["result"], 3);
    }
}
