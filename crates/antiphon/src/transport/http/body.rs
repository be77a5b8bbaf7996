//! Bodies: read within bounds of size and time, written at once.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::ready;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::StatusCode;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, sleep};

use crate::router::BoxError;
use crate::transport::http::clock::InRequest;
use crate::transport::http::events::Events;
use crate::transport::http::reply::Refusal;

/// The body of a request or a response.
///
/// A response's body is there as a whole, unless it is an event stream. A request's body that [`Server`](crate::Server) hands to
/// an HTTP layer streams in.
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Whole(Bytes),
    Events(Box<Events>),
    Incoming(hyper::body::Incoming),
    /// What an HTTP layer has made of a response.
    Layered(http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }
}

impl From<Events> for Body {
    fn from(events: Events) -> Self {
        Self(Kind::Events(Box::new(events)))
    }
}

impl From<hyper::body::Incoming> for Body {
    fn from(incoming: hyper::body::Incoming) -> Self {
        Self(Kind::Incoming(incoming))
    }
}

impl Body {
    pub(crate) fn layered<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        use http_body_util::BodyExt as _;
        Self(Kind::Layered(body.map_err(Into::into).boxed_unsync()))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Kind::Events(events) => {
                let next = events.poll_next(cx);
                next.map(|text| text.map(|text| Ok(Frame::data(text))))
            }
            Kind::Incoming(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
            Kind::Layered(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Events(_) => false,
            Kind::Incoming(body) => body.is_end_stream(),
            Kind::Layered(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Events(_) => SizeHint::default(),
            Kind::Incoming(body) => body.size_hint(),
            Kind::Layered(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("size", &self.size_hint().exact())
            .finish()
    }
}

/// The room for request bodies that have not arrived whole, shared by all connections.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    left: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(Shared {
            left: AtomicUsize::new(bytes),
        }))
    }

    fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| left.checked_sub(bytes);
        self.0
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

/// What one body holds of the budget, until its call is answered.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Budget,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.0.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// The bounds of one body.
#[derive(Clone, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) max: usize,
    pub(crate) timeout: Option<Duration>,
    pub(crate) budget: Budget,
}

/// After this time a body must have arrived at [`MIN_RATE`].
const GRACE: Duration = Duration::from_secs(5);
/// Bytes in a second.
const MIN_RATE: u64 = 1024;

/// Reads a body. One that arrives in one piece is not copied, and needs no timer.
pub(crate) async fn read<B>(body: B, limits: &BodyLimits) -> Result<(Bytes, Held), Refusal>
where
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    if body.size_hint().lower() > limits.max as u64 {
        return Err(too_large());
    }
    let mut body = pin!(body);
    let mut held = Held {
        budget: limits.budget.clone(),
        bytes: 0,
    };
    let mut clock = None;
    let mut first = None::<Bytes>;
    let mut all = BytesMut::new();
    loop {
        let received = first.as_ref().map_or(all.len(), Bytes::len);
        let next = next_frame(body.as_mut(), &mut clock, received, limits.timeout);
        let Some(frame) = next.await? else {
            break;
        };
        let Ok(mut data) = frame.into_data() else {
            continue; // trailers say nothing to us
        };
        let length = data.remaining();
        if length > limits.max - received {
            return Err(too_large());
        }
        if !limits.budget.take(length) {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many request bodies are being received",
            ));
        }
        held.bytes += length;
        if received == 0 {
            first = Some(data.copy_to_bytes(length));
            if body.is_end_stream() {
                break;
            }
        } else {
            if let Some(first) = first.take() {
                all.extend_from_slice(&first);
            }
            all.put(data);
        }
    }
    Ok((first.unwrap_or_else(|| all.freeze()), held))
}

/// The next piece of a body, within its time.
async fn next_frame<B>(
    mut body: Pin<&mut B>,
    clock: &mut Option<Instant>,
    received: usize,
    timeout: Option<Duration>,
) -> Result<Option<Frame<B::Data>>, Refusal>
where
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    let mut timer = None;
    let frame = poll_fn(|cx| {
        if let Poll::Ready(frame) = body.as_mut().poll_frame(cx) {
            return Poll::Ready(Ok(frame));
        }
        let Some(timeout) = timeout else {
            return Poll::Pending;
        };
        let began = *clock.get_or_insert_with(Instant::now);
        let timer = timer.get_or_insert_with(|| {
            let until = (began + timeout).min(slowest(began, received));
            Box::pin(sleep(until.saturating_duration_since(Instant::now())))
        });
        timer.as_mut().poll(cx).map(|()| Err(too_slow()))
    })
    .await?;
    match frame {
        None => Ok(None),
        Some(Ok(frame)) => Ok(Some(frame)),
        Some(Err(error)) => {
            tracing::debug!("a request body broke off: {}", error.into());
            Err(Refusal::bad_request("the request body broke off"))
        }
    }
}

/// Until when the next byte must come so that the body keeps to the rate.
fn slowest(began: Instant, received: usize) -> Instant {
    began + GRACE + Duration::from_millis(received as u64 * 1000 / MIN_RATE)
}

fn too_large() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the request body is too large",
    )
}

fn too_slow() -> Refusal {
    Refusal::new(
        StatusCode::REQUEST_TIMEOUT,
        "the request body took too long",
    )
}

/// A response's body, and the request it answers.
#[derive(Debug)]
pub(crate) struct Tracked {
    body: Body,
    /// What is left of the data that came last.
    rest: Bytes,
    request: Asked,
}

#[derive(Debug)]
enum Asked {
    /// It has been answered when the body is gone.
    Alone { _request: InRequest },
    /// Over HTTP/2 the body is gone as soon as it has been queued, so each piece knows its request.
    Among(Arc<InRequest>),
}

/// Bytes that HTTP/2 gets at a time: when they are gone, the peer has read. Each border
/// costs a few small frames, and far smaller pieces would be nothing but borders.
const PIECE: usize = 256 * 1024;

/// Data on its way to the peer, dropped when it has been sent.
struct Piece {
    data: Bytes,
    request: Arc<InRequest>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        // With the last piece of all the request is over anyway.
        if Arc::strong_count(&self.request) > 1 {
            self.request.sent();
        }
    }
}

impl Tracked {
    pub(crate) fn new(body: Body, mut request: InRequest) -> Self {
        request.answered(body.is_end_stream());
        Self {
            body,
            rest: Bytes::new(),
            request: if request.is_multiplexed() {
                Asked::Among(Arc::new(request))
            } else {
                Asked::Alone { _request: request }
            },
        }
    }
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Asked::Among(request) = &this.request else {
            return Pin::new(&mut this.body).poll_frame(cx);
        };
        if this.rest.is_empty() {
            let next = Pin::new(&mut this.body).poll_frame(cx);
            if next.is_pending() {
                request.waits();
            }
            match ready!(next) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        request.taken();
        let piece = Piece {
            data: this.rest.split_to(PIECE.min(this.rest.len())),
            request: Arc::clone(request),
        };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let body = self.body.size_hint();
        let mut size = SizeHint::new();
        if let Some(upper) = body.upper() {
            size.set_upper(upper + rest);
        }
        size.set_lower(body.lower() + rest);
        size
    }
}
