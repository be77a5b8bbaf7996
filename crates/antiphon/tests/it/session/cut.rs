//! Tests of connections that are cut within a message: the reported error is correct.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon::client::{Client, ErrorKind};
use antiphon::{Server, call};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::raw::{MethodCounters, RawPeer, SessionServer, TEST_TIMEOUT, router};

/// The direction that is cut.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Direction {
    Request,
    Reply,
}

/// Starts a proxy that forwards this many bytes in one direction and all bytes in the other, and
/// then closes both connections.
async fn proxy(server: SocketAddr, direction: Direction, bytes: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let client = RawPeer::accept(&listener).await.stream;
        let server = TcpStream::connect(server).await.unwrap();
        let (mut client_in, mut client_out) = client.into_split();
        let (mut server_in, mut server_out) = server.into_split();
        let (mut asked, mut answered) = match direction {
            Direction::Request => (bytes, usize::MAX),
            Direction::Reply => (usize::MAX, bytes),
        };
        // As soon as one direction ends, both are dropped.
        tokio::select! {
            () = pass(&mut client_in, &mut server_out, &mut asked) => {}
            () = pass(&mut server_in, &mut client_out, &mut answered) => {}
        }
    });
    address
}

async fn pass<R, W>(from: &mut R, to: &mut W, left: &mut usize)
where
    R: tokio::io::AsyncRead + Unpin,
    W: tokio::io::AsyncWrite + Unpin,
{
    let mut buffer = [0; 4096];
    while *left > 0 {
        let most = buffer.len().min(*left);
        match from.read(&mut buffer[..most]).await {
            Ok(count @ 1..) => {
                *left -= count;
                if to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

/// Cuts at 20 positions, including the first and the last byte.
async fn check(
    name: &str,
    url: impl Fn(SocketAddr) -> String,
    server: &SessionServer,
    seen: &MethodCounters,
) {
    let (mut results, mut not_sent, mut unknown) = (0, 0, 0);
    for direction in [Direction::Request, Direction::Reply] {
        for step in 0..20_usize {
            let bytes = match step {
                0..10 => step,
                more => more * more - 90,
            };
            let address = proxy(server.address, direction, bytes).await;
            let before = seen.counted.get();
            let client = Client::builder(url(address)).timeout(TEST_TIMEOUT).build();
            let client = client.unwrap();
            let called = timeout(TEST_TIMEOUT, call!(client.count()).into_future()).await;
            let called: Result<(), _> = called.expect("it hangs");
            drop(client);
            server.until_open(0).await;
            let ran = seen.counted.get() - before;
            let context = format!("{name}, {direction:?} cut after {bytes}: ran {ran}, {called:?}");
            assert!(ran <= 1, "{context}");
            match called {
                Ok(()) => {
                    assert_eq!(ran, 1, "{context}");
                    results += 1;
                }
                Err(error) => match error.kind() {
                    ErrorKind::NotSent => {
                        assert_eq!(ran, 0, "{context}");
                        not_sent += 1;
                    }
                    ErrorKind::Unknown => unknown += 1,
                    _ => panic!("{context}"),
                },
            }
        }
    }
    assert_eq!(results + not_sent + unknown, 40);
    assert!(
        results > 0 && unknown > 0,
        "{name}: {results} {not_sent} {unknown}"
    );
}

#[tokio::test]
async fn cutting_line_framing_gives_a_true_outcome() {
    let seen = MethodCounters::default();
    let server = SessionServer::raw(Server::new(router(&seen))).await;
    check("lines", |at| format!("tcp://{at}"), &server, &seen).await;
}

#[tokio::test]
async fn cutting_header_framing_gives_a_true_outcome() {
    let seen = MethodCounters::default();
    let server = Server::new(router(&seen)).bind("tcp://127.0.0.1:0?framing=content-length");
    let server = SessionServer::bound(server).await;
    let url = |at| format!("tcp://{at}?framing=content-length");
    check("headed", url, &server, &seen).await;
}

/// Some of the cuts are within the handshake.
#[tokio::test]
async fn cutting_a_web_socket_gives_a_true_outcome() {
    let seen = MethodCounters::default();
    let server = SessionServer::bound(Server::new(router(&seen)).bind("127.0.0.1:0")).await;
    check("web sockets", |at| format!("ws://{at}"), &server, &seen).await;
}

/// Many calls are in flight when the connection is cut. A call that has run is never reported as
/// not sent.
#[tokio::test]
async fn no_call_that_ran_is_reported_as_not_sent() {
    for bytes in [1, 100, 1_000, 3_000, 5_000] {
        let seen = MethodCounters::default();
        let server = SessionServer::raw(Server::new(router(&seen))).await;
        let address = proxy(server.address, Direction::Request, bytes).await;
        let client = Client::builder(format!("tcp://{address}"));
        let client = client.timeout(TEST_TIMEOUT).build().unwrap();
        let possible = Arc::new(AtomicUsize::new(0));
        let calls: Vec<_> = (0..100)
            .map(|_| {
                let (client, possible) = (client.clone(), Arc::clone(&possible));
                tokio::spawn(async move {
                    let called: Result<(), _> = call!(client.count()).await;
                    if !matches!(
                        called.as_ref().map_err(|e| e.kind()),
                        Err(ErrorKind::NotSent)
                    ) {
                        possible.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for call in calls {
            timeout(TEST_TIMEOUT, call)
                .await
                .expect("it hangs")
                .unwrap();
        }
        drop(client);
        server.until_open(0).await;
        let (ran, possible) = (seen.counted.get(), possible.load(Ordering::Relaxed));
        assert!(ran <= possible, "{bytes}: {ran} ran, {possible} may have");
    }
}
