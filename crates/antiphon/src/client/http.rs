//! HTTP exchange: a request through a `tower` service, and its response, read up to a limit.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use http::response::Parts;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tower_service::Service;

use super::late::Late;
use super::response_meter::ResponseMeter;
use super::sent_mark::{BodyState, SentMark};
use crate::router::BoxError;
use crate::transport::bounded_body::{Collector, TooLong};

/// The body of a request to a service set with
/// [`ClientBuilder::service`](super::ClientBuilder::service). The service may also use it for its
/// responses.
///
/// It is a single chunk of known length, and implements `http_body::Body`. Reading it fails if the call
/// has ended before, so that a request that waits somewhere is not sent when nobody waits for it.
///
/// ```
/// use antiphon::client::Body;
///
/// let body = Body::from("[1]");
/// assert_eq!(body.into_bytes(), "[1]");
/// ```
#[derive(Clone, Default)]
pub struct Body {
    text: Bytes,
    done: bool,
    /// Until the bytes are taken, nothing can have been sent on any transport, so failures are
    /// [`ErrorKind::NotSent`](super::ErrorKind::NotSent). After that error they are not given out.
    state: Option<Arc<BodyState>>,
}

impl Body {
    /// The whole body.
    ///
    /// It is empty if the call has ended before: its caller was told that nothing was sent, or does
    /// not wait any more. So a service that has kept a request for long should not send an empty one.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.take() {
            true => self.text,
            false => Bytes::new(),
        }
    }

    /// A body that the mark knows to be taken or not.
    pub(super) fn watched(text: Bytes, mark: &SentMark) -> Self {
        Self {
            state: Some(mark.watch()),
            ..Self::from(text)
        }
    }

    fn take(&self) -> bool {
        self.state.as_ref().is_none_or(|state| state.take())
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.take() {
            return Poll::Ready(Some(Err("the call has ended before".into())));
        }
        let rest = !self.is_end_stream();
        self.done = true;
        Poll::Ready(rest.then(|| Ok(Frame::data(self.text.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.done || self.text.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = if self.done { 0 } else { self.text.len() };
        SizeHint::with_exact(u64::try_from(rest).unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.text.len())
    }
}

/// A response. Reading the body may have failed, which not every caller cares about.
pub(super) struct Received {
    pub(super) head: Parts,
    pub(super) body: Result<Bytes, BodyFault>,
    /// When the reading has ended.
    pub(super) ended: Instant,
}

/// A body that was not read to its end.
pub(super) enum BodyFault {
    TooLong(usize),
    Broken(BoxError),
}

type Sending = Pin<Box<dyn Future<Output = Result<Received, BoxError>> + Send>>;

/// A type-erased HTTP service.
pub(super) trait Exchange: Send + Sync {
    fn send(&self, request: Request<Body>, max: usize, deadline: Option<Instant>) -> Sending;
}

/// Any HTTP service.
pub(super) struct ServiceExchange<S>(pub(super) S);

impl<S, B> Exchange for ServiceExchange<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    fn send(&self, request: Request<Body>, max: usize, deadline: Option<Instant>) -> Sending {
        let mut service = self.0.clone();
        Box::pin(async move {
            let mut has_waited = false;
            let ready = poll_fn(|cx| {
                let ready = service.poll_ready(cx);
                has_waited |= ready.is_pending();
                ready
            });
            ready.await.map_err(Into::into)?;
            if has_waited {
                Late::check(deadline, Instant::now())?;
            }
            let response = service.call(request).await.map_err(Into::into)?;
            let (head, body) = response.into_parts();
            let body = read(body, max, None).await;
            let ended = Instant::now();
            Ok(Received { head, body, ended })
        })
    }
}

/// Reads a body, and stops as soon as it exceeds the limit. The meter is that of the connection.
pub(super) async fn read<B>(
    body: B,
    max: usize,
    meter: Option<&ResponseMeter>,
) -> Result<Bytes, BodyFault>
where
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    if let Some(meter) = meter {
        meter.began();
    }
    let too_long = |_: TooLong| BodyFault::TooLong(max);
    let mut collected = Collector::new(max, &body.size_hint()).map_err(too_long)?;
    let mut body = pin!(body);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| BodyFault::Broken(error.into()))?;
        // Trailers are ignored.
        if let Ok(data) = frame.into_data() {
            if let Some(meter) = meter {
                meter.content(data.remaining());
            }
            collected.push(data).map_err(too_long)?;
        }
    }
    Ok(collected.finish())
}
