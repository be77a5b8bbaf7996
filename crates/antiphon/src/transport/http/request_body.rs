//! Reads request bodies, within limits on size, time, rate and memory.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::StatusCode;
use http_body::{Body as HttpBody, Frame};
use tokio::time::{Instant, sleep};

use crate::memory_budget::{Account, Direction, Exhausted, FREE, Reservation};
use crate::router::BoxError;
use crate::session::pace::arrival_deadline;
use crate::transport::bounded_body::{Collector, TooLong};
use crate::transport::http::body_framing::BodyFraming;
use crate::transport::http::refusal::Refusal;

/// Limits of one body.
#[derive(Clone, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) max: usize,
    pub(crate) timeout: Option<Duration>,
}

/// Reserves the head of a request, of so many bytes. Where there may be many requests at a time,
/// small ones count as well.
pub(crate) fn hold_head(
    bytes: usize,
    many: bool,
    memory: &Arc<Account>,
) -> Result<Option<Reservation>, Refusal> {
    if !many && bytes <= FREE {
        return Ok(None);
    }
    let mut held = Reservation::new(memory, Direction::Request);
    held.set(bytes).map_err(exhausted)?;
    Ok(Some(held))
}

/// Reads a body. A body that arrives in one piece is not copied and needs no timer. Returns also
/// what is reserved for it, and in `held` for its head; without `held` a small one needs nothing.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn holds its parameters twice, and what it holds is copied for each request"
)]
pub(crate) fn read<B>(
    body: B,
    mut held: Option<Reservation>,
    limits: &BodyLimits,
    mut framing: BodyFraming<'_>,
    memory: &Arc<Account>,
) -> impl Future<Output = Result<(Bytes, Option<Reservation>), Refusal>>
where
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    async move {
        let collected = Collector::new(limits.max, &body.size_hint());
        let mut collected = collected.map_err(too_large)?;
        let mut body = pin!(body);
        let head = held.as_ref().map_or(0, Reservation::bytes);
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
            let length = collected.len() + data.remaining();
            if collected.has_room(data.remaining()) && (length > FREE || held.is_some()) {
                let none = || Reservation::new(memory, Direction::Request);
                let held = held.get_or_insert_with(none);
                held.set(head + length).map_err(exhausted)?;
            }
            collected.push(data).map_err(too_large)?;
            if body.is_end_stream() {
                break;
            }
        }
        Ok((collected.finish(), held))
    }
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

fn exhausted(_: Exhausted) -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too many requests are being received",
    )
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
