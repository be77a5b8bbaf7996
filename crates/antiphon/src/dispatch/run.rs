//! Execution of one call: start, place, deadline.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon_proto::{ErrorCode, ErrorObject, Request};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::elsewhere::goes_elsewhere;
use super::envelope::Envelope;
use super::pending_call::{PendingCall, Polled, discard, first_poll};
use super::rate_check::{Denial, exceeds};
use super::shared::Shared;
use crate::call::{Call, CallLimits, Reply};
use crate::call_origin::{CallClient, CallerId, Connection, Origin};
use crate::current_call::HeldPlace;
use crate::error::IncidentScope;
use crate::mcp::{self, Exchange};

/// What belongs to a call of a client of the Model Context Protocol.
pub(super) type Exchanged = (Box<Exchange>, Arc<mcp::Request>);

/// A call after its first poll.
pub(super) enum Started {
    Replied(Reply),
    Waiting(Running),
    /// Nothing of it has run.
    Denied(Box<Denial>),
}

/// Calls the method and polls it once. Only a call that is pending then needs a place among those
/// in flight and gets timers. If there is no place, it is dropped and answered with an error.
///
/// `exchanged` is there if its reply becomes another answer. `connection` is that of the origin, which
/// goes with the call: so a call that is ready at once need not count its references.
#[expect(
    clippy::too_many_arguments,
    reason = "a struct of them would be copied for each call"
)]
pub(super) fn start(
    shared: &Shared,
    connection: &Connection,
    origin: Arc<Origin>,
    request: Request,
    exchanged: Option<Exchanged>,
    limits: CallLimits,
    buffer: Vec<u8>,
    cx: &mut Context<'_>,
) -> (Started, Envelope) {
    let mut envelope = Envelope::of(shared, &request, &origin);
    let told = exchanged.map(|(exchange, told)| {
        envelope.exchange = Some(exchange);
        told
    });
    if let Some(limiter) = &shared.rate
        && let Some(denial) = exceeds(shared, limiter, &origin, &request)
    {
        envelope.route = denial.route;
        shared.counters().called(denial.route);
        return (Started::Denied(denial), envelope);
    }
    // Before the layers, which might answer anything.
    if origin.only_streams
        && !shared
            .endpoint
            .only_streams(request.method_bytes(), &origin)
    {
        shared.counters().called(usize::MAX);
        let unknown = Reply::error(ErrorCode::METHOD_NOT_FOUND);
        return (Started::Replied(unknown), envelope);
    }
    // Whoever may send to the address of one method must not reach another. They may end what they have
    // begun there.
    if let Some(addressed) = &origin.addressed
        && addressed.as_bytes() != request.method_bytes()
        && !shared.endpoint.ends_subscriptions(request.method_bytes())
    {
        shared.counters().called(usize::MAX);
        let other = Reply::error(ErrorCode::INVALID_REQUEST);
        return (Started::Replied(other), envelope);
    }
    let (client, params) = (origin.call_client(), request.params_len());
    // Built where it stays until the method takes it: each move of a call copies it.
    let mut place = Some(Call::new(request, origin, limits, buffer));
    let mut timeout = None;
    if let Some(call) = &mut place {
        if let Some(told) = told {
            call.insert(told);
        }
        envelope.record_caller(call);
        timeout = call.timeout();
    }
    if goes_elsewhere(params)
        && let Some(call) = place.take_if(|call| match shared.endpoint.find(call) {
            Some(route) => {
                envelope.route = route;
                true
            }
            None => false,
        })
    {
        let started = start_elsewhere(shared, connection, client, call, &mut envelope, cx);
        return (started, envelope);
    }
    let mut route = usize::MAX;
    let scope = IncidentScope::enter();
    let polled = first_poll(&shared.endpoint, &mut place, HeldPlace::No, &mut route, cx);
    let polled = match polled {
        Polled::Replied(reply) => Err(reply),
        Polled::Elsewhere(future) => Ok(PendingCall::new(future, None)),
        Polled::Pending(future) => match shared.place(connection, client, route) {
            Some(place) => Ok(PendingCall::new(future, Some(place))),
            None => {
                discard(future);
                Err(Reply::error(ErrorCode::OVERLOADED))
            }
        },
    };
    envelope.route = route;
    // Layers take the call. One that is still there was answered by its method, or not at all.
    envelope.is_own = place.is_some();
    scope.log(|| {
        (
            shared.method_name(route),
            connection.caller_id(client.address),
        )
    });
    shared.counters().called(route);
    let started = match polled {
        Err(reply) => Started::Replied(reply),
        Ok(call) => {
            let mut running = Running::new(
                shared,
                call,
                timeout,
                connection.caller_id(client.address),
                route,
            );
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

/// Starts a call whose parameters are decoded on another thread. It needs a place before.
#[cold]
fn start_elsewhere(
    shared: &Shared,
    connection: &Connection,
    client: CallClient,
    call: Call,
    envelope: &mut Envelope,
    cx: &mut Context<'_>,
) -> Started {
    let route = envelope.route;
    shared.counters().called(route);
    let Some(place) = shared.place(connection, client, route) else {
        return Started::Replied(Reply::error(ErrorCode::OVERLOADED));
    };
    let timeout = call.timeout();
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let endpoint = shared.endpoint.clone();
    let work = shared.threads.clone().call(endpoint, call, place, deadline);
    let call = PendingCall::new(Box::pin(work), None);
    let mut running = Running::new(
        shared,
        call,
        timeout,
        connection.caller_id(client.address),
        route,
    );
    envelope.watch.waits();
    match running.poll(shared, cx) {
        Poll::Ready(reply) => Started::Replied(reply),
        Poll::Pending => Started::Waiting(running),
    }
}

/// A pending call with its deadlines.
pub(super) struct Running {
    call: PendingCall,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Completes when graceful shutdown of the server does not wait for calls any longer.
    overdue: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// The index of the method.
    route: usize,
    /// For the log. Boxed, because a call that is ready at once moves through this type's place.
    caller: Box<CallerId>,
}

impl Running {
    pub(super) fn new(
        shared: &Shared,
        call: PendingCall,
        timeout: Option<Duration>,
        caller: CallerId,
        route: usize,
    ) -> Self {
        Self {
            call,
            deadline: timer(timeout),
            overdue: (shared.in_process.server.as_ref()).map(|server| Box::pin(server.overdue())),
            route,
            caller: Box::new(caller),
        }
    }

    pub(super) fn poll(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<Reply> {
        let scope = IncidentScope::enter();
        let polled = Pin::new(&mut self.call).poll(cx);
        scope.log(|| (shared.method_name(self.route), &*self.caller));
        if polled.is_pending()
            && let Some(error) = self.too_late(cx)
        {
            return Poll::Ready(Reply::error(error));
        }
        polled
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

/// The timer of a call or a batch.
pub(super) fn timer(timeout: Option<Duration>) -> Option<Pin<Box<Sleep>>> {
    timeout.map(|timeout| Box::pin(tokio::time::sleep(timeout)))
}
