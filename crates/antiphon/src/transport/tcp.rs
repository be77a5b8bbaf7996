//! TCP connections of clients.
//!
//! A name is looked up again for each connection, but not twice at the same time. Its addresses are tried in turn, one of each
//! family after the other, so that a family that does not work here costs little time (RFC 8305).

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::lookup::addresses;

/// Timeout for connecting, including the name lookup.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an address may be silent before the next one is tried as well.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// Connects to the first address of the name that answers.
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let connecting = async {
        let found = addresses(host, port).await?;
        race(interleave(found.into_iter()), TcpStream::connect).await
    };
    let stream = timeout(CONNECT_TIMEOUT, connecting).await??;
    // Messages are written whole, so Nagle's algorithm would only add latency.
    stream.set_nodelay(true)?;
    // A connection without it lasts.
    let _ = keep_alive(&stream);
    Ok(stream)
}

/// Makes the system notice a server that has vanished without an end: one that is silent is probed, and
/// one that takes neither probes nor what was sent is given up.
#[cfg(target_os = "linux")]
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;

    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(20))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(10))?;
    // In milliseconds. A session has less patience with a server that takes nothing.
    sockopt::set_tcp_user_timeout(stream, 60_000)?;
    Ok(())
}

/// Elsewhere the system has its own times, if any.
#[cfg(not(target_os = "linux"))]
fn keep_alive(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

/// Addresses of both families in turn. The first one stays the first.
fn interleave(found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut found = found.peekable();
    let first_family = found.peek().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = found.partition(|at| at.is_ipv6() == first_family);
    let mut in_turn = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return in_turn;
        }
        in_turn.extend(pair.into_iter().flatten());
    }
}

/// Connects to the first address that answers. The next one is tried when the last one has failed,
/// or has not answered for a while; then both may win.
///
/// # Errors
///
/// The first failure, if all addresses have failed.
async fn race<S, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> io::Result<S>
where
    F: Future<Output = io::Result<S>>,
{
    let mut addresses = addresses.into_iter();
    let mut attempts: Vec<Pin<Box<F>>> = Vec::new();
    let mut failure = None;
    let mut pause = pin!(sleep(NEXT_ADDRESS));
    poll_fn(|cx| {
        loop {
            let (mut index, mut has_failed) = (0, attempts.is_empty());
            while let Some(attempt) = attempts.get_mut(index) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                    Poll::Ready(Err(error)) => {
                        drop(attempts.remove(index));
                        failure.get_or_insert(error);
                        has_failed = true;
                    }
                    Poll::Pending => index += 1,
                }
            }
            if !has_failed && pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            match addresses.next() {
                Some(address) => {
                    attempts.push(Box::pin(connect(address)));
                    pause.as_mut().reset(Instant::now() + NEXT_ADDRESS);
                }
                None if attempts.is_empty() => {
                    return Poll::Ready(Err(failure.take().unwrap_or_else(no_address)));
                }
                None => return Poll::Pending,
            }
        }
    })
    .await
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the name has no address")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<SocketAddr> {
        let parse = |part: &str| SocketAddr::new(part.parse().unwrap(), 1);
        text.split_whitespace().map(parse).collect()
    }

    #[test]
    fn the_families_are_tried_in_turn() {
        for (found, expected) in [
            ("", ""),
            ("10.0.0.1", "10.0.0.1"),
            ("::1 ::2 10.0.0.1 10.0.0.2", "::1 10.0.0.1 ::2 10.0.0.2"),
            ("10.0.0.1 ::1 ::2 ::3", "10.0.0.1 ::1 ::2 ::3"),
            ("10.0.0.2 10.0.0.1 ::1", "10.0.0.2 ::1 10.0.0.1"),
        ] {
            let order = interleave(parsed(found).into_iter());
            assert_eq!(order, parsed(expected), "{found}");
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_system_watches_over_connections() {
        use rustix::net::sockopt;

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = connect("127.0.0.1", port).await.unwrap();
        assert!(sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap().as_secs(), 20);
        assert_eq!(sockopt::tcp_user_timeout(&stream).unwrap(), 60_000);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_address_that_answers_is_used() {
        // What each address does after so many milliseconds, which one wins, and when.
        type Script = &'static [(u64, bool)];
        const NEVER: u64 = u64::MAX;
        let table: [(Script, Option<usize>, u64); 9] = [
            (&[(10, true)], Some(0), 10),
            (&[(10, true), (0, true)], Some(0), 10),
            (&[(10, false), (5, true)], Some(1), 15),
            (&[(0, false), (0, true)], Some(1), 0),
            (&[(NEVER, true), (5, true)], Some(1), 255),
            (&[(260, true), (50, true)], Some(0), 260),
            (&[(NEVER, true), (10, false), (5, true)], Some(2), 265),
            (&[(10, false), (300, false)], None, 310),
            (&[], None, 0),
        ];
        for (row, (script, winner, after)) in table.into_iter().enumerate() {
            let all: Vec<_> = (0..script.len())
                .map(|n| SocketAddr::from(([127, 0, 0, 1], u16::try_from(n).unwrap())))
                .collect();
            let begun = Instant::now();
            let outcome = race(all, |address| async move {
                let n = usize::from(address.port());
                let (millis, answers) = script[n];
                match millis {
                    NEVER => std::future::pending().await,
                    millis => sleep(Duration::from_millis(millis)).await,
                }
                let failed = || io::Error::other(n.to_string());
                answers.then_some(n).ok_or_else(failed)
            });
            let outcome = outcome.await;
            assert_eq!(begun.elapsed().as_millis(), u128::from(after), "row {row}");
            match winner {
                Some(winner) => assert_eq!(outcome.unwrap(), winner, "row {row}"),
                None if script.is_empty() => {
                    assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::NotFound);
                }
                None => assert_eq!(outcome.unwrap_err().to_string(), "0", "row {row}"),
            }
        }
    }
}
