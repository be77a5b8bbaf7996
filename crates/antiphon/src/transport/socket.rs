//! Sockets: what all byte streams have in common.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, Interest, Ready};

/// A byte stream that a wire can be made of.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether the other end is known to have gone, although what it sent has not been read yet.
    fn is_hung_up(&self) -> bool {
        false
    }
}

/// What a readiness that is there already says; whoever asks does not wait for one.
pub(super) fn says_gone(ready: impl Future<Output = std::io::Result<Ready>>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(ready).poll(&mut cx) {
        Poll::Ready(Ok(ready)) => ready.is_read_closed(),
        _ => false,
    }
}

impl Socket for tokio::net::TcpStream {
    fn is_hung_up(&self) -> bool {
        says_gone(self.ready(Interest::READABLE))
    }
}

#[cfg(test)]
impl Socket for tokio::io::DuplexStream {}
