//! The client's own transport: a pool of HTTP connections over TCP or a Unix socket.

use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::http::{Exchange, Via};

/// How long a connection may take to come about.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection is kept without use: less than the 75 s after which servers commonly
/// close it, so that a call seldom meets a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How many unused connections are kept.
const MAX_IDLE: usize = 128;

/// Header block and read buffer of one connection, in bytes.
const MAX_BUFFER: usize = 64 * 1024;

/// A pool of connections over TCP.
pub(super) fn tcp(http2: bool) -> Box<dyn Exchange> {
    let client: Client<_, super::Body> = pool(http2).build(connector());
    Box::new(Via(client))
}

pub(super) fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector
}

pub(super) fn pool(http2: bool) -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .http2_only(http2)
        .http1_max_buf_size(MAX_BUFFER)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(MAX_IDLE)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new());
    builder
}

/// Whether this is, or comes from, the failure to get a connection.
pub(super) fn is_connect(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.downcast_ref().is_some_and(Error::is_connect))
}

#[cfg(unix)]
pub(super) use unix::unix;

#[cfg(unix)]
mod unix {
    use std::io;
    use std::path::PathBuf;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioIo;
    use tokio::net::UnixStream;
    use tower_service::Service;

    use super::{CONNECT_TIMEOUT, Exchange, Via, pool};

    /// A pool of connections to a Unix socket.
    pub(in super::super) fn unix(socket: PathBuf, http2: bool) -> Box<dyn Exchange> {
        let client: Client<_, super::super::Body> = pool(http2).build(Connector { socket });
        Box::new(Via(client))
    }

    #[derive(Clone)]
    struct Connector {
        socket: PathBuf,
    }

    impl Service<http::Uri> for Connector {
        type Response = TokioIo<UnixStream>;
        type Error = io::Error;
        type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        /// The URI says nothing here: one client has one socket.
        fn call(&mut self, _: http::Uri) -> Self::Future {
            let connecting = UnixStream::connect(self.socket.clone());
            Box::pin(async move {
                let stream = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await??;
                Ok(TokioIo::new(stream))
            })
        }
    }
}
