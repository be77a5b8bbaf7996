//! One message of a caller: its checks, its first poll, its response.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use antiphon_proto::{ErrorCode, ErrorObject};
use async_nats::{Message, Subject};

use super::accept_session::{accept, refuse_session};
use super::headers::{self, ROOM, RequestHeaders};
use super::long_call;
use super::serving::{ReplyTo, Service, ServiceSetup, is_inbox};
use crate::dispatch::{Begun, Reading, Work, reject, unread};
use crate::identity::Identification;
use crate::memory_budget::{Direction, Reservation};

/// Answers a message, or starts a task that does.
pub(super) async fn receive(service: &Arc<Service>, mut message: Message) {
    if headers::is_filler(&message) {
        return;
    }
    let Some(setup) = (service.setup)() else {
        return;
    };
    let reply = message.reply.take();
    if reply.as_ref().is_some_and(|reply| !is_inbox(reply)) {
        tracing::debug!("a message was dropped: its response would go to no inbox");
        return;
    }
    let Some(method) = service.subjects.method_of(&message.subject) else {
        return refuse(service, reply, ErrorCode::INVALID_REQUEST).await;
    };
    let identification = match identify(service, &setup, &message, reply.as_ref()) {
        Ok(identification) => identification,
        Err(reason) => {
            tracing::debug!("the identity of a caller was refused: {reason}");
            match (reply, headers::is_open(&message)) {
                (Some(reply), true) => refuse_session(service, reply).await,
                (reply, _) => refuse(service, reply, ErrorCode::UNAUTHENTICATED).await,
            }
            return;
        }
    };
    if headers::is_open(&message) {
        if let Some(reply) = reply {
            accept(service, setup, method, reply, identification).await;
        }
        return;
    }
    let ServiceSetup {
        dispatcher,
        connection,
        max_request,
        ..
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
    origin.identification = identification;
    origin.addressed = Some(method.into());
    let origin = Arc::new(origin);
    let reading = dispatcher.read(message.payload, 0);
    let start = move |incoming, cx: &mut Context<'_>| {
        dispatcher.begin(incoming, &origin, Vec::new(), None, cx)
    };
    let incoming = match reading {
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
                    Ok(incoming) => match begin(incoming, start).await {
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
    match begin(incoming, start).await {
        Begun::Answered(answered) => service.answer(reply, answered).await,
        Begun::Waiting(work) => {
            let (service, shutdown) = (Arc::clone(service), service.shutdown.clone());
            let calls = service.calls.clone();
            let task = async move { run(&service, work, held, reply).await };
            calls.spawn(async move { shutdown.until_killed(task).await });
        }
    }
}

/// What is known of who calls.
fn identify(
    service: &Service,
    setup: &ServiceSetup,
    message: &Message,
    reply: Option<&Subject>,
) -> Result<Identification, &'static str> {
    let Some(verifier) = &service.verifier else {
        return Ok(match setup.asks {
            true => Identification::Anonymous,
            false => Identification::Unasked,
        });
    };
    let identity = verifier.identify(message, reply.map(Subject::as_str));
    identity.map(Identification::of)
}

/// Starts a message, and polls it once.
async fn begin<M>(message: M, start: impl Fn(M, &mut Context<'_>) -> Begun) -> Begun {
    let mut message = Some(message);
    poll_fn(|cx| match message.take() {
        Some(message) => Poll::Ready(start(message, cx)),
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
