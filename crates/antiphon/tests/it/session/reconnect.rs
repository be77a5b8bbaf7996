//! Tests of reconnection: the server of a client ends and starts again.

use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon::client::{Client, ClientBuilder, ConnectionState, ErrorKind, Reconnect, StreamError};
use antiphon::{Server, call};
use futures_core::Stream;
use tokio::time::timeout;

use super::raw::{MethodCounters, SessionServer, TEST_TIMEOUT, router};
use crate::support::counter::{Counter, Guard};

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

/// The address of a free port.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

async fn serve(address: SocketAddr, seen: &MethodCounters, streams: &Counter) -> SessionServer {
    let streams = streams.clone();
    let router = router(seen).method_fn("numbers", move || One(false, streams.guard()));
    SessionServer::bound(Server::new(router).bind(format!("tcp://{address}"))).await
}

async fn down(mut server: SessionServer) {
    server.handle.kill();
    server.ended().await;
}

fn builder(address: SocketAddr) -> ClientBuilder {
    Client::builder(format!("tcp://{address}")).timeout(TEST_TIMEOUT)
}

fn soon() -> Reconnect {
    Reconnect::default()
        .first_pause(Duration::from_millis(1))
        .max_pause(Duration::from_millis(20))
}

#[tokio::test]
async fn a_call_in_flight_is_unknown_unless_it_is_idempotent() {
    let (seen, streams, address) = (MethodCounters::default(), Counter::default(), free_port());
    let server = serve(address, &seen, &streams).await;
    let client = builder(address).reconnect(soon()).build().unwrap();
    let once = tokio::spawn(call!(client.hold()).into_future());
    let again = tokio::spawn(call!(client.sleep(300)).idempotent().into_future());
    seen.held.reach(1).await;
    seen.slept.reach(1).await;
    down(server).await;
    let once: Result<(), _> = once.await.unwrap();
    let error = once.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Unknown) && error.is_closed(),
        "{error}"
    );
    let server = serve(address, &seen, &streams).await;
    let again: Result<u64, _> = timeout(TEST_TIMEOUT, again)
        .await
        .expect("it hangs")
        .unwrap();
    assert_eq!(again.ok(), Some(300));
    assert_eq!((seen.held.get(), seen.slept.get()), (1, 2));
    drop(server);
}

#[tokio::test]
async fn a_call_during_the_outage_waits() {
    let (seen, streams, address) = (MethodCounters::default(), Counter::default(), free_port());
    let server = serve(address, &seen, &streams).await;
    let client = builder(address).reconnect(soon()).build().unwrap();
    let mut connection = client.connection();
    assert_eq!(call!(client.add(3, 4)).await.ok(), Some(7));
    down(server).await;
    while matches!(connection.state(), ConnectionState::Open) {
        timeout(TEST_TIMEOUT, connection.changed()).await.unwrap();
    }
    let calls: Vec<_> = (0..20)
        .map(|n: i64| tokio::spawn(call!(client.add(n, 1)).into_future()))
        .collect();
    let mut batch = client.batch();
    let ticket = batch.call::<i64>("add", (1, 1));
    let batch = tokio::spawn(batch.send());
    let told = tokio::spawn(client.notify("count", ()).into_future());
    // A call with a shorter timeout ends with the error that it was not sent.
    let error = call!(client.add(1, 1)).timeout(Duration::from_millis(50));
    let error = error.await.map(|_: i64| ()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");

    let server = serve(address, &seen, &streams).await;
    for (n, call) in (0_i64..).zip(calls) {
        let sum: Result<i64, _> = timeout(TEST_TIMEOUT, call)
            .await
            .expect("it hangs")
            .unwrap();
        assert_eq!(sum.ok(), Some(n + 1));
    }
    let mut responses = batch.await.unwrap().unwrap();
    assert_eq!(responses.take(ticket).ok(), Some(2));
    told.await.unwrap().unwrap();
    seen.counted.reach(1).await;
    drop(server);
}

#[tokio::test]
async fn a_subscription_continues_and_reports_the_gap() {
    let (seen, streams, address) = (MethodCounters::default(), Counter::default(), free_port());
    let mut server = serve(address, &seen, &streams).await;
    let client = builder(address).reconnect(soon()).build().unwrap();
    let mut numbers = client.subscribe::<u64>("numbers", ()).await.unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
    for round in 1..=3 {
        let before = numbers.id().map(str::to_owned);
        down(server).await;
        streams.reach(round).await;
        server = serve(address, &seen, &streams).await;
        let next = timeout(TEST_TIMEOUT, numbers.next())
            .await
            .expect("it hangs");
        assert!(
            matches!(next, Some(Err(StreamError::Interrupted))),
            "{next:?}"
        );
        assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
        assert_ne!(numbers.id().map(str::to_owned), before);
    }
    // Dropping it ends the stream at the current server.
    drop(numbers);
    streams.reach(4).await;
    assert_eq!(call!(client.add(3, 4)).await.ok(), Some(7));
}

#[tokio::test]
async fn without_reconnection_a_subscription_ends_with_its_connection() {
    let (seen, streams, address) = (MethodCounters::default(), Counter::default(), free_port());
    let server = serve(address, &seen, &streams).await;
    let client = builder(address).build().unwrap();
    let mut connection = client.connection();
    assert!(matches!(connection.state(), ConnectionState::Idle));
    assert_eq!(call!(client.add(3, 4)).await.ok(), Some(7));
    assert!(matches!(connection.state(), ConnectionState::Open));
    let mut numbers = client.subscribe::<u64>("numbers", ()).await.unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
    down(server).await;
    let server = serve(address, &seen, &streams).await;
    let next = numbers.next().await.unwrap().unwrap_err();
    assert!(matches!(next, StreamError::Lost(_)), "{next}");
    assert!(numbers.next().await.is_none());
    for _ in 0..3 {
        let error = call!(client.add(3, 4)).await.map(|_: i64| ()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
        assert!(error.is_closed() && !error.is_connect(), "{error}");
    }
    let error = client.ready().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
    while !matches!(connection.state(), ConnectionState::Lost(_)) {
        timeout(TEST_TIMEOUT, connection.changed()).await.unwrap();
    }
    assert_eq!(server.handle.accepted(), 0);
    // The watcher ends with the client.
    drop((numbers, client));
    let gone = async { while connection.changed().await.is_some() {} };
    timeout(TEST_TIMEOUT, gone).await.expect("it goes on");
}

#[tokio::test]
async fn the_states_of_a_connection_can_be_watched() {
    let (seen, streams, address) = (MethodCounters::default(), Counter::default(), free_port());
    let server = serve(address, &seen, &streams).await;
    let client = builder(address).reconnect(soon()).build().unwrap();
    let mut connection = client.connection();
    let mut until = async |wanted: fn(&ConnectionState) -> bool| {
        let mut state = connection.state();
        while !wanted(&state) {
            let changed = timeout(TEST_TIMEOUT, connection.changed()).await;
            state = changed.expect("it never comes").unwrap();
        }
    };
    until(|state| matches!(state, ConnectionState::Idle)).await;
    client.ready().await.unwrap();
    until(|state| matches!(state, ConnectionState::Open)).await;
    down(server).await;
    until(|state| matches!(state, ConnectionState::Connecting(3..))).await;
    let _place = serve(address, &seen, &streams).await;
    until(|state| matches!(state, ConnectionState::Open)).await;
}

/// Each connection ends without a message, as a server ends those that only take a place.
#[tokio::test]
async fn a_client_that_nobody_uses_does_not_reconnect_for_ever() {
    let server = Server::new(router(&MethodCounters::default()));
    let server = server.configure(|settings| {
        settings.header_timeout = Some(Duration::from_millis(100));
    });
    let server = SessionServer::raw(server).await;
    let client = builder(server.address).reconnect(soon()).build().unwrap();
    let mut connection = client.connection();
    for _ in 0..2 {
        client.ready().await.unwrap();
        let before = server.handle.accepted();
        // The next connection follows by itself, and then none does for a long time.
        while server.handle.accepted() == before {
            connection.changed().await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let more = server.handle.accepted() - before;
        assert!(more < 4, "{more} more connections");
    }
    assert_eq!(call!(client.add(3, 4)).await.ok(), Some(7));
}

#[tokio::test]
async fn attempts_are_counted() {
    let address = free_port();
    let reconnect = soon().max_attempts(3);
    let client = builder(address).reconnect(reconnect).build().unwrap();
    let mut connection = client.connection();
    let calling = tokio::spawn(call!(client.add(3, 4)).into_future());
    let mut attempts = 0;
    let reason = loop {
        match timeout(TEST_TIMEOUT, connection.changed()).await.unwrap() {
            Some(ConnectionState::Connecting(attempt)) => {
                assert!(attempt > attempts, "{attempt} after {attempts}");
                attempts = attempt;
            }
            Some(ConnectionState::Lost(reason)) => break reason,
            other => panic!("{other:?}"),
        }
    };
    assert!(attempts <= 3 && !reason.is_empty(), "{attempts}: {reason}");
    let error = timeout(TEST_TIMEOUT, calling)
        .await
        .expect("it hangs")
        .unwrap();
    let error = error.map(|_: i64| ()).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotSent) && error.is_connect(),
        "{error}"
    );

    // The next call tries again, and finds a server.
    let (seen, streams) = (MethodCounters::default(), Counter::default());
    let _place = serve(address, &seen, &streams).await;
    assert_eq!(call!(client.add(3, 4)).await.ok(), Some(7));
}

/// A call that is made just when an attempt has failed does not hang.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_failed_attempt_is_reported_to_all_callers() {
    let address = free_port();
    let client = builder(address).build().unwrap();
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                for _ in 0..500 {
                    let error = call!(client.add(3, 4)).await.map(|_: i64| ()).unwrap_err();
                    assert!(error.is_connect(), "{error}");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

#[tokio::test]
async fn a_dropped_client_closes_its_connection() {
    let (seen, streams, address) = (MethodCounters::default(), Counter::default(), free_port());
    let server = serve(address, &seen, &streams).await;
    for reconnect in [None, Some(soon())] {
        let mut builder = builder(address);
        if let Some(reconnect) = reconnect {
            builder = builder.reconnect(reconnect);
        }
        let client = builder.build().unwrap();
        let other = client.clone();
        assert_eq!(call!(client.add(3, 4)).await.ok(), Some(7));
        let before = streams.get();
        let numbers = client.subscribe::<u64>("numbers", ()).await.unwrap();
        drop(client);
        assert_eq!(call!(other.add(3, 4)).await.ok(), Some(7));
        assert_eq!(server.handle.connections(), 1);
        drop((other, numbers));
        streams.reach(before + 1).await;
        server.until_open(0).await;
    }
    // The same holds for a client that has not connected yet.
    let nowhere = Client::builder(format!("tcp://{}", free_port()));
    let nowhere = nowhere.reconnect(soon()).build().unwrap();
    let mut connection = nowhere.connection();
    let waiting = tokio::spawn(call!(nowhere.add(3, 4)).into_future());
    while !matches!(connection.state(), ConnectionState::Connecting(2..)) {
        connection.changed().await.unwrap();
    }
    waiting.abort();
    drop(nowhere);
    let gone = async { while connection.changed().await.is_some() {} };
    timeout(TEST_TIMEOUT, gone).await.expect("it goes on");
    let result = waiting.await.map(|result: Result<i64, _>| result.is_ok());
    assert!(result.unwrap_err().is_cancelled());
}

/// A server that misbehaves on every connection is tried again after longer and longer pauses.
#[tokio::test]
async fn a_server_that_misbehaves_is_tried_less_and_less() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::AsyncWriteExt as _;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let _ = stream.write_all(b"nonsense\n").await;
        }
    });
    // With pauses of one length there would be hundreds of attempts.
    let reconnect = Reconnect::default()
        .first_pause(Duration::from_millis(1))
        .max_pause(Duration::from_secs(3600));
    let client = builder(address).reconnect(reconnect).build().unwrap();
    let call = call!(client.m()).timeout(Duration::from_secs(1));
    let error = call.await.map(|_: i64| ()).unwrap_err();
    assert!(error.is_timeout() || error.is_closed(), "{error}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let connections = connections.load(Ordering::Relaxed);
    assert!(connections < 100, "{connections}");
    serving.abort();
}
