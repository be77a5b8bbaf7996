//! Pools of HTTP connections over TCP or a Unix socket.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower_service::Service;

use super::metered_socket::{MeteredSocket, Version};
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
    let (tcp, version) = (connector(), version(http2));
    let client: Client<_, Body> = pool(http2).build(TcpConnector { tcp, version });
    Box::new(ServiceExchange(client))
}

/// The version of a connection.
pub(super) fn version(http2: bool) -> Version {
    match http2 {
        true => Version::Http2,
        false => Version::Http1,
    }
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
    let version = version(http2);
    let client: Client<_, Body> = pool(http2).build(UnixConnector { socket, version });
    Ok(Box::new(ServiceExchange(client)))
}

#[derive(Clone)]
struct TcpConnector {
    tcp: HttpConnector,
    version: Version,
}

impl Service<http::Uri> for TcpConnector {
    type Response = TokioIo<MeteredSocket<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: http::Uri) -> Self::Future {
        let (connecting, version) = (self.tcp.call(uri), self.version);
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            Ok(TokioIo::new(MeteredSocket::new(stream, version)))
        })
    }
}

#[derive(Clone)]
struct UnixConnector {
    socket: PathBuf,
    version: Version,
}

impl Service<http::Uri> for UnixConnector {
    type Response = TokioIo<MeteredSocket<UnixStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ignores the URI: one client has one socket.
    fn call(&mut self, _: http::Uri) -> Self::Future {
        let (socket, version) = (self.socket.clone(), self.version);
        Box::pin(async move {
            let stream = unix::connect(&socket).await?;
            Ok(TokioIo::new(MeteredSocket::new(stream, version)))
        })
    }
}
