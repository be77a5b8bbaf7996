//! Request of a client of the Model Context Protocol: a call of a method, or answered by the protocol.

use std::sync::Arc;
use std::task::{Context, Poll};

use antiphon_proto::{ErrorCode, Request};

use super::envelope::Envelope;
use super::pending_call::{PendingCall, discard};
use super::rate_check::exceeds;
use super::run::{Running, Started, start};
use super::shared::Shared;
use crate::call::{CallLimits, Reply};
use crate::call_future::Work;
use crate::call_origin::{Connection, Origin};
use crate::mcp::{Begun, Service};

/// Begins a request. What the protocol answers itself counts as one call for limits, as a method that
/// does not exist.
#[expect(clippy::too_many_arguments, reason = "as many as of any call")]
pub(super) fn begin(
    shared: &Shared,
    service: &Service,
    connection: &Connection,
    origin: Arc<Origin>,
    request: Request,
    limits: CallLimits,
    buffer: Vec<u8>,
    cx: &mut Context<'_>,
) -> (Started, Envelope) {
    let (message, exchange, answer, is_endless) = match service.begin(request, &origin) {
        Begun::Call {
            message,
            exchange,
            request,
        } => {
            let exchanged = Some((exchange, request));
            return start(
                shared, connection, origin, message, exchanged, limits, buffer, cx,
            );
        }
        Begun::Own {
            message,
            exchange,
            answer,
            is_endless,
        } => (message, exchange, answer, is_endless),
    };
    let mut envelope = Envelope::of(shared, &message, &origin);
    envelope.exchange = Some(exchange);
    if let Some(limiter) = &shared.rate
        && let Some(denial) = exceeds(shared, limiter, &origin, &message)
    {
        return (Started::Denied(denial), envelope);
    }
    shared.counters().called(usize::MAX);
    let mut future = match answer.0 {
        Work::Ready(reply) => {
            let reply = reply.unwrap_or_else(|| Reply::error(ErrorCode::INTERNAL_ERROR));
            return (Started::Replied(reply), envelope);
        }
        Work::Later(future) => future,
    };
    if let Poll::Ready(reply) = future.as_mut().poll(cx) {
        return (Started::Replied(reply), envelope);
    }
    let client = origin.call_client();
    let Some(place) = shared.place(connection, client, usize::MAX) else {
        discard(future);
        let busy = Reply::error(ErrorCode::OVERLOADED);
        return (Started::Replied(busy), envelope);
    };
    envelope.watch.waits();
    let timeout = limits.timeout.filter(|_| !is_endless);
    let call = PendingCall::new(future, Some(place));
    let caller = connection.caller_id(client.address);
    let mut running = Running::new(shared, call, timeout, caller, usize::MAX);
    // Once more, so that the timers have the waker.
    match running.poll(shared, cx) {
        Poll::Ready(reply) => (Started::Replied(reply), envelope),
        Poll::Pending => (Started::Waiting(running), envelope),
    }
}
