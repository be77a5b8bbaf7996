//! Serves an HTTP connection from its first byte to its last.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use http::header::{CONNECTION, COOKIE, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;

use crate::error::{IncidentScope, guard};
use crate::session::event_loop::SessionFuture;
use crate::session::last_look::LastLook;
use crate::shutdown::Shutdown;
use crate::transport::byte_stream::Socket;
use crate::transport::http::answer_call::{ResponseFuture, now};
use crate::transport::http::body::Body;
use crate::transport::http::body_framing::WireCounter;
use crate::transport::http::caller::Caller;
use crate::transport::http::deadlines::{Clock, InRequest, LAST_BYTE, Timeouts};
use crate::transport::http::reply;
use crate::transport::http::service::HttpService;
use crate::transport::http::session_place::SessionPlace;
use crate::transport::http::timed_socket::{TimedSocket, Version};
use crate::transport::http::tracked_body::Tracked;
use crate::transport::http::upgrade::UpgradeSlot;

/// The handler of requests: the service itself, or the service inside HTTP layers.
#[derive(Clone)]
pub(crate) enum HttpHandler {
    Plain(HttpService),
    Layered(Layered),
}

impl std::fmt::Debug for HttpHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "HttpService",
            Self::Layered(_) => "HttpService with layers",
        })
    }
}

impl HttpHandler {
    /// The handler of a request with these headers: without the layers that have nothing to do for it.
    pub(crate) fn of_request(&self, headers: &HeaderMap) -> &Self {
        let mut handler = self;
        while let Self::Layered(layered) = handler
            && layered
                .condition
                .as_ref()
                .is_some_and(|applies| !applies(headers))
        {
            handler = &layered.inside;
        }
        handler
    }
}

/// A service inside an HTTP layer, with its type erased.
#[derive(Clone)]
pub(crate) struct Layered {
    pub(crate) service: LayeredService,
    /// Whether the layer has something to do for a request with these headers; `None` if it always has.
    pub(crate) condition: Option<Condition>,
    /// The handler that the layer wraps.
    pub(crate) inside: Arc<HttpHandler>,
}

/// Whether a layer has something to do for a request with these headers.
pub(crate) type Condition = Arc<dyn Fn(&HeaderMap) -> bool + Send + Sync>;

/// An HTTP layer around its service, with its type erased.
pub(crate) type LayeredService = Arc<
    dyn Fn(Request<Body>) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> + Send + Sync,
>;

/// State shared by all HTTP connections of a server.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    pub(crate) entry: HttpHandler,
    pub(crate) timeouts: Timeouts,
    /// Whether callers count as local unless their requests came through a proxy.
    pub(crate) local: bool,
    max_headers: usize,
    /// How many bytes before and behind a body may count as a part of it: its head, and what
    /// hyper's buffer has read ahead.
    max_unseen: usize,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

/// Limits that hyper enforces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    pub(crate) max_headers: usize,
    pub(crate) max_header_size: usize,
    pub(crate) max_streams: u32,
}

impl Http {
    pub(crate) fn new(
        entry: HttpHandler,
        local: bool,
        timeouts: Timeouts,
        limits: HeadLimits,
    ) -> Self {
        let max_buffer = limits.max_header_size.max(64 * 1024);
        let mut http1 = http1::Builder::new();
        http1
            .header_read_timeout(None) // `TimedSocket` enforces it
            .max_headers(limits.max_headers)
            .max_header_size(limits.max_header_size)
            .max_buf_size(max_buffer)
            // Head and body leave in one write, and the body is not copied: hyper would keep the
            // memory of the largest copy for the life of the connection. `pipeline_flush` would
            // hold a response back while part of the next request is in the buffer.
            .writev(true);
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
            local,
            timeouts,
            max_headers: limits.max_headers,
            // The buffer may double when it grows for the last time.
            max_unseen: limits.max_header_size + 2 * max_buffer,
            http1,
            http2,
        }
    }

    /// Serves a connection until it ends, or until the server stops and the last response is sent.
    /// If the connection was upgraded, returns its session, which the caller has to drive.
    pub(crate) async fn serve<S>(
        self,
        socket: S,
        caller: Caller,
        place: Weak<dyn SessionPlace>,
        shutdown: Shutdown,
    ) -> Option<SessionFuture>
    where
        S: Socket,
    {
        let slot = UpgradeSlot::new(place);
        let clock = Clock::new(self.timeouts, Arc::clone(&caller.connection.memory));
        let caller = Arc::new(Caller {
            slot: Some(slot.clone()),
            wire: Some(WireCounter::new(&clock, self.max_unseen)),
            ..caller
        });
        let mut socket = TimedSocket::new(socket, Arc::clone(&clock));
        let ended = match first_bytes(&mut socket, &shutdown).await {
            Ok(Version::Http1) => self.serve_http1(socket, &caller, &clock, &shutdown).await,
            Ok(Version::Http2) => self.serve_http2(socket, &caller, &clock, &shutdown).await,
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = ended {
            let id = caller.connection.id;
            tracing::debug!(connection = id, "the connection broke off: {reason}");
        }
        caller.connection.close();
        slot.take::<S>(shutdown).await
    }

    async fn serve_http1<S>(
        &self,
        socket: TimedSocket<S>,
        caller: &Arc<Caller>,
        clock: &Arc<Clock>,
        shutdown: &Shutdown,
    ) -> Result<(), String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if shutdown.is_stopping() {
            clock.drain();
        }
        let service = service_fn(|request| self.answer(request, caller, clock, shutdown));
        let serving = self.http1.serve_connection(TokioIo::new(socket), service);
        let serving = serving.with_upgrades();
        let mut serving = pin!(serving);
        if let Some(ended) = shutdown.until_stopped(serving.as_mut()).await {
            return ended.map_err(|error| error.to_string());
        }
        clock.drain();
        finished(shutdown.until_killed(serving).await)
    }

    async fn serve_http2<S>(
        &self,
        socket: TimedSocket<S>,
        caller: &Arc<Caller>,
        clock: &Arc<Clock>,
        shutdown: &Shutdown,
    ) -> Result<(), String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        clock.multiplexed();
        // hyper spawns a task for each stream, so the state that requests need is shared.
        let shared = Arc::new((
            self.clone(),
            Arc::clone(caller),
            Arc::clone(clock),
            shutdown.clone(),
        ));
        let service = service_fn(move |request| {
            let shared = Arc::clone(&shared);
            async move {
                let (http, caller, clock, shutdown) = &*shared;
                http.answer(request, caller, clock, shutdown).await
            }
        });
        let mut serving = pin!(self.http2.serve_connection(TokioIo::new(socket), service));
        if let Some(ended) = shutdown.until_stopped(serving.as_mut()).await {
            return ended.map_err(|error| error.to_string());
        }
        clock.drain();
        serving.as_mut().graceful_shutdown();
        finished(shutdown.until_killed(serving).await)
    }

    /// The handler of a request; `None` if the condition of a layer panics.
    fn handler(&self, request: &Request<Incoming>, caller: &Arc<Caller>) -> Option<&HttpHandler> {
        if let HttpHandler::Plain(_) = self.entry {
            return Some(&self.entry);
        }
        let scope = IncidentScope::enter();
        let found = guard(PANICKED, || self.entry.of_request(request.headers()));
        scope.log_caller(|| {
            caller
                .connection
                .caller_id(caller.client(request.headers()))
        });
        found.ok()
    }

    fn answer<'a>(
        &'a self,
        mut request: Request<Incoming>,
        caller: &'a Arc<Caller>,
        clock: &Arc<Clock>,
        shutdown: &'a Shutdown,
    ) -> Answering<'a> {
        let guard = Some(clock.request());
        let multiplexed = request.version() >= http::Version::HTTP_2;
        // Over HTTP/1 hyper counts them, over HTTP/2 nobody does.
        let response = if multiplexed && has_more_fields(request.headers(), self.max_headers) {
            now(reply::empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE))
        } else {
            match self.handler(&request, caller) {
                Some(HttpHandler::Plain(service)) => service.answer(request, caller),
                Some(HttpHandler::Layered(layered)) => {
                    request.extensions_mut().insert(Arc::clone(caller));
                    Box::pin(through(&layered.service, request, caller))
                }
                None => now(reply::empty(StatusCode::INTERNAL_SERVER_ERROR)),
            }
        };
        Answering {
            response,
            guard,
            multiplexed,
            shutdown,
        }
    }
}

/// The future of a response, which it completes with what concerns the connection.
struct Answering<'a> {
    response: ResponseFuture<'a>,
    /// `None` once it has responded.
    guard: Option<InRequest>,
    multiplexed: bool,
    shutdown: &'a Shutdown,
}

impl Future for Answering<'_> {
    type Output = Result<Response<Tracked>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = ready!(self.response.as_mut().poll(cx));
        if self.multiplexed {
            response.headers_mut().remove(CONNECTION);
        } else if self.shutdown.is_stopping() {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        match self.guard.take() {
            Some(guard) => Poll::Ready(Ok(response.map(|body| Tracked::new(body, guard)))),
            None => Poll::Pending,
        }
    }
}

/// The log message for a panic in a layer, or in its condition.
const PANICKED: &str = "an HTTP layer panicked";

/// Whether there are more fields than that. The parts into which HTTP/2 clients split `Cookie` count
/// as the one field that they are (RFC 9113, section 8.2.3).
fn has_more_fields(headers: &HeaderMap, max: usize) -> bool {
    headers.len() > max && {
        let parts_of_cookie = headers.get_all(COOKIE).iter().count();
        headers.len() - parts_of_cookie.saturating_sub(1) > max
    }
}

/// Calls the HTTP layers. If a layer panics, the response is 500 and the connection stays open.
async fn through(
    layered: &LayeredService,
    request: Request<Incoming>,
    caller: &Arc<Caller>,
) -> Response<Body> {
    let client = caller.client(request.headers());
    let mut request = Some(request);
    let mut response = None;
    let responded = poll_fn(|cx| {
        let scope = IncidentScope::enter();
        let polled = guard(PANICKED, || {
            if let Some(request) = request.take() {
                response = Some(layered(request.map(Body::from)));
            }
            match response.as_mut() {
                Some(response) => response.as_mut().poll(cx),
                None => Poll::Pending,
            }
        });
        scope.log_caller(|| caller.connection.caller_id(client));
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(error) => Poll::Ready(Err(error)),
        }
    });
    let responded = responded.await;
    responded.unwrap_or_else(|_| reply::empty(StatusCode::INTERNAL_SERVER_ERROR))
}

/// Detects the protocol version. If the server stops before any byte has arrived, the connection
/// waits [`LAST_BYTE`] for bytes in transit. If some bytes have arrived, the timeout for a head
/// applies.
async fn first_bytes<S>(socket: &mut TimedSocket<S>, shutdown: &Shutdown) -> io::Result<Version>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(version) = shutdown.until_stopped(pin!(socket.sniff())).await {
        return version;
    }
    let (mut sleeping, mut last_look) = (pin!(sleep(LAST_BYTE)), LastLook::default());
    let version = poll_fn(|cx| {
        if let Poll::Ready(version) = pin!(socket.sniff()).poll(cx) {
            return Poll::Ready(Some(version));
        }
        ready!(sleeping.as_mut().poll(cx));
        last_look.poll(cx).map(|()| None)
    });
    match version.await {
        Some(version) => version,
        None if socket.has_begun() => socket.sniff().await,
        None => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// The result of a connection that ended after the server was told to stop; `None` means it was cut
/// off.
fn finished(ended: Option<hyper::Result<()>>) -> Result<(), String> {
    match ended {
        Some(ended) => ended.map_err(|error| error.to_string()),
        None => Err("the server has cut it".to_owned()),
    }
}
