//! One call: its first poll, and its future with the place that it holds.

use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::call::{Call, Reply};
use crate::call_future::Work;
use crate::current_call::{CurrentCall, HeldPlace};
use crate::error::{IncidentScope, guard, internal_error};
use crate::metrics::counters::InFlight;
use crate::router::Endpoint;

/// The log message for a panic in a method.
const PANICKED: &str = "a method panicked";

/// A call after its first poll.
pub(super) enum Polled {
    Replied(Reply),
    Pending(CallWork),
    /// Pending on another thread, where it is counted.
    Elsewhere(CallWork),
}

/// The future of a pending call.
pub(super) type CallWork = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// Calls the method and polls it once. `route` becomes the index of the method.
///
/// The call is taken out of its place, because it is too large to be moved more often.
pub(super) fn first_poll(
    endpoint: &Endpoint,
    call: &mut Option<Call>,
    held: HeldPlace,
    route: &mut usize,
    cx: &mut Context<'_>,
) -> Polled {
    let outer = held.replace();
    let first = guard(PANICKED, || {
        match CurrentCall::outside(|| endpoint.route(call, route)).0 {
            Work::Ready(reply) => Ok(reply.unwrap_or_else(lost)),
            Work::Later(mut future) => match future.as_mut().poll(cx) {
                Poll::Ready(reply) => Ok(reply),
                Poll::Pending => Err(future),
            },
        }
    });
    let held = outer.replace();
    match first {
        Err(error) => Polled::Replied(Reply::error(error)),
        Ok(Ok(reply)) => Polled::Replied(reply),
        Ok(Err(future)) if held == HeldPlace::Elsewhere => Polled::Elsewhere(future),
        Ok(Err(future)) => Polled::Pending(future),
    }
}

fn lost() -> Reply {
    Reply::error(internal_error(&"a call has lost its answer"))
}

/// Drops the future of a call. It may panic then: with several in a batch, a second panic during
/// unwinding would abort the process.
pub(super) fn discard(future: CallWork) {
    let scope = IncidentScope::enter();
    let _ = guard(PANICKED, || drop(future));
    scope.log(|| (String::new(), "a call that was dropped"));
}

/// A pending call.
pub(super) struct PendingCall {
    future: CallWork,
    /// `None` if the call is counted elsewhere.
    place: Option<InFlight>,
}

impl PendingCall {
    pub(super) fn new(future: CallWork, place: Option<InFlight>) -> Self {
        Self { future, place }
    }
}

impl Future for PendingCall {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let held = match self.place {
            Some(_) => HeldPlace::Yes,
            None => HeldPlace::No,
        };
        let outer = held.replace();
        let polled = guard(PANICKED, || self.future.as_mut().poll(cx));
        if outer.replace() == HeldPlace::Elsewhere {
            self.place = None;
        }
        polled.unwrap_or_else(|error| Poll::Ready(Reply::error(error)))
    }
}

impl Drop for PendingCall {
    fn drop(&mut self) {
        discard(std::mem::replace(&mut self.future, Box::pin(pending())));
    }
}
