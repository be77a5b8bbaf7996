//! Tests of several requests on one connection: in sequence, pipelined, and cancelled.

use crate::support::http1::{chunked, head, post};
use crate::support::http2::Http2;
use crate::support::test_server::TestServer;
use crate::support::{batch, call};

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    let request = |n: usize| match n % 5 {
        0 => post("", &call(&n.to_string(), "sleep", "[5]")),
        1 => "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        2 => {
            head("Transfer-Encoding: chunked\r\n")
                + &chunked(&call(&n.to_string(), "add", "[1,2]"), 3)
        }
        3 => post("", "{"),
        _ => post("", &call(&n.to_string(), "add", "[1,2]")),
    };
    let all: String = (0..50).map(request).collect();
    http1.send(all).await;
    for n in 0..50 {
        let answer = http1.answer().await;
        match n % 5 {
            1 => assert_eq!(answer.status, 405),
            3 => assert_eq!(answer.json()["error"]["code"], -32700),
            _ => assert_eq!(answer.json()["id"], n),
        }
    }
    assert_eq!(server.handle.accepted(), 1);
}

#[tokio::test]
async fn a_response_does_not_wait_for_the_rest_of_the_next_request() {
    let server = TestServer::new().await;
    let first = post("", &call("1", "add", "[1,2]"));
    let next = post("", &call("2", "add", "[3,4]"));
    for split in [0, 1, 2, 10, 60, next.len() - 1] {
        let (begun, rest) = next.split_at(split);
        let mut http1 = server.connect().await;
        http1.send(first.clone() + begun).await;
        let answer = http1.answer().await;
        assert_eq!(
            answer.json()["id"],
            1,
            "{split} bytes of the next are there"
        );
        assert_eq!(http1.ask(rest).await.json()["id"], 2);
    }
}

#[tokio::test]
async fn an_empty_line_between_requests_is_ignored() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    for _ in 0..3 {
        // Some clients end every body with a line break.
        let request = post("", &call("1", "add", "[1,2]")) + "\r\n";
        assert_eq!(http1.ask(request).await.json()["result"], 3);
    }
    assert_eq!(server.handle.accepted(), 1);
}

#[tokio::test]
async fn a_client_that_disconnects_cancels_its_calls() {
    let server = TestServer::new().await;
    let mut dropped = 0;
    let hold = call("1", "hold", "[]");
    for (body, calls) in [(hold.clone(), 1), (batch((0..20).map(|_| &hold)), 8)] {
        let mut http1 = server.connect().await;
        http1.send(post("", &body)).await;
        server.log.held.reach(dropped + calls).await;
        assert_eq!(server.log.dropped.get(), dropped);
        drop(http1);
        dropped += calls;
        server.log.dropped.reach(dropped).await;
        server.until_open(0).await;
    }
}

#[tokio::test]
async fn a_client_that_resets_a_stream_cancels_that_call_alone() {
    let server = TestServer::new().await;
    let mut http2 = server.http2().await;
    let hold = call("1", "hold", "[]");
    let kept = http2.post(&hold).await;
    let ended = http2.post(&hold).await;
    server.log.held.reach(2).await;
    drop(ended);
    server.log.dropped.reach(1).await;
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
    assert_eq!(server.log.dropped.get(), 1);
    drop((kept, http2));
    server.log.dropped.reach(2).await;
    server.until_open(0).await;
}

/// Makes calls and cancels each of them while its method runs.
async fn cancel(server: &TestServer, http2: &mut Http2, times: usize) {
    for _ in 0..times {
        let (held, dropped) = (server.log.held.get(), server.log.dropped.get());
        let call = http2.post(&call("1", "hold", "[]")).await;
        server.log.held.reach(held + 1).await;
        drop(call);
        server.log.dropped.reach(dropped + 1).await;
    }
}

#[tokio::test]
async fn many_cancelled_calls_end_a_connection_only_without_other_calls() {
    let server = TestServer::new().await;
    let mut http2 = server.http2().await;
    cancel(&server, &mut http2, 300).await;
    for _ in 0..200 {
        assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
    }
    cancel(&server, &mut http2, 300).await;
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);

    let mut other = server.http2().await;
    cancel(&server, &mut other, 500).await;
    let refused = other.post(&call("1", "add", "[1,2]")).await;
    assert!(refused.await.is_err());
    server.until_open(1).await;
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
}
