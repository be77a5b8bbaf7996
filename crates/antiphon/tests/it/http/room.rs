//! Tests of the limits of connections, streams and calls in flight.

use antiphon::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::call;
use crate::support::http1::{Http1, post};
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

const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/// Whether a raw connection is served: it gets its answer, or the end of the stream.
async fn is_served(stream: &mut TcpStream) -> bool {
    let message = call("1", "add", "[1,2]") + "\n";
    let mut first = [0];
    let _ = stream.write_all(message.as_bytes()).await;
    matches!(stream.read(&mut first).await, Ok(1))
}

#[tokio::test]
async fn neither_sessions_nor_requests_can_take_all_places() {
    let log = Log::default();
    let listening = Server::new(router(&log))
        .bind("127.0.0.1:0")
        .bind("tcp://127.0.0.1:0")
        .configure(|settings| settings.max_connections = 16)
        .listen()
        .await
        .unwrap();
    let [http, raw] = [listening.addresses()[0], listening.addresses()[1]];
    let handle = listening.handle();
    let serving = tokio::spawn(listening.serve());
    let until_open = async |connections: usize| {
        while handle.connections() != connections {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };

    // Raw connections take their fourteen places; HTTP is answered all the same.
    let mut streams = Vec::new();
    for _ in 0..14 {
        let mut stream = TcpStream::connect(raw).await.unwrap();
        assert!(is_served(&mut stream).await);
        streams.push(stream);
    }
    assert!(!is_served(&mut TcpStream::connect(raw).await.unwrap()).await);
    for _ in 0..3 {
        let mut http1 = Http1::connect(http).await;
        assert_eq!(http1.call("1", "add", "[1,2]").await["result"], 3);
        // A WebSocket would be one more session.
        let refused = http1.ask(HANDSHAKE).await;
        assert_eq!(refused.status, 503);
        assert_eq!(refused.header("retry-after"), Some("1"));
        http1.closed().await;
        until_open(14).await;
    }
    // A session that ends makes place for a WebSocket, and that one keeps it.
    drop(streams.pop());
    until_open(13).await;
    let mut websocket = Http1::connect(http).await;
    assert_eq!(websocket.ask(HANDSHAKE).await.status, 101);
    assert!(!is_served(&mut TcpStream::connect(raw).await.unwrap()).await);
    drop((streams, websocket));
    until_open(0).await;

    // Silent HTTP connections take theirs; raw connections are served all the same.
    let mut silent = Vec::new();
    for _ in 0..14 {
        silent.push(Http1::connect(http).await);
    }
    until_open(14).await;
    assert_eq!(Http1::connect(http).await.answer().await.status, 503);
    let mut stream = TcpStream::connect(raw).await.unwrap();
    assert!(is_served(&mut stream).await);
    // An upgrade gives the place for requests back.
    let mut upgraded = silent.pop().unwrap();
    assert_eq!(upgraded.ask(HANDSHAKE).await.status, 101);
    let mut http1 = Http1::connect(http).await;
    assert_eq!(http1.call("1", "add", "[1,2]").await["result"], 3);

    handle.kill();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_of_raw_streams_gives_them_all_places() {
    let log = Log::default();
    let listening = Server::new(router(&log))
        .bind("tcp://127.0.0.1:0")
        .configure(|settings| settings.max_connections = 8)
        .listen()
        .await
        .unwrap();
    let raw = listening.addresses()[0];
    let handle = listening.handle();
    let serving = tokio::spawn(listening.serve());
    let mut streams = Vec::new();
    for served in [true; 8].into_iter().chain([false]) {
        let mut stream = TcpStream::connect(raw).await.unwrap();
        assert_eq!(is_served(&mut stream).await, served);
        streams.push(stream);
    }
    handle.kill();
    serving.await.unwrap().unwrap();
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

/// A head of more than 6,000 bytes, whose method waits.
fn large_head() -> String {
    let more = format!("X-Large: {}\r\n", "x".repeat(6_000));
    post(&more, &call("1", "hold", "[]"))
}

/// The head of a request is held as long as its call runs, and that of a WebSocket as long as that is
/// open.
#[tokio::test]
async fn large_heads_share_the_memory_for_requests() {
    let handshake = HANDSHAKE.replacen(
        "\r\n",
        &format!("\r\nX-Large: {}\r\n", "x".repeat(6_000)),
        1,
    );
    for (large, accepted) in [(large_head(), None), (handshake, Some(101))] {
        let server = TestServer::with(|settings| {
            settings.max_request = 10_000;
            settings.max_request_memory = 20_000;
        })
        .await;
        let mut holders = Vec::new();
        for held in 1..=2 {
            let mut http1 = server.connect().await;
            http1.send(&large).await;
            match accepted {
                Some(status) => assert_eq!(http1.answer().await.status, status),
                None => server.log.held.reach(held).await,
            }
            holders.push(http1);
        }
        let mut refused = server.connect().await;
        let answer = refused.ask(&large).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), Some("1"));
        server.answers_others().await;
        drop((holders, refused));
        server.until_open(0).await;
        let mut http1 = server.connect().await;
        http1.send(&large).await;
        match accepted {
            Some(status) => assert_eq!(http1.answer().await.status, status),
            None => server.log.held.reach(3).await,
        }
    }
}
