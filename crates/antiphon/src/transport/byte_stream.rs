//! The trait that all byte streams implement.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, Interest, Ready};

use crate::identity::UnixPeer;

/// A byte stream that can carry the messages of a session.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether the peer is known to have closed its end, even if data from it has not been read
    /// yet.
    fn is_hung_up(&self) -> bool {
        false
    }

    /// The certificate that the peer has shown in a TLS handshake, in DER.
    fn peer_certificate(&self) -> Option<Arc<[u8]>> {
        None
    }

    /// The process at the other end of a Unix socket.
    fn unix_peer(&self) -> Option<UnixPeer> {
        None
    }
}

/// Whether the readiness reports a closed read side. Polls once and does not wait.
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
