//! What streams have in common that carry messages, and what only sockets know.

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
#[cfg_attr(
    not(any(feature = "tcp", feature = "unix", feature = "ws")),
    allow(dead_code)
)]
fn says_gone(ready: impl Future<Output = std::io::Result<Ready>>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(ready).poll(&mut cx) {
        Poll::Ready(Ok(ready)) => ready.is_read_closed(),
        _ => false,
    }
}

#[cfg(any(feature = "tcp", feature = "ws", feature = "server"))]
impl Socket for tokio::net::TcpStream {
    fn is_hung_up(&self) -> bool {
        says_gone(self.ready(Interest::READABLE))
    }
}

#[cfg(all(unix, feature = "unix"))]
impl Socket for tokio::net::UnixStream {
    fn is_hung_up(&self) -> bool {
        says_gone(self.ready(Interest::READABLE))
    }
}

#[cfg(all(feature = "tls", feature = "server"))]
impl<S: Socket> Socket for tokio_rustls::server::TlsStream<S> {
    fn is_hung_up(&self) -> bool {
        self.get_ref().0.is_hung_up()
    }
}

#[cfg(all(feature = "tls", feature = "client"))]
impl<S: Socket> Socket for tokio_rustls::client::TlsStream<S> {
    fn is_hung_up(&self) -> bool {
        self.get_ref().0.is_hung_up()
    }
}

#[cfg(all(unix, feature = "stdio", feature = "server"))]
impl Socket for super::stdio::own::Stdio {}

#[cfg(all(feature = "stdio", feature = "client"))]
impl Socket for super::stdio::child::Pipes {}

/// A connection that HTTP has handed over without telling what it is made of.
#[cfg(all(feature = "ws", feature = "server"))]
impl Socket for hyper_util::rt::TokioIo<hyper::upgrade::Upgraded> {}

#[cfg(test)]
impl Socket for tokio::io::DuplexStream {}
