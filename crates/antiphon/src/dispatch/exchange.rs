//! Request of a client of the Model Context Protocol: a call of a method, or answered by the protocol.

use std::sync::Arc;
use std::task::{Context, Poll};

use antiphon_proto::{ErrorCode, Request};

use super::envelope::Envelope;
use super::pending_call::{PendingCall, discard};
use super::rate_check::exceeds;
use super::run::{Exchanged, Running, Started};
use super::shared::Shared;
use crate::call::{CallLimits, Reply};
use crate::call_future::Work;
use crate::call_origin::{Connection, Origin};
use crate::mcp::{Begun, Service};

/// What a request is.
pub(super) enum Redirected {
    /// A call of this method.
    Call(Request, Exchanged),
    /// The protocol answers it itself.
    Own(Box<(Started, Envelope)>),
}

/// Looks what a request is, and begins what the protocol answers itself. That counts as one call for limits, as
/// a method that does not exist.
pub(super) fn begin(
    shared: &Shared,
    service: &Service,
    connection: &Connection,
    origin: &Arc<Origin>,
    request: Request,
    limits: CallLimits,
    cx: &mut Context<'_>,
) -> Redirected {
    let own = |started, envelope| Redirected::Own(Box::new((started, envelope)));
    let (message, exchange, answer, is_endless) = match service.begin(request, origin) {
        Begun::Call {
            message,
            exchange,
            request,
        } => return Redirected::Call(message, (exchange, request)),
        Begun::Own {
            message,
            exchange,
            answer,
            is_endless,
        } => (message, exchange, answer, is_endless),
    };
    let mut envelope = Envelope::of(shared, &message, origin);
    envelope.exchange = Some(exchange);
    if let Some(limiter) = &shared.rate
        && let Some(denial) = exceeds(shared, limiter, origin, &message)
    {
        return own(Started::Denied(denial), envelope);
    }
    shared.counters().called(usize::MAX);
    let mut future = match answer.0 {
        Work::Ready(reply) => {
            let reply = reply.unwrap_or_else(|| Reply::error(ErrorCode::INTERNAL_ERROR));
            return own(Started::Replied(reply), envelope);
        }
        Work::Later(future) => future,
    };
    if let Poll::Ready(reply) = future.as_mut().poll(cx) {
        return own(Started::Replied(reply), envelope);
    }
    let client = origin.call_client();
    let Some(place) = shared.place(connection, client, usize::MAX) else {
        discard(future);
        let busy = Reply::error(ErrorCode::OVERLOADED);
        return own(Started::Replied(busy), envelope);
    };
    envelope.watch.waits();
    let timeout = limits.timeout.filter(|_| !is_endless);
    let call = PendingCall::new(future, Some(place));
    let caller = connection.caller_id(client.address);
    let mut running = Running::new(shared, call, timeout, caller, usize::MAX);
    // Once more, so that the timers have the waker.
    match running.poll(shared, cx) {
        Poll::Ready(reply) => own(Started::Replied(reply), envelope),
        Poll::Pending => own(Started::Waiting(running), envelope),
    }
}
