//! One call: start it, guard it, write its answer.

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_proto::{ErrorCode, ErrorObject, Request, message};
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::call::{Call, CallLimits, Output, Reply, Work, sent_to_threads};
use crate::dispatch::{ANSWER_SIZE, Answered, Shared};
use crate::error::{guard, in_call, internal_error};
use crate::metrics::Stopwatch;
use crate::metrics::counters::{Counters, InFlight};
use crate::origin::{CallerId, Origin};

/// What came of starting a call.
pub(super) enum Started {
    Replied(Reply),
    Waiting(Running),
}

/// Calls the method and polls it once. Only what has to wait then is counted and timed.
pub(super) fn start(
    shared: &Shared,
    origin: Arc<Origin>,
    request: Request,
    limits: CallLimits,
    buffer: Vec<u8>,
    cx: &mut Context<'_>,
) -> (Started, Echo) {
    let mut echo = Echo::of(&request);
    if shared.counters().in_flight() >= shared.limits.max_in_flight {
        shared.counters().called(usize::MAX);
        return (Started::Replied(Reply::error(ErrorCode::OVERLOADED)), echo);
    }
    let caller = origin.connection.caller_id();
    let call = Call::new(request, origin, limits, buffer);
    let timeout = call.timeout();
    let threads = sent_to_threads();
    let mut route = usize::MAX;
    let (first, incidents) = in_call(|| {
        guard(PANICKED, || {
            match shared.endpoint.route(call, &mut route).0 {
                Work::Ready(reply) => Ok(reply.unwrap_or_else(lost)),
                Work::Later(mut future) => match future.as_mut().poll(cx) {
                    Poll::Ready(reply) => Ok(reply),
                    Poll::Pending => Err(future),
                },
            }
        })
    });
    echo.route = route;
    incidents.log(|| (shared.method_name(route), caller));
    shared.counters().called(route);
    let started = match first {
        Err(error) => Started::Replied(Reply::error(error)),
        Ok(Ok(reply)) => Started::Replied(reply),
        Ok(Err(future)) => {
            // Work on another thread counts by itself, also when nobody waits any more.
            let counts = sent_to_threads() == threads;
            let mut running = Running {
                future,
                deadline: timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout))),
                overdue: (shared.in_process.server.as_ref())
                    .map(|server| Box::pin(server.overdue())),
                permit: counts.then(|| shared.counters().enter(route)),
                route,
                caller,
            };
            // The timer must know whom to wake, and a timeout of zero has passed already.
            match running.too_late(cx) {
                Some(error) => Started::Replied(Reply::error(error)),
                None => {
                    echo.watch.waits();
                    Started::Waiting(running)
                }
            }
        }
    };
    (started, echo)
}

/// What the log says of a call that panicked.
const PANICKED: &str = "a method panicked";

fn lost() -> Reply {
    Reply::error(internal_error(&"a call has lost its answer"))
}

/// A call that waits for something.
pub(super) struct Running {
    future: Pin<Box<dyn Future<Output = Reply> + Send>>,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Done when the server ends before the call.
    overdue: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// `None` if the call counts elsewhere.
    permit: Option<InFlight>,
    /// For the log.
    route: usize,
    caller: CallerId,
}

impl Running {
    pub(super) fn poll(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<Reply> {
        let threads = sent_to_threads();
        let (polled, incidents) = in_call(|| guard(PANICKED, || self.future.as_mut().poll(cx)));
        incidents.log(|| (shared.method_name(self.route), self.caller));
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

    /// Why the call has no more time, if it has not.
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
    /// A method that is cut off may panic: of several in a batch, the second panic would end the
    /// process.
    fn drop(&mut self) {
        let future = std::mem::replace(&mut self.future, Box::pin(pending()));
        let _ = guard(PANICKED, || drop(future));
    }
}

/// How long a batch still has.
pub(super) fn timer(timeout: Option<Duration>) -> Option<Pin<Box<Sleep>>> {
    timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout)))
}

/// Whom to answer, and what is to be counted then; kept while the call is away.
pub(super) struct Echo {
    id: EchoId,
    /// The index of the method.
    route: usize,
    watch: Stopwatch,
}

/// The id's text. Short ones need no allocation.
enum EchoId {
    Notification,
    Short([u8; 22], u8),
    Long(Box<[u8]>),
}

impl Echo {
    pub(super) fn of(request: &Request) -> Self {
        Self {
            id: EchoId::of(request),
            route: usize::MAX,
            watch: Stopwatch::start(request.params_len()),
        }
    }

    pub(super) fn is_notification(&self) -> bool {
        matches!(self.id, EchoId::Notification)
    }

    pub(super) fn id(&self) -> &[u8] {
        match &self.id {
            EchoId::Notification => b"null",
            EchoId::Short(bytes, length) => bytes.get(..usize::from(*length)).unwrap_or_default(),
            EchoId::Long(bytes) => bytes,
        }
    }

    /// The whole answer; nothing for a notification, whatever has become of it.
    pub(super) fn finish(&self, reply: Reply, max_result: usize, counters: &Counters) -> Answered {
        let answered = self.answer(reply, max_result, counters);
        if let Some(method) = counters.method(self.route) {
            let sent = answered.text.as_ref().map_or(0, Vec::len);
            self.watch.stop(&method.series, sent);
        }
        answered
    }

    fn answer(&self, reply: Reply, max_result: usize, counters: &Counters) -> Answered {
        let error = match reply.0 {
            Err(error) => error,
            Ok(_) if self.is_notification() => return Answered::default(),
            Ok(output) if output.result().len() > max_result => {
                ErrorObject::of(ErrorCode::RESPONSE_TOO_LARGE)
            }
            Ok(output) if output.result().is_empty() => {
                internal_error(&"a layer has answered a call as if it were a notification")
            }
            Ok(mut output) => {
                let streams = match output.stream.take() {
                    Some(opening) => vec![*opening],
                    None => Vec::new(),
                };
                return Answered {
                    text: Some(enclose(output, self.id())),
                    streams,
                };
            }
        };
        if let Some(method) = counters.method(self.route) {
            method.failed(&error);
        }
        if self.is_notification() {
            tracing::debug!("a notification failed: {error}");
            return Answered::default();
        }
        let mut answer = Vec::with_capacity(ANSWER_SIZE);
        message::write_error(&mut answer, self.id(), &error);
        answer.into()
    }
}

impl EchoId {
    fn of(request: &Request) -> Self {
        let Some(id) = request.id_bytes() else {
            return Self::Notification;
        };
        let mut short = [0; 22];
        match (short.get_mut(..id.len()), u8::try_from(id.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(id);
                Self::Short(short, length)
            }
            _ => Self::Long(id.into()),
        }
    }
}

/// Completes a result in place if this call's envelope stands before it. A layer may have answered
/// with a result of its own, or with that of another call: then the envelope is written anew.
fn enclose(output: Output, id: &[u8]) -> Vec<u8> {
    let envelope = output.buffer.get(..output.start).unwrap_or_default();
    let mut answer = if message::begins_result(envelope, id) {
        output.buffer
    } else {
        let mut answer = Vec::with_capacity(output.result().len() + ANSWER_SIZE);
        message::begin_result(&mut answer, id);
        answer.extend_from_slice(output.result());
        answer
    };
    answer.push(b'}');
    answer
}
