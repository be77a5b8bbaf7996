//! Tests of the time limits of each phase of a connection, while others are served.
//!
//! The limits are short. The tests do not measure time. They check that a phase ends, and that
//! other connections continue.

use std::time::Duration;

use antiphon::Settings;
use tokio::io::AsyncReadExt as _;
use tokio::time::{sleep, timeout};

use crate::support::call;
use crate::support::http1::{Http1, head, post};
use crate::support::http2::{Http2, begin, read};
use crate::support::test_server::TestServer;

const SHORT: Option<Duration> = Some(Duration::from_millis(150));

/// A server with a short limit for one phase and no limits for the others.
async fn server(phase: impl FnOnce(&mut Settings)) -> TestServer {
    TestServer::with(|settings| {
        settings.header_timeout = None;
        settings.body_timeout = None;
        settings.idle_timeout = None;
        settings.write_timeout = None;
        phase(settings);
    })
    .await
}

/// A connection after one successful call.
async fn used(server: &TestServer) -> Http1 {
    let mut http1 = server.connect().await;
    assert_eq!(http1.call("1", "add", "[1,2]").await["result"], 3);
    http1
}

/// Sends single bytes until the server closes the connection.
async fn drip(mut http1: Http1) {
    for _ in 0..400 {
        if http1.try_send("x").await.is_err() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("it is not cut off");
}

#[tokio::test]
async fn a_head_that_does_not_arrive_ends_the_connection() {
    let server = server(|settings| settings.header_timeout = SHORT).await;
    let silent = server.connect().await;
    let mut begun = server.connect().await;
    begun.send("POST / HTTP/1.1\r\nHost: loc").await;
    let mut preface = server.connect().await;
    preface.send("PRI * HTTP/2.0\r\n\r\n").await;
    let mut second = used(&server).await;
    second.send("POST / HTTP/1.1\r\n").await;
    let mut third = used(&server).await;
    third.send("\r\n").await;
    let mut dripping = server.connect().await;
    dripping.send("POST / HTTP/1.1\r\nX: ").await;
    server.answers_others().await;
    // The limit does not apply between requests or while a client waits for a response.
    let mut idle = used(&server).await;
    let mut waiting = server.connect().await;
    waiting.send(post("", &call("1", "sleep", "[600]"))).await;
    tokio::join!(
        silent.closed(),
        begun.rest(),
        preface.closed(),
        second.rest(),
        third.rest(),
        drip(dripping),
    );
    assert_eq!(waiting.answer().await.json()["result"], 600);
    assert_eq!(idle.call("1", "add", "[1,2]").await["result"], 3);
    server.answers_others().await;
}

#[tokio::test]
async fn a_partial_head_after_a_request_ends_the_connection() {
    // These bytes are already in the buffer of the parser, so the connection counts as idle.
    let server = server(|settings| settings.idle_timeout = SHORT).await;
    let mut http1 = server.connect().await;
    let request = post("", &call("1", "add", "[1,2]")) + "POST / HTTP/1.1\r\n";
    assert_eq!(http1.ask(request).await.json()["result"], 3);
    http1.rest().await;
}

#[tokio::test]
async fn an_idle_connection_ends_and_a_busy_one_does_not() {
    let server = server(|settings| settings.idle_timeout = SHORT).await;
    let idle = used(&server).await;
    // The server has looked for the next request before it answered this one.
    let mut waited = used(&server).await;
    assert_eq!(waited.call("1", "sleep", "[300]").await["result"], 300);
    let mut busy = used(&server).await;
    let http2 = server.http2().await;
    let mut waiting = server.http2().await;
    let response = waiting.post(&call("1", "sleep", "[600]")).await;
    for _ in 0..30 {
        assert_eq!(busy.call("1", "add", "[1,2]").await["result"], 3);
        sleep(Duration::from_millis(20)).await;
    }
    idle.closed().await;
    waited.closed().await;
    let _ = http2.driver.await.unwrap();
    let (status, _) = read(response).await;
    assert_eq!(status, 200);
    let _ = waiting.driver.await.unwrap();
    server.answers_others().await;
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_refused_and_nothing_runs() {
    let server = server(|settings| settings.body_timeout = SHORT).await;
    let body = call("1", "count", "[]");
    let most = &body[..body.len() - 1];
    let mut wires = Vec::new();
    for begun in [
        head(&format!("Content-Length: {}\r\n", body.len())),
        head(&format!("Content-Length: {}\r\n", body.len())) + most,
        head("Transfer-Encoding: chunked\r\n"),
        head("Transfer-Encoding: chunked\r\n") + &format!("{:x}\r\n{body}\r\n", body.len()),
    ] {
        let mut http1 = used(&server).await;
        http1.send(begun).await;
        wires.push(http1);
    }
    server.answers_others().await;
    for mut http1 in wires {
        let answer = http1.answer().await;
        assert_eq!(answer.status, 408);
        assert!(answer.closes());
        http1.closed().await;
    }
    let mut http2 = server.http2().await;
    let head = http2.head().body(()).unwrap();
    let (response, _stream) = http2.begin(head, false).await;
    assert_eq!(read(response).await.0, 408);
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
    assert_eq!(server.log.counted.get(), 0);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_disconnected() {
    let server = server(|settings| settings.write_timeout = SHORT).await;
    let mut http1 = server.connect().await;
    let request = post("", &call("1", "big", "[9000000]"));
    // One response may fit into the buffers of the system, several do not.
    http1.send(request.repeat(4)).await;
    server.until_open(1).await;
    server.answers_others().await;
    server.until_open(0).await;
}

#[tokio::test]
async fn a_peer_without_flow_control_capacity_is_disconnected() {
    let server = server(|settings| settings.write_timeout = SHORT).await;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(0);
    let mut http2 = Http2::configured(server.address, &builder).await;
    let response = http2.post(&call("1", "big", "[1000000]")).await;
    let mut answer = begin(response).await;
    server.answers_others().await;
    let ended = timeout(Duration::from_secs(20), answer.body_mut().data()).await;
    let ended = ended.expect("the answer waits for ever");
    assert!(ended.is_none_or(|data| data.is_err()));
}

/// Reads a large answer a little at a time.
async fn read_slowly(http1: &mut Http1, size: usize) -> usize {
    let mut read = 0;
    let mut buffer = vec![0; 100_000];
    while read < size {
        match http1.stream.read(&mut buffer).await.unwrap_or_default() {
            0 => break,
            count => read += count,
        }
        sleep(Duration::from_millis(20)).await;
    }
    read
}

#[tokio::test]
async fn a_slow_reader_gets_the_whole_response() {
    // Each client reads for longer than any of these limits.
    let time = Some(Duration::from_millis(1000));
    let server = TestServer::with(|settings| {
        settings.header_timeout = time;
        settings.body_timeout = time;
        settings.idle_timeout = time;
        settings.write_timeout = time;
    })
    .await;
    let mut http1 = server.connect().await;
    http1.send(post("", &call("1", "big", "[9000000]"))).await;
    assert!(read_slowly(&mut http1, 9_000_000).await >= 9_000_000);

    let mut http2 = server.http2().await;
    let response = http2.post(&call("1", "big", "[1000000]")).await;
    let mut answer = begin(response).await;
    let body = answer.body_mut();
    let mut read = 0;
    while let Some(data) = body.data().await {
        let data = data.expect("the answer is cut off");
        read += data.len();
        sleep(Duration::from_millis(10)).await;
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    assert!(read > 1_000_000);
}
