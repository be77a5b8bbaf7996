//! Pools of HTTP connections over TCP or a Unix socket.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::legacy::{Builder, Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service;

use crate::client::Body;
use crate::client::http::{Exchange, ServiceExchange};
use crate::router::BoxError;
use crate::transport::unix::{self, UnixStream};

/// Timeout of connecting.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept: less than the 75 s after which servers commonly close it,
/// so that a call rarely picks a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How many idle connections are kept.
const MAX_IDLE: usize = 128;

/// The most bytes for the header block and read buffer of one connection.
const MAX_BUFFER: usize = 64 * 1024;

/// A pool of connections over TCP.
pub(super) fn plain(http2: bool) -> Box<dyn Exchange> {
    let client: Client<_, Body> = pool(http2).build(connector());
    Box::new(ServiceExchange(client))
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

/// Whether this error, or one of its sources, is a failure to connect.
pub(in crate::client) fn is_connect(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.downcast_ref().is_some_and(Error::is_connect))
}

/// A pool of connections to a Unix socket.
pub(in crate::client) fn unix(socket: PathBuf, http2: bool) -> Result<Box<dyn Exchange>, BoxError> {
    let client: Client<_, Body> = pool(http2).build(UnixConnector { socket });
    Ok(Box::new(ServiceExchange(client)))
}

#[derive(Clone)]
struct UnixConnector {
    socket: PathBuf,
}

/// A connection to a Unix socket, with the traits that the pool needs.
struct UnixConnection(UnixStream);

impl Service<http::Uri> for UnixConnector {
    type Response = TokioIo<UnixConnection>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ignores the URI: one client has one socket.
    fn call(&mut self, _: http::Uri) -> Self::Future {
        let socket = self.socket.clone();
        Box::pin(async move { Ok(TokioIo::new(UnixConnection(unix::connect(&socket).await?))) })
    }
}

impl Connection for UnixConnection {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for UnixConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for UnixConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
