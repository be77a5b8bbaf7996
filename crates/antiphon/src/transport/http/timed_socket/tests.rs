//! Deadlines of each phase below hyper.

use super::*;
use crate::memory_budget::Account;
use crate::transport::http::deadlines::Timeouts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

const TIMEOUTS: Timeouts = Timeouts {
    header: Some(Duration::from_secs(10)),
    idle: Some(Duration::from_secs(75)),
    write: Some(Duration::from_secs(30)),
};

fn pair(
    buffer: usize,
) -> (
    tokio::io::DuplexStream,
    TimedSocket<tokio::io::DuplexStream>,
    Arc<Clock>,
) {
    let (peer, socket) = tokio::io::duplex(buffer);
    let clock = Clock::new(TIMEOUTS, Account::unlimited());
    (peer, TimedSocket::new(socket, Arc::clone(&clock)), clock)
}

/// Seconds until a read fails with `TimedOut`.
async fn seconds_to_error(socket: &mut TimedSocket<tokio::io::DuplexStream>) -> u64 {
    let began = Instant::now();
    let mut byte = [0];
    loop {
        match socket.read(&mut byte).await {
            Ok(1) => {}
            Ok(_) => panic!("the peer has closed"),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::TimedOut);
                return began.elapsed().as_secs();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_socket_is_cut_after_the_time_for_a_head() {
    let (_peer, mut socket, _clock) = pair(64);
    assert_eq!(seconds_to_error(&mut socket).await, 10);
}

#[tokio::test(start_paused = true)]
async fn dripping_bytes_do_not_prolong_a_head() {
    let (mut peer, mut socket, _clock) = pair(64);
    tokio::spawn(async move {
        while peer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    });
    assert_eq!(seconds_to_error(&mut socket).await, 10);
}

#[tokio::test(start_paused = true)]
async fn a_second_head_has_the_same_time_as_the_first() {
    let (mut peer, mut socket, clock) = pair(64);
    drop(clock.request());
    peer.write_all(b"P").await.unwrap();
    assert_eq!(seconds_to_error(&mut socket).await, 10);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_lives_longer_and_a_busy_one_for_ever() {
    let (_peer, mut socket, clock) = pair(64);
    let request = clock.request();
    let mut byte = [0];
    let hour = Duration::from_secs(3600);
    assert!(
        tokio::time::timeout(hour, socket.read(&mut byte))
            .await
            .is_err()
    );
    drop(request);
    assert_eq!(seconds_to_error(&mut socket).await, 75);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_cut() {
    let (_peer, mut socket, clock) = pair(8);
    let _request = clock.request();
    let began = Instant::now();
    let error = socket.write_all(&[0; 64]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert_eq!(began.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_a_byte_a_second_is_cut() {
    for (bytes, expected) in [(1, 30), (512, 59), (1020, 0)] {
        let (mut peer, mut socket, clock) = pair(2048);
        let _request = clock.request();
        tokio::spawn(async move {
            let mut buffer = vec![0; bytes];
            while peer.read_exact(&mut buffer).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let began = Instant::now();
        let written = socket.write_all(&[0; 1_000_000]).await;
        match expected {
            // It takes 1000 seconds and uses up four of the thirty.
            0 => assert!(written.is_ok(), "{bytes}"),
            _ => {
                assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
                assert_eq!(began.elapsed().as_secs(), expected, "{bytes}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_idle_time_begins_also_if_a_read_waits_already() {
    let (_peer, mut socket, clock) = pair(64);
    let request = clock.request();
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_secs(1), socket.read(&mut byte));
    assert!(read.await.is_err());
    drop(request);
    let began = Instant::now();
    // As hyper does: it flushes, and reads no more before it is woken.
    let mut is_flushed = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut is_flushed, true) {
            return Poll::Ready(());
        }
        let flushed = Pin::new(&mut socket).poll_flush(cx);
        assert!(matches!(flushed, Poll::Ready(Ok(()))));
        Poll::Pending
    })
    .await;
    assert_eq!(began.elapsed().as_secs(), 75);
    let error = socket.read(&mut byte).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

/// A socket that never shuts down, as under TLS if the peer does not read.
struct Stuck;

impl AsyncRead for Stuck {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Stuck {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn shutting_down_has_a_deadline() {
    let mut socket = TimedSocket::new(Stuck, Clock::new(TIMEOUTS, Account::unlimited()));
    let began = Instant::now();
    socket.shutdown().await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_draining_connection_waits_for_a_byte_on_its_way_only() {
    let (_peer, mut socket, clock) = pair(64);
    drop(clock.request());
    clock.drain();
    assert_eq!(seconds_to_error(&mut socket).await, 0);
}

#[tokio::test]
async fn the_protocol_is_told_by_the_first_bytes_and_they_are_read_again() {
    for (sent, expected) in [
        (&PREFACE[..], Version::Http2),
        (b"POST / HTTP/1.1\r\n", Version::Http1),
        (b"PRI * HTTP/1.1\r\n", Version::Http1),
    ] {
        let (mut peer, mut socket, _clock) = pair(64);
        for byte in sent {
            peer.write_all(&[*byte]).await.unwrap();
        }
        assert_eq!(socket.sniff().await.unwrap(), expected);
        drop(peer);
        let mut all = Vec::new();
        socket.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, sent);
    }
}

/// A socket whose input the runtime tells late.
struct Late(tokio::io::DuplexStream, Pin<Box<Sleep>>);

impl AsyncRead for Late {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.1.as_mut().poll(cx));
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Late {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_arrived_in_time_is_read_though_it_is_told_late() {
    let told = |after: Duration| {
        let (mut peer, socket) = tokio::io::duplex(64);
        let clock = Clock::new(TIMEOUTS, Account::unlimited());
        drop(clock.request());
        clock.drain();
        let socket = Late(socket, Box::pin(tokio::time::sleep(after)));
        let mut socket = TimedSocket::new(socket, clock);
        async move {
            peer.write_all(b"POST").await.unwrap();
            let mut bytes = [0; 8];
            let read = socket.read(&mut bytes).await.map_err(|error| error.kind());
            drop(peer);
            read
        }
    };
    let just = Duration::from_millis(101);
    assert_eq!(told(just).await, Ok(4));
    let late = Duration::from_millis(110);
    assert_eq!(told(late).await, Err(io::ErrorKind::TimedOut));
}
