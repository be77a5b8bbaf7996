//! Execution of one call: start, panics, deadline.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_proto::{ErrorCode, ErrorObject, Request};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::envelope::Envelope;
use super::shared::Shared;
use crate::call::{Call, CallLimits, Reply, Work, sent_to_threads};
use crate::call_origin::{CallerId, Origin};
use crate::error::{IncidentScope, guard, internal_error};
use crate::metrics::counters::InFlight;

/// A call after its first poll.
pub(super) enum Started {
    Replied(Reply),
    Waiting(Running),
}

/// Calls the method and polls it once. Only a call that is pending then is counted as in flight
/// and gets timers.
pub(super) fn start(
    shared: &Shared,
    origin: Arc<Origin>,
    request: Request,
    limits: CallLimits,
    buffer: Vec<u8>,
    cx: &mut Context<'_>,
) -> (Started, Envelope) {
    let mut envelope = Envelope::of(&request);
    if shared.counters().in_flight() >= shared.limits.max_in_flight {
        shared.counters().called(usize::MAX);
        return (
            Started::Replied(Reply::error(ErrorCode::OVERLOADED)),
            envelope,
        );
    }
    let caller = origin.connection.caller_id();
    let call = Call::new(request, origin, limits, buffer);
    let timeout = call.timeout();
    let threads = sent_to_threads();
    let mut route = usize::MAX;
    let scope = IncidentScope::enter();
    let first = guard(PANICKED, || {
        match shared.endpoint.route(call, &mut route).0 {
            Work::Ready(reply) => Ok(reply.unwrap_or_else(lost)),
            Work::Later(mut future) => match future.as_mut().poll(cx) {
                Poll::Ready(reply) => Ok(reply),
                Poll::Pending => Err(future),
            },
        }
    });
    envelope.route = route;
    scope.log(|| (shared.method_name(route), caller));
    shared.counters().called(route);
    let started = match first {
        Err(error) => Started::Replied(Reply::error(error)),
        Ok(Ok(reply)) => Started::Replied(reply),
        Ok(Err(future)) => {
            // A call that was sent to another thread is counted there, even when its caller is
            // gone.
            let counts = sent_to_threads() == threads;
            let mut running = Running {
                future,
                deadline: timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout))),
                overdue: (shared.in_process.server.as_ref())
                    .map(|server| Box::pin(server.overdue())),
                permit: counts.then(|| shared.counters().enter(route)),
                route,
                caller: Box::new(caller),
            };
            // Poll the timers once to register the waker; a timeout of zero has passed already.
            match running.too_late(cx) {
                Some(error) => Started::Replied(Reply::error(error)),
                None => {
                    envelope.watch.waits();
                    Started::Waiting(running)
                }
            }
        }
    };
    (started, envelope)
}

/// The log message for a panic in a method.
const PANICKED: &str = "a method panicked";

fn lost() -> Reply {
    Reply::error(internal_error(&"a call has lost its answer"))
}

/// A pending call.
pub(super) struct Running {
    future: Pin<Box<dyn Future<Output = Reply> + Send>>,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Completes when graceful shutdown of the server does not wait for calls any longer.
    overdue: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// `None` if the call is counted elsewhere.
    permit: Option<InFlight>,
    /// The index of the method.
    route: usize,
    /// For the log. Boxed, because a call that is ready at once moves through this type's place.
    caller: Box<CallerId>,
}

impl Running {
    pub(super) fn poll(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<Reply> {
        let threads = sent_to_threads();
        let scope = IncidentScope::enter();
        let polled = guard(PANICKED, || self.future.as_mut().poll(cx));
        scope.log(|| (shared.method_name(self.route), &*self.caller));
        if sent_to_threads() != threads {
            self.permit = None;
        }
        match polled {
            Ok(Poll::Ready(reply)) => Poll::Ready(reply),
            Err(error) => Poll::Ready(Reply::error(error)),
            Ok(Poll::Pending) => match self.too_late(cx) {
                Some(error) => Poll::Ready(Reply::error(error)),
                None => Poll::Pending,
            },
        }
    }

    /// The error if the call is out of time.
    fn too_late(&mut self, cx: &mut Context<'_>) -> Option<ErrorObject> {
        let deadline = self.deadline.as_mut();
        if deadline.is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
            return Some(ErrorObject::of(ErrorCode::TIMEOUT));
        }
        if let Some(overdue) = self.overdue.as_mut()
            && overdue.as_mut().poll(cx).is_ready()
        {
            return Some(ErrorObject::new(
                ErrorCode::OVERLOADED,
                "The server is stopping",
            ));
        }
        None
    }
}

impl Drop for Running {
    /// A method's future may panic when it is dropped. With several in a batch, a second panic
    /// during unwinding would abort the process.
    fn drop(&mut self) {
        let future = std::mem::replace(&mut self.future, Box::pin(pending()));
        let scope = IncidentScope::enter();
        let _ = guard(PANICKED, || drop(future));
        scope.log_caller(|| &*self.caller);
    }
}

/// The timer of a batch.
pub(super) fn timer(timeout: Option<Duration>) -> Option<Pin<Box<Sleep>>> {
    timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout)))
}
