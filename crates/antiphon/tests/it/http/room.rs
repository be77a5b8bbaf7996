//! Tests of the limits of connections, streams and calls in flight.

use antiphon::Server;

use crate::support::call;
use crate::support::http1::post;
use crate::support::test_server::{Log, TestServer, router};

#[tokio::test]
async fn the_number_of_connections_is_limited_including_silent_ones() {
    let server = TestServer::with(|settings| settings.max_connections = 3).await;
    for _ in 0..3 {
        let mut served = server.connect().await;
        assert_eq!(served.call("1", "add", "[1,2]").await["result"], 3);
        let silent = server.connect().await;
        let mut begun = server.connect().await;
        begun.send("POST / HT").await;
        server.until_open(3).await;

        // The connection beyond the limit gets a response, whether it has sent anything or not.
        for words in [String::new(), post("", &call("1", "count", "[]"))] {
            let mut refused = server.connect().await;
            let _ = refused.try_send(words).await;
            let answer = refused.answer().await;
            assert_eq!(answer.status, 503);
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert!(answer.closes());
            refused.closed().await;
        }
        assert_eq!(server.log.counted.get(), 0);
        assert_eq!(served.call("1", "add", "[1,2]").await["result"], 3);

        drop(silent);
        server.until_open(2).await;
        server.answers_others().await;
        drop((served, begun));
        server.until_open(0).await;
    }
}

#[tokio::test]
async fn many_refused_connections_do_not_delay_the_server() {
    let server = TestServer::with(|settings| settings.max_connections = 1).await;
    let mut served = server.connect().await;
    assert_eq!(served.call("1", "add", "[1,2]").await["result"], 3);
    let mut refused = Vec::new();
    for _ in 0..200 {
        refused.push(server.connect().await);
    }
    assert_eq!(served.call("1", "add", "[1,2]").await["result"], 3);
    for http1 in refused {
        let said = http1.rest().await;
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 503 "));
    }
    assert_eq!(server.handle.connections(), 1);
}

#[tokio::test]
async fn one_address_cannot_use_all_connections_of_a_public_server() {
    let log = Log::default();
    let server = Server::new(router(&log))
        .allow_host("api.example")
        .allow_unauthenticated_public(true)
        .configure(|settings| settings.max_connections_per_ip = 2);
    let server = TestServer::of(server, log).await;
    let mut first = server.connect().await;
    assert_eq!(first.call("1", "add", "[1,2]").await["result"], 3);
    let second = server.connect().await;
    server.until_open(2).await;
    let mut third = server.connect().await;
    assert_eq!(third.answer().await.status, 503);
    drop(second);
    server.until_open(1).await;
    server.answers_others().await;
}

#[tokio::test]
async fn the_number_of_streams_of_a_connection_is_limited() {
    let server = TestServer::with(|settings| settings.max_streams = 4).await;
    let mut http2 = server.http2().await;
    // The client knows the settings of the server after the first response.
    assert_eq!(http2.call("1", "add", "[1,2]").await["result"], 3);
    let mut held = Vec::new();
    for n in 0..4 {
        held.push(http2.post(&call("1", "hold", "[]")).await);
        server.log.held.reach(n + 1).await;
    }
    let fifth = tokio::spawn(async move {
        let answer = http2.call("1", "add", "[1,2]").await;
        (answer, http2)
    });
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    assert!(!fifth.is_finished(), "it waits for a stream");
    held.pop();
    let (answer, _http2) = fifth.await.unwrap();
    assert_eq!(answer["result"], 3);
}

#[tokio::test]
async fn calls_in_flight_are_limited_over_all_connections() {
    let server = TestServer::with(|settings| settings.calls.max_in_flight = 2).await;
    let hold = post("", &call("1", "hold", "[]"));
    let [mut first, mut second] = [server.connect().await, server.connect().await];
    first.send(&hold).await;
    second.send(&hold).await;
    server.log.held.reach(2).await;
    let mut third = server.connect().await;
    for _ in 0..2 {
        let answer = third.call("7", "hold", "[]").await;
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&7.into(), &(-32000).into())
        );
        // What does not wait needs no place.
        assert_eq!(third.call("7", "add", "[1,2]").await["result"], 3);
    }
    drop(first);
    server.log.dropped.reach(3).await;
    third.send(&hold).await;
    server.log.held.reach(5).await;
    assert_eq!(server.log.dropped.get(), 3);
}
