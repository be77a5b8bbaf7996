//! One HTTP connection from its first byte to its last.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::transport::http::body::{Body, Tracked};
use crate::transport::http::clock::{Clock, InRequest, Phases, Timed, Version};
use crate::transport::http::service::{Caller, HttpService};

/// What answers requests: the service itself, or layers around it.
#[derive(Clone)]
pub(crate) enum Entry {
    Plain(HttpService),
    Layered(Layered),
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "HttpService",
            Self::Layered(_) => "HttpService with layers",
        })
    }
}

/// A service with HTTP layers, of whatever type.
pub(crate) type Layered = Arc<
    dyn Fn(Request<Body>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + Sync,
>;

/// What all connections of a server share.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) entry: Entry,
    pub(crate) phases: Phases,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

/// Bounds that hyper keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    pub(crate) max_headers: usize,
    pub(crate) max_header_size: usize,
    pub(crate) max_streams: u32,
}

impl Http {
    pub(crate) fn new(entry: Entry, phases: Phases, limits: HeadLimits) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .header_read_timeout(None) // the clock around the socket has it
            .max_headers(limits.max_headers)
            .max_header_size(limits.max_header_size)
            .max_buf_size(limits.max_header_size.max(64 * 1024))
            .pipeline_flush(true);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        let ping = std::time::Duration::from_secs(20);
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.max_streams)
            .max_header_list_size(u32::try_from(limits.max_header_size).unwrap_or(u32::MAX))
            .max_send_buf_size(64 * 1024)
            .keep_alive_interval(ping)
            .keep_alive_timeout(ping);
        Self {
            entry,
            phases,
            http1,
            http2,
        }
    }

    /// Serves a connection until it ends, or until the server stops and its last answer is sent.
    pub(crate) async fn serve<S>(self, socket: S, caller: Caller, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let clock = Clock::new(self.phases);
        let mut socket = Timed::new(socket, Arc::clone(&clock));
        let connection = Arc::clone(&caller.connection);
        let version = tokio::select! {
            version = socket.sniff() => version,
            // Nothing has come yet; what is on its way comes within the time for the last byte.
            () = stop.cancelled() => {
                let patience = std::time::Duration::from_millis(100);
                match tokio::time::timeout(patience, socket.sniff()).await {
                    Ok(version) => version,
                    Err(_) => return,
                }
            }
        };
        let ended = match version {
            Err(error) => Err(error.to_string()),
            Ok(Version::Http1) => self.serve_http1(socket, &caller, &clock, stop).await,
            Ok(Version::Http2) => self.serve_http2(socket, &caller, &clock, stop).await,
        };
        if let Err(reason) = ended {
            let id = connection.id;
            tracing::debug!(connection = id, "the connection broke off: {reason}");
        }
        connection.close();
    }

    async fn serve_http1<S>(
        &self,
        socket: Timed<S>,
        caller: &Caller,
        clock: &Arc<Clock>,
        stop: CancellationToken,
    ) -> Result<(), String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| self.answer(request, caller, clock));
        let mut serving = pin!(self.http1.serve_connection(TokioIo::new(socket), service));
        tokio::select! {
            ended = serving.as_mut() => return ended.map_err(|error| error.to_string()),
            () = stop.cancelled() => clock.drain(),
        }
        serving.await.map_err(|error| error.to_string())
    }

    async fn serve_http2<S>(
        &self,
        socket: Timed<S>,
        caller: &Caller,
        clock: &Arc<Clock>,
        stop: CancellationToken,
    ) -> Result<(), String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        clock.multiplexed();
        let (this, caller, of) = (self.clone(), caller.clone(), Arc::clone(clock));
        // hyper runs each stream as a task of its own, so the service owns what it needs.
        let service = service_fn(move |request| {
            let (this, caller, clock) = (this.clone(), caller.clone(), Arc::clone(&of));
            async move { this.answer(request, &caller, &clock).await }
        });
        let mut serving = pin!(self.http2.serve_connection(TokioIo::new(socket), service));
        tokio::select! {
            ended = serving.as_mut() => return ended.map_err(|error| error.to_string()),
            () = stop.cancelled() => {
                clock.drain();
                serving.as_mut().graceful_shutdown();
            }
        }
        serving.await.map_err(|error| error.to_string())
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        caller: &Caller,
        clock: &Arc<Clock>,
    ) -> Result<Response<Tracked<InRequest>>, Infallible> {
        let guard = clock.request();
        let version = request.version();
        let mut response = match &self.entry {
            Entry::Plain(service) => service.answer(request, caller).await,
            Entry::Layered(layered) => {
                request.extensions_mut().insert(caller.clone());
                layered(request.map(Body::from)).await
            }
        };
        if clock.is_draining() && version < http::Version::HTTP_2 {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if version >= http::Version::HTTP_2 {
            response.headers_mut().remove(CONNECTION);
        }
        Ok(response.map(|body| Tracked {
            body,
            _guard: guard,
        }))
    }
}
