//! Reads request bodies, within limits on size, time, rate and memory.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::StatusCode;
use http_body::{Body as HttpBody, Frame};
use tokio::time::{Instant, sleep};

use crate::router::BoxError;
use crate::session::pace::arrival_deadline;
use crate::transport::bounded_body::{Collector, TooLong};
use crate::transport::http::body_framing::BodyFraming;
use crate::transport::http::refusal::Refusal;

/// Memory for request bodies that are being received or processed, shared by all connections.
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

/// The part of the budget that one body holds until its call is answered.
#[derive(Debug)]
pub(crate) struct BodyReservation {
    budget: Budget,
    bytes: usize,
}

impl BodyReservation {
    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        if !self.budget.take(bytes) {
            return Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many request bodies are being received",
            ));
        }
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for BodyReservation {
    fn drop(&mut self) {
        self.budget.0.left.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

/// Limits of one body.
#[derive(Clone, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) max: usize,
    pub(crate) timeout: Option<Duration>,
    pub(crate) budget: Budget,
}

/// Reads a body. A body that arrives in one piece is not copied and needs no timer.
pub(crate) async fn read<B>(
    body: B,
    limits: &BodyLimits,
    mut framing: BodyFraming<'_>,
) -> Result<(Bytes, BodyReservation), Refusal>
where
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    let collected = Collector::new(limits.max, &body.size_hint());
    let mut collected = collected.map_err(too_large)?;
    let mut body = pin!(body);
    let mut reservation = BodyReservation {
        budget: limits.budget.clone(),
        bytes: 0,
    };
    let mut clock = None;
    loop {
        let next = next_frame(body.as_mut(), &mut clock, collected.len(), limits.timeout);
        let Some(frame) = next.await? else {
            break;
        };
        let Ok(data) = frame.into_data() else {
            continue; // trailers are ignored
        };
        framing.add(data.remaining())?;
        // A body that is too long is refused for that, whatever else is being received.
        if collected.has_room(data.remaining()) {
            reservation.grow(data.remaining())?;
        }
        collected.push(data).map_err(too_large)?;
        if body.is_end_stream() {
            break;
        }
    }
    Ok((collected.finish(), reservation))
}

/// Waits for the next frame of a body, until its deadline.
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
            let until = (began + timeout).min(arrival_deadline(began, received as u64));
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

fn too_large(_: TooLong) -> Refusal {
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
