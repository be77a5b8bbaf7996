//! Acceptance of a session: a subject of its own, and the same session as on any other transport.
//!
//! A caller asks for a session on the subject of a method, so one of the servers of this method gets it. The
//! session may call this method only, as all messages on that subject.

use std::sync::Arc;

use async_nats::Subject;
use bytes::Bytes;

use super::bridge::Bridge;
use super::headers;
use super::serving::{Service, ServiceSetup};
use crate::call_origin::{Connection, Transport};
use crate::identity::Identification;
use crate::memory_budget::{Direction, Reservation};
use crate::session::Session;
use crate::session::event_loop::run;
use crate::transport::memory;

/// Accepts a session, and tells the caller on its inbox where it is heard. It ends with the server, which
/// waits for it.
pub(super) async fn accept(
    service: &Arc<Service>,
    setup: ServiceSetup,
    method: String,
    reply: Subject,
    identification: Identification,
) {
    let ServiceSetup {
        sessions,
        max_request,
        ..
    } = setup;
    let place = match service.sessions.take(sessions.max) {
        Some(place) if !service.shutdown.is_stopping() => place,
        _ => return refuse_session(service, reply).await,
    };
    let secret = service.link.secret();
    let own = Subject::from(format!("{}.{secret}.in", service.long.subject()));
    let Ok(subscriber) = service.link.client().subscribe(own.clone()).await else {
        return;
    };
    let connection = Connection::new(Transport::Nats, None, sessions.accounts.open());
    let held = Reservation::new(&connection.memory, Direction::Request);
    let (ours, theirs) = memory::pair();
    let session = Session::new(
        ours,
        sessions.dispatcher,
        connection,
        false,
        &sessions.config,
        |origin| {
            origin.addressed = Some(method.into());
            origin.identification = identification;
        },
    );
    tell(service, reply.clone(), Some(own.clone())).await;
    let link = service.link.clone();
    let bridge = Bridge::new(link, subscriber, (own, reply), theirs, max_request, held);
    let shutdown = service.shutdown.clone();
    service.calls.spawn(run(session, shutdown.clone()));
    service.calls.spawn(async move {
        let _place = place;
        shutdown.until_killed(bridge.run()).await;
    });
}

/// Refuses a session.
pub(super) async fn refuse_session(service: &Service, reply: Subject) {
    tell(service, reply, None).await;
}

/// Answers whether there is a session, and where it hears.
async fn tell(service: &Service, reply: Subject, own: Option<Subject>) {
    let client = service.link.client();
    let nothing = Bytes::new();
    let told = match own {
        Some(own) => {
            let headers = headers::opened();
            let telling = client.publish_with_reply_and_headers(reply, own, headers, nothing);
            telling.await
        }
        None => {
            let headers = headers::refused();
            client.publish_with_headers(reply, headers, nothing).await
        }
    };
    if let Err(error) = told {
        tracing::debug!("a session was not opened: {error}");
    }
}
