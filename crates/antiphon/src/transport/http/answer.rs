//! Answer to one request.
//!
//! [`HttpService::answer`] checks a request in this order: framing, host and origin, caller, path,
//! method, media types. The body is read only when all checks have passed. Subscriptions by GET have
//! checks of their own in place of the last three.

use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response, Version};
use http_body::Body as HttpBody;

use crate::describe::{Access, Reader};
use crate::dispatch::Answered;
use crate::identity::Identification;
use crate::memory_budget::Exhausted;
use crate::router::BoxError;
use crate::session_state::SessionHandle;
use crate::transport::http::body::Body;
use crate::transport::http::body_framing::BodyFraming;
use crate::transport::http::caller::Caller;
use crate::transport::http::event_source;
use crate::transport::http::events::{self, EventReader, Events};
use crate::transport::http::headers::{Fields, Occurrence};
use crate::transport::http::host_check::{Admission, check_form};
use crate::transport::http::identify::identify;
use crate::transport::http::pages;
use crate::transport::http::refusal::Refusal;
use crate::transport::http::reply;
use crate::transport::http::request_body;
use crate::transport::http::request_check::{
    Accepted, CallHead, accept, check_framing, check_no_body,
};
use crate::transport::http::room::{exhausted, with_room};
use crate::transport::http::route::{ResponseForm, Route};
use crate::transport::http::service::HttpService;
use crate::transport::http::upgrade::{self, Handshake, UpgradeContext};

impl HttpService {
    /// The response to a request of this caller.
    pub(crate) async fn answer<B>(&self, request: Request<B>, caller: &Caller) -> Response<Body>
    where
        B: HttpBody,
        B::Error: Into<BoxError>,
    {
        let (mut head, body) = request.into_parts();
        let pages = self.0.pages.as_deref();
        let pages = pages.filter(|_| pages::is_get(&head));
        let mut fields = Fields::of(&head.headers);
        let memory = &caller.connection.memory;
        let health = pages.and_then(|pages| pages::health(pages, &head, memory));
        let framing = check_framing(&head, &fields);
        let admission = framing.and_then(|()| match caller.named && health.is_none() {
            true => self.0.guard.check(&fields, &head.uri),
            false => check_form(&fields, &head.uri).map(|()| Admission { cors: None }),
        });
        let admission = match (admission, health) {
            (Err(refusal), _) => return refusal.into_response(),
            (Ok(_), Some(health)) => return page_or_refusal(health),
            (Ok(admission), None) => admission,
        };
        let local = caller.local && !fields.forwarded;
        let admin = self.is_admin(&fields);
        let mut identification = Identification::Unasked;
        let authenticators = &self.0.config.authenticators;
        if !authenticators.is_empty() && !admin {
            let many = head.version >= Version::HTTP_2 || memory.is_of_host();
            let held = request_body::hold_head(fields.bytes, many, memory);
            if let Err(refusal) = held {
                return refusal.into_response();
            }
            let direct = !fields.forwarded;
            let audit = self.0.routes.audit_log();
            let identifying = identify(authenticators, audit, caller, direct, &mut head);
            let identified = Box::pin(identifying).await;
            identification = match identified {
                Ok(identification) => identification,
                Err(mut response) => {
                    if let Some(origin) = admission.cors {
                        reply::share(&mut response, origin);
                    }
                    return response;
                }
            };
            fields = Fields::of(&head.headers);
        }
        if let Some(handshake) = upgrade::requested(&head) {
            if let Err(refusal) =
                check_no_body(&fields, "a request that opens a WebSocket has no body")
            {
                return refusal.into_response();
            }
            let rights = Rights {
                local,
                admin,
                identification,
            };
            return self.upgrade(head, handshake, caller, rights);
        }
        if event_source::is_requested(&head, &fields)
            && let Ok(route) = self.0.routes.find(head.uri.path())
        {
            let mut response = match event_source::check(&fields) {
                Ok(()) => {
                    let call = CallHead::new(&fields, caller, admin);
                    let limits = &self.0.config.connection;
                    event_source::answer(head, route, call, identification, limits).await
                }
                Err(refusal) => refusal.into_response(),
            };
            if let Some(origin) = admission.cors {
                reply::share(&mut response, origin);
            }
            return response;
        }
        if let Some(pages) = pages {
            let reader = Reader::from(Access::of(local, admin));
            let reader = match identification.is_anonymous() {
                true => reader.anonymous(),
                false => reader,
            };
            let page = pages::page(pages, &self.0.routes, &head, &fields, reader, memory);
            if let Some(page) = page.await {
                return page_or_refusal(page);
            }
        }
        let called = match accept(&self.0.routes, &head, &fields, &admission) {
            Ok(Accepted::Call(route, form)) => {
                let call = CallHead::new(&fields, caller, admin);
                self.call(head, body, route, form, call, identification)
                    .await
            }
            Ok(Accepted::Preflight) => Ok(reply::preflight()),
            Err(refusal) => Err(refusal),
        };
        let mut response = called.unwrap_or_else(Refusal::into_response);
        if let Some(origin) = admission.cors {
            reply::share(&mut response, origin);
        }
        response
    }

    /// Whether the caller has presented the admin token.
    fn is_admin(&self, fields: &Fields<'_>) -> bool {
        if let (Some(token), Occurrence::Once(shown)) = (&self.0.admin, fields.authorization) {
            return token.is_shown_by(shown.as_bytes());
        }
        false
    }

    /// Answers a WebSocket handshake.
    fn upgrade(
        &self,
        head: Parts,
        handshake: Handshake,
        caller: &Caller,
        rights: Rights,
    ) -> Response<Body> {
        let route = match self.0.routes.find(head.uri.path()) {
            Ok(route) => route,
            Err(refusal) => return refusal.into_response(),
        };
        let context = UpgradeContext {
            dispatcher: &route.dispatcher,
            peer: caller.connection.peer,
            client: caller.client(&head.headers),
            slot: caller.slot.as_ref(),
            local: rights.local,
            admin: rights.admin,
            identification: rights.identification,
            config: &self.0.config,
            accounts: &self.0.accounts,
            max_message: self.0.body.max,
        };
        upgrade::respond(head, handshake, &context)
    }

    async fn call<B>(
        &self,
        head: Parts,
        body: B,
        route: &Route,
        form: ResponseForm,
        call: CallHead<'_>,
        identification: Identification,
    ) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody,
        B::Error: Into<BoxError>,
    {
        let memory = &call.connection.memory;
        // On one connection, or behind one host, there may be many at a time.
        let many = head.version >= Version::HTTP_2 || memory.is_of_host();
        let line = head.uri.path().len() + head.uri.query().map_or(0, str::len);
        let held = request_body::hold_head(line + call.bytes, many, memory)?;
        let framing = BodyFraming::new(head.version, &body.size_hint(), call.wire);
        let body = request_body::read(body, held, &self.0.body, framing, memory);
        let (message, _held) = body.await?;
        let mut origin = route
            .dispatcher
            .origin(Arc::clone(call.connection), call.local);
        call.describe(&mut origin);
        origin.identification = identification;
        origin.http = Some(head);
        let handle = form
            .events
            .then(|| SessionHandle::new(Arc::clone(&self.0.config.connection), memory, false));
        origin.session.clone_from(&handle);
        let origin = Arc::new(origin);
        let answering = route.dispatcher.dispatch(message, origin, call.connection);
        let Answered {
            text,
            streams,
            denied,
            ..
        } = match many {
            true => with_room(answering, memory).await,
            false => answering.await,
        };
        let Some(mut text) = text else {
            return Ok(reply::empty(route.notification_status));
        };
        if many {
            text.hold_all(memory).map_err(exhausted)?;
        }
        if let Some(handle) = handle
            && !streams.is_empty()
        {
            let events = Events::new(
                text,
                streams,
                handle,
                memory,
                call.stopping,
                EventReader::Program,
            );
            return Ok(reply::events(Body::from(events)));
        }
        Ok(match form.whole {
            Some(media_type) => reply::answer(text, media_type, denied),
            None => reply::events(Body::from(events::event(text, None))),
        })
    }
}

/// What the caller of a request may do.
struct Rights {
    local: bool,
    admin: bool,
    identification: Identification,
}

fn page_or_refusal(page: Result<Response<Body>, Exhausted>) -> Response<Body> {
    page.unwrap_or_else(|error| exhausted(error).into_response())
}
