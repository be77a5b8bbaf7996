//! Tests of several requests on one connection: in sequence, pipelined, and cancelled.

use crate::support::http2::Http2;
use crate::support::site::Site;
use crate::support::wire::{chunked, head, post};
use crate::support::{batch, call};

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let site = Site::new().await;
    let mut wire = site.connect().await;
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
    wire.send(all).await;
    for n in 0..50 {
        let answer = wire.answer().await;
        match n % 5 {
            1 => assert_eq!(answer.status, 405),
            3 => assert_eq!(answer.json()["error"]["code"], -32700),
            _ => assert_eq!(answer.json()["id"], n),
        }
    }
    assert_eq!(site.handle.accepted(), 1);
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let site = Site::new().await;
    let first = post("", &call("1", "add", "[1,2]"));
    let next = post("", &call("2", "add", "[3,4]"));
    for split in [0, 1, 2, 10, 60, next.len() - 1] {
        let (begun, rest) = next.split_at(split);
        let mut wire = site.connect().await;
        wire.send(first.clone() + begun).await;
        let answer = wire.answer().await;
        assert_eq!(
            answer.json()["id"],
            1,
            "{split} bytes of the next are there"
        );
        assert_eq!(wire.ask(rest).await.json()["id"], 2);
    }
}

#[tokio::test]
async fn an_empty_line_between_requests_does_no_harm() {
    let site = Site::new().await;
    let mut wire = site.connect().await;
    for _ in 0..3 {
        // Some clients end every body with a line break.
        let request = post("", &call("1", "add", "[1,2]")) + "\r\n";
        assert_eq!(wire.ask(request).await.json()["result"], 3);
    }
    assert_eq!(site.handle.accepted(), 1);
}

#[tokio::test]
async fn a_client_that_goes_cancels_its_calls() {
    let site = Site::new().await;
    let mut dropped = 0;
    let hold = call("1", "hold", "[]");
    for (body, calls) in [(hold.clone(), 1), (batch((0..20).map(|_| &hold)), 8)] {
        let mut wire = site.connect().await;
        wire.send(post("", &body)).await;
        site.log.held.reach(dropped + calls).await;
        assert_eq!(site.log.dropped.get(), dropped);
        drop(wire);
        dropped += calls;
        site.log.dropped.reach(dropped).await;
        site.until_open(0).await;
    }
}

#[tokio::test]
async fn a_client_that_resets_a_stream_cancels_that_call_alone() {
    let site = Site::new().await;
    let mut http2 = site.http2().await;
    let hold = call("1", "hold", "[]");
    let kept = http2.post(&hold).await;
    let ended = http2.post(&hold).await;
    site.log.held.reach(2).await;
    drop(ended);
    site.log.dropped.reach(1).await;
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
    assert_eq!(site.log.dropped.get(), 1);
    drop((kept, http2));
    site.log.dropped.reach(2).await;
    site.until_open(0).await;
}

/// Makes calls and cancels each of them while its method runs.
async fn cancel(site: &Site, http2: &mut Http2, times: usize) {
    for _ in 0..times {
        let (held, dropped) = (site.log.held.get(), site.log.dropped.get());
        let call = http2.post(&call("1", "hold", "[]")).await;
        site.log.held.reach(held + 1).await;
        drop(call);
        site.log.dropped.reach(dropped + 1).await;
    }
}

#[tokio::test]
async fn who_cancels_many_calls_keeps_the_connection_and_who_does_nothing_else_loses_it() {
    let site = Site::new().await;
    let mut http2 = site.http2().await;
    cancel(&site, &mut http2, 300).await;
    for _ in 0..200 {
        assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
    }
    cancel(&site, &mut http2, 300).await;
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);

    let mut other = site.http2().await;
    cancel(&site, &mut other, 500).await;
    let refused = other.post(&call("1", "add", "[1,2]")).await;
    assert!(refused.await.is_err());
    site.until_open(1).await;
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
}
