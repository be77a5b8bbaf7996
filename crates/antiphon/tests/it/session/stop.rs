//! Tests of shutdown with open sessions: running calls are finished, no client is left waiting.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon::client::{Client, ErrorKind, StreamError};
use antiphon::{Server, call};
use futures_core::Stream;
use tokio::time::sleep;

use super::raw::RawWebSocket;
use super::raw::{MethodCounters, SessionServer, router};
use crate::support::counter::{Counter, Guard};
use crate::support::{call as request, code, notification};

/// A stream of one number that then stays pending.
struct One(bool, #[allow(dead_code)] Guard); // kept, not looked at

impl Stream for One {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        match std::mem::replace(&mut self.0, true) {
            false => Poll::Ready(Some(1)),
            true => Poll::Pending,
        }
    }
}

fn server(seen: &MethodCounters, streams: &Counter) -> Server {
    let streams = streams.clone();
    let router = router(seen).method_fn("numbers", move || One(false, streams.guard()));
    Server::new(router)
}

#[tokio::test]
async fn calls_are_finished_subscriptions_end_and_then_the_connection() {
    let (seen, streams) = (MethodCounters::default(), Counter::default());
    let mut server = SessionServer::raw(server(&seen, &streams)).await;
    let idle = server.connect().await;
    let mut peer = server.connect().await;
    let id = peer.call("1", "numbers", "[]").await["result"].clone();
    assert_eq!(peer.next().await["params"]["result"], 1);
    peer.say([
        notification("sleep", "[100]"),
        request("2", "sleep", "[200]"),
    ])
    .await;
    seen.slept.reach(1).await;
    server.handle.stop();

    let end = peer.next().await;
    assert_eq!(
        (&end["params"]["subscription"], &end["params"]["end"]),
        (&id, &"shutdown".into())
    );
    assert_eq!(peer.next().await["result"], 200);
    assert_eq!(peer.rest().await, [""; 0]);
    assert_eq!(idle.rest().await, [""; 0]);
    streams.reach(1).await;
    assert_eq!(seen.slept.get(), 2);
    server.ended().await;
}

/// A call that arrives while other calls are finished is refused with an error.
#[tokio::test]
async fn a_call_long_after_the_stop_is_refused() {
    let (seen, streams) = (MethodCounters::default(), Counter::default());
    let mut server = SessionServer::raw(server(&seen, &streams)).await;
    let mut peer = server.connect().await;
    peer.say([request("1", "sleep", "[1500]")]).await;
    seen.slept.reach(1).await;
    server.handle.stop();
    peer.answers("what was on its way").await;
    sleep(Duration::from_millis(300)).await;
    let late = peer.call("3", "add", "[3,4]").await;
    assert_eq!(code(&late), -32000, "{late}");
    // So whoever has other servers asks one of them.
    let data = serde_json::json!({"mayHaveRun": false, "stopping": true});
    assert_eq!(late["error"]["data"], data);
    assert_eq!(peer.next().await["result"], 1500);
    assert_eq!(peer.rest().await, [""; 0]);
    server.ended().await;
}

#[tokio::test]
async fn calls_that_do_not_end_in_time_get_an_error() {
    let (seen, streams) = (MethodCounters::default(), Counter::default());
    let server = server(&seen, &streams);
    let server = server.configure(|s| s.graceful_timeout = Duration::from_millis(200));
    let mut server = SessionServer::raw(server).await;
    let mut peer = server.connect().await;
    peer.say([request("1", "hold", "[]")]).await;
    seen.held.reach(1).await;
    server.handle.stop();
    assert_eq!(peer.rest().await, [STOPPING]);
    seen.dropped.reach(1).await;
    server.ended().await;
}

const STOPPING: &str =
    r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"The server is stopping"}}"#;

#[tokio::test]
async fn cut_ends_calls_with_an_answer() {
    let (seen, streams) = (MethodCounters::default(), Counter::default());
    let mut server = SessionServer::raw(server(&seen, &streams)).await;
    let mut peer = server.connect().await;
    peer.say([request("1", "hold", "[]")]).await;
    seen.held.reach(1).await;
    server.handle.abort();
    assert_eq!(peer.rest().await, [STOPPING]);
    seen.dropped.reach(1).await;
    server.ended().await;
}

#[tokio::test]
async fn kill_ends_all_connections() {
    let (seen, streams) = (MethodCounters::default(), Counter::default());
    let mut server = SessionServer::raw(server(&seen, &streams)).await;
    let client = Client::connect(&server.url).unwrap();
    let mut numbers = client.subscribe::<u64>("numbers", ()).await.unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
    let holding = tokio::spawn(call!(client.hold()).into_future());
    seen.held.reach(1).await;
    server.handle.kill();
    let held: Result<(), _> = holding.await.unwrap();
    assert!(matches!(held.unwrap_err().kind(), ErrorKind::Unknown));
    let end = numbers.next().await.unwrap().unwrap_err();
    assert!(matches!(end, StreamError::Lost(_)), "{end}");
    assert!(numbers.next().await.is_none());
    seen.dropped.reach(1).await;
    streams.reach(1).await;
    server.ended().await;
}

/// Checks shutdown with the client of this library.
async fn check(mut server: SessionServer, seen: MethodCounters, url: String) {
    let client = Client::connect(&url).unwrap();
    let mut numbers = client.subscribe::<u64>("numbers", ()).await.unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
    let sleeping = tokio::spawn(call!(client.sleep(200)).into_future());
    seen.slept.reach(1).await;
    server.handle.stop();
    let slept: u64 = sleeping.await.unwrap().unwrap();
    assert_eq!(slept, 200, "{url}");
    let end = numbers.next().await.unwrap().unwrap_err();
    assert!(matches!(end, StreamError::Shutdown), "{url}: {end}");
    assert!(numbers.next().await.is_none(), "{url}");
    server.ended().await;
    let error = call!(client.add(3, 4)).await.map(|_: u64| ()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{url}: {error}");
    assert!(error.is_closed(), "{url}: {error}");
}

#[tokio::test]
async fn a_client_over_tcp_sees_a_graceful_stop() {
    let (seen, streams) = (MethodCounters::default(), Counter::default());
    let server = SessionServer::raw(server(&seen, &streams)).await;
    let url = server.url.clone();
    check(server, seen, url).await;
}

#[tokio::test]
async fn a_client_over_web_socket_sees_a_graceful_stop() {
    let (seen, streams) = (MethodCounters::default(), Counter::default());
    let server = SessionServer::bound(server(&seen, &streams).bind("127.0.0.1:0")).await;
    let url = server.url.replacen("http", "ws", 1);
    check(server, seen, url).await;
}

#[tokio::test]
async fn a_web_socket_gets_the_close_code_going_away() {
    let (seen, streams) = (MethodCounters::default(), Counter::default());
    let mut server = SessionServer::bound(server(&seen, &streams).bind("127.0.0.1:0")).await;
    let mut idle = RawWebSocket::connect(server.address).await;
    let mut busy = RawWebSocket::connect(server.address).await;
    let sleeping = request("1", "sleep", "[200]");
    busy.send(RawWebSocket::TEXT, sleeping.as_bytes()).await;
    seen.slept.reach(1).await;
    server.handle.stop();
    assert_eq!(busy.next().await["result"], 200);
    for peer in [&mut idle, &mut busy] {
        let (opcode, payload) = peer.frame().await.unwrap();
        assert_eq!(opcode, RawWebSocket::CLOSE);
        assert_eq!(payload.get(..2), Some(&1001_u16.to_be_bytes()[..]));
        peer.send(RawWebSocket::CLOSE, &1001_u16.to_be_bytes())
            .await;
        assert_eq!(peer.frame().await, None);
    }
    server.ended().await;
}

/// A WebSocket peer that does not answer the close frame does not delay the server.
#[tokio::test]
async fn a_silent_web_socket_does_not_delay_the_stop() {
    let (seen, streams) = (MethodCounters::default(), Counter::default());
    let mut server = SessionServer::bound(server(&seen, &streams).bind("127.0.0.1:0")).await;
    let silent = RawWebSocket::connect(server.address).await;
    server.until_open(1).await;
    server.handle.stop();
    server.ended().await;
    drop(silent);
}
