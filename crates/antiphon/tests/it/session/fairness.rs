//! Tests of the shares of places: one caller cannot take all of them.

#[cfg(target_os = "linux")]
use antiphon::Profile;
use antiphon::{Router, Server};
#[cfg(target_os = "linux")]
use tokio::net::{TcpSocket, TcpStream};

use super::raw::{MethodCounters, RawPeer, RawWebSocket, SessionServer, cancel, router};
use crate::support::http1::{Http1, post};
use crate::support::{call, code, notification};

const OVERLOADED: i64 = -32000;

/// Connects from a local address, as another host would.
#[cfg(target_os = "linux")]
async fn from(local: &str, server: &SessionServer) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{local}:0").parse().unwrap()).unwrap();
    socket.connect(server.address).await.unwrap()
}

#[cfg(target_os = "linux")]
async fn websocket(local: &str, server: &SessionServer) -> RawWebSocket {
    RawWebSocket::over(from(local, server).await, server.address).await
}

async fn hold(peer: &mut RawWebSocket, count: u32) {
    for id in 0..count {
        let hold = call(&id.to_string(), "hold", "[]");
        peer.send(RawWebSocket::TEXT, hold.as_bytes()).await;
    }
}

async fn adds(peer: &mut RawWebSocket) {
    let add = call("\"add\"", "add", "[3,4]");
    peer.send(RawWebSocket::TEXT, add.as_bytes()).await;
    assert_eq!(peer.next().await["result"], 7);
}

/// All of 127.0.0.0/8 is on the loopback interface.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_address_with_a_thousand_waiting_calls_leaves_three_quarters_to_others() {
    let seen = MethodCounters::default();
    let server = Server::new(router(&seen)).configure(|settings| {
        settings.profile = Profile::Public;
        settings.allow_unauthenticated_public = true;
    });
    let server = SessionServer::bound(server.bind("127.0.0.1:0")).await;
    let mut greedy = Vec::new();
    for n in 1..=8 {
        let mut peer = websocket("127.0.0.1", &server).await;
        hold(&mut peer, 128).await;
        // Every call runs until it has to wait.
        seen.held.reach(n * 128).await;
        greedy.push(peer);
    }
    // Of the quarter, 256 places, each connection has got half of what was left, so one is free.
    seen.dropped.reach(1024 - 255).await;

    // Others wait as long as they like, and nothing of theirs is refused.
    let mut others = Vec::new();
    for n in 1..=5 {
        let local = format!("127.0.0.{}", n + 1);
        let mut peer = websocket(&local, &server).await;
        hold(&mut peer, 100).await;
        seen.held.reach(1024 + n * 101 - 1).await;
        adds(&mut peer).await;
        let mut http1 = Http1::from(from(&local, &server).await);
        assert_eq!(http1.call("1", "add", "[3,4]").await["result"], 7);
        http1.send(post("", &call("1", "hold", "[]"))).await;
        seen.held.reach(1024 + n * 101).await;
        others.push((peer, http1));
    }
    assert_eq!(seen.dropped.get(), 1024 - 255);

    // What does not wait is answered also for the greedy.
    let last = greedy.last_mut().unwrap();
    for _ in 0..127 {
        assert_eq!(code(&last.next().await), OVERLOADED);
    }
    adds(last).await;
    let mut http1 = Http1::from(from("127.0.0.1", &server).await);
    assert_eq!(http1.call("1", "add", "[3,4]").await["result"], 7);

    // What a connection held comes back when it ends.
    drop(greedy);
    seen.dropped.reach(1024).await;
    let mut peer = websocket("127.0.0.1", &server).await;
    hold(&mut peer, 127).await;
    adds(&mut peer).await;
    assert_eq!(seen.dropped.get(), 1024);
}

/// Of local callers every connection counts by itself, and sessions leave an eighth to HTTP.
#[tokio::test]
async fn greedy_local_sessions_leave_places_to_newcomers_and_to_http() {
    let seen = MethodCounters::default();
    let server = Server::new(router(&seen)).configure(|settings| settings.calls.max_in_flight = 64);
    let server = SessionServer::bound(server.bind("127.0.0.1:0")).await;
    let mut greedy = Vec::new();
    for n in 1..=8 {
        let mut peer = RawWebSocket::connect(server.address).await;
        hold(&mut peer, 64).await;
        seen.held.reach(n * 64).await;
        greedy.push(peer);
    }
    // Each got half of what was left of 56, at least one: 28, 14, 7, 4, 2, 1.
    seen.dropped.reach(8 * 64 - 56).await;
    let before = seen.dropped.get();
    for n in 1..=4 {
        let mut http1 = Http1::connect(server.address).await;
        http1.send(post("", &call("1", "hold", "[]"))).await;
        seen.held.reach(8 * 64 + n).await;
        greedy.push(RawWebSocket {
            stream: http1.stream,
        });
    }
    assert_eq!(seen.dropped.get(), before);
    let mut peer = RawWebSocket::connect(server.address).await;
    adds(&mut peer).await;
}

fn seen_nothing() -> bool {
    false
}

/// With eight places one session gets four: of the seven for sessions, while fewer are its own than
/// are free.
async fn check_share(peer: &mut RawPeer, seen: &MethodCounters, after: &str) {
    let (held, dropped) = (seen.held.get(), seen.dropped.get());
    let ids = ["1", "2", "3", "4", "5"];
    peer.say(ids.map(|id| call(id, "hold", "[]"))).await;
    let refused = peer.next().await;
    assert_eq!(
        (&refused["id"], code(&refused)),
        (&5.into(), OVERLOADED),
        "after {after}"
    );
    seen.held.reach(held + 5).await;
    peer.say(["1", "2", "3", "4"].map(cancel)).await;
    for _ in 0..4 {
        assert_eq!(code(&peer.next().await), -32800, "after {after}");
    }
    seen.dropped.reach(dropped + 5).await;
}

#[tokio::test]
async fn a_place_comes_back_however_its_call_ends() {
    let seen = MethodCounters::default();
    let router: Router = router(&seen)
        .method_fn("boom", || async {
            tokio::task::yield_now().await;
            assert!(seen_nothing(), "S3CR3T");
        })
        .method(antiphon::Method::new("block", |call| {
            antiphon::CallFuture::blocking(&call.context(), move || call.answer(Ok(1)))
        }))
        .method(antiphon::Method::new("block_boom", |call| {
            antiphon::CallFuture::blocking(&call.context(), move || panic!("S3CR3T"))
        }));
    let server = Server::new(router).configure(|settings| settings.calls.max_in_flight = 8);
    let server = SessionServer::raw(server).await;
    let mut peer = server.connect().await;
    check_share(&mut peer, &seen, "nothing").await;
    let late = r#"{"jsonrpc":"2.0","id":1,"method":"hold","timeout":1}"#.to_owned();
    crate::dispatch::quiet();
    for (message, expected) in [
        (call("1", "sleep", "[1]"), 0),
        (late, -32001),
        (call("1", "boom", "[]"), -32603),
        (call("1", "block", "[]"), 0),
        (call("1", "block_boom", "[]"), -32603),
    ] {
        for _ in 0..10 {
            peer.say([&message]).await;
            assert_eq!(code(&peer.next().await), expected, "{message}");
        }
        check_share(&mut peer, &seen, &message).await;
    }
    // A notification that waits, and one that has to but finds no place.
    peer.say([notification("sleep", "[1]")]).await;
    check_share(&mut peer, &seen, "a notification").await;
    // The end of a connection, while another one holds the rest.
    let mut other = server.connect().await;
    let held = seen.held.get();
    peer.say([call("1", "hold", "[]"), call("2", "hold", "[]")])
        .await;
    seen.held.reach(held + 2).await;
    let dropped = seen.dropped.get();
    drop(peer);
    seen.dropped.reach(dropped + 2).await;
    check_share(&mut other, &seen, "the end of a connection").await;
}
