//! One message of a caller: its checks, its first poll, its response.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use antiphon_proto::{ErrorCode, ErrorObject, Incoming};
use async_nats::Message;

use super::headers::{self, ROOM, RequestHeaders};
use super::long_call;
use super::serving::{ReplyTo, Service, ServiceSetup, is_inbox};
use crate::call_origin::Origin;
use crate::dispatch::{Begun, Dispatcher, Reading, Work, reject, unread};
use crate::identity::Identification;
use crate::memory_budget::{Direction, Reservation};

/// Answers a message, or starts a task that does.
pub(super) async fn receive(service: &Arc<Service>, message: Message) {
    if headers::is_filler(&message) {
        return;
    }
    let Some(setup) = (service.setup)() else {
        return;
    };
    let reply = message.reply;
    if reply.as_ref().is_some_and(|reply| !is_inbox(reply)) {
        tracing::debug!("a message was dropped: its response would go to no inbox");
        return;
    }
    let Some(method) = service.subjects.method_of(&message.subject) else {
        return refuse(service, reply, ErrorCode::INVALID_REQUEST).await;
    };
    let ServiceSetup {
        dispatcher,
        connection,
        max_request,
        asks,
    } = setup;
    if message.payload.len() > max_request {
        return refuse(service, reply, ErrorCode::INVALID_REQUEST).await;
    }
    let mut held = Reservation::new(&connection.memory, Direction::Request);
    if held.set(message.length.saturating_add(ROOM)).is_err() {
        return refuse(service, reply, ErrorCode::OVERLOADED).await;
    }
    let mut origin = dispatcher.origin(connection, false);
    RequestHeaders::describe(message.headers.as_ref(), &mut origin);
    if asks {
        origin.identification = Identification::Anonymous;
    }
    origin.addressed = Some(method.into());
    let origin = Arc::new(origin);
    let incoming = match dispatcher.read(message.payload, 0) {
        Reading::Done(Ok(incoming)) => incoming,
        Reading::Done(Err(rejection)) => {
            return service.answer(reply, reject(&rejection).into()).await;
        }
        Reading::Elsewhere(parsing) => {
            let service = Arc::clone(service);
            let shutdown = service.shutdown.clone();
            let calls = service.calls.clone();
            let task = async move {
                match parsing.await {
                    Ok(incoming) => match begin(&dispatcher, incoming, &origin).await {
                        Begun::Answered(answered) => service.answer(reply, answered).await,
                        Begun::Waiting(work) => run(&service, work, held, reply).await,
                    },
                    Err(rejection) => service.answer(reply, reject(&rejection).into()).await,
                }
            };
            calls.spawn(async move { shutdown.until_killed(task).await });
            return;
        }
    };
    match begin(&dispatcher, incoming, &origin).await {
        Begun::Answered(answered) => service.answer(reply, answered).await,
        Begun::Waiting(work) => {
            let (service, shutdown) = (Arc::clone(service), service.shutdown.clone());
            let calls = service.calls.clone();
            let task = async move { run(&service, work, held, reply).await };
            calls.spawn(async move { shutdown.until_killed(task).await });
        }
    }
}

/// Starts a call, and polls it once.
async fn begin(dispatcher: &Dispatcher, incoming: Incoming, origin: &Arc<Origin>) -> Begun {
    let mut incoming = Some(incoming);
    poll_fn(|cx| match incoming.take() {
        Some(incoming) => Poll::Ready(dispatcher.begin(incoming, origin, Vec::new(), None, cx)),
        None => Poll::Pending,
    })
    .await
}

/// Runs a call that has not ended at its first poll.
async fn run(service: &Service, mut work: Work, held: Reservation, reply: ReplyTo) {
    work.hold(Some(Box::new(held)));
    if let Some(answered) = long_call::run(service, work, reply.as_ref()).await {
        service.answer(reply, answered).await;
    }
}

async fn refuse(service: &Service, reply: ReplyTo, code: ErrorCode) {
    let answer = unread(&ErrorObject::of(code));
    service.answer(reply, answer.into()).await;
}
