//! Subscriptions by GET, as an `EventSource` of a browser asks for them.
//!
//! Any page can make a browser send a GET. So a GET reaches methods that open subscriptions, and to it
//! all others do not exist; and nothing begins for a page of another origin that could not read it.
//!
//! An `EventSource` comes back whenever its stream ends or is cut, and gives up for ever when it gets
//! another status than 200. Here that status says so: an error that would be the same the next time has
//! its own, a stream that has come to its end is answered with 204, and what passes by itself is a
//! stream of one event, which tells when to come back.

use std::sync::Arc;
use std::time::Duration;

use antiphon_proto::{ErrorCode, ErrorObject};
use http::header::{HeaderValue, RETRY_AFTER};
use http::request::Parts;
use http::{Method, Response, StatusCode};

use crate::dispatch::{Answered, Denied, stream_request, unread};
use crate::identity::Identification;
use crate::memory_budget::Payload;
use crate::session_state::{ConnectionLimits, SessionHandle};
use crate::transport::http::answer_call::{ResponseFuture, origin_of};
use crate::transport::http::body::Body;
use crate::transport::http::events::{
    EventReader, Events, LAST_ID, MEDIA_TYPE, last_event, response_event,
};
use crate::transport::http::headers::{Fields, Occurrence};
use crate::transport::http::media_types;
use crate::transport::http::query::{MAX_QUERY, Query, names_method};
use crate::transport::http::refusal::Refusal;
use crate::transport::http::reply;
use crate::transport::http::request_body;
use crate::transport::http::request_check::{CallHead, check_no_body};
use crate::transport::http::room::{has_many, with_room};
use crate::transport::http::route::Route;

/// Whether a GET asks for a subscription: its query has a method, and its `Accept` names event streams.
pub(super) fn is_requested(head: &Parts, fields: &Fields<'_>) -> bool {
    head.method == Method::GET
        && head.uri.query().is_some_and(names_method)
        && media_types::is_wanted(fields, MEDIA_TYPE)
}

/// Checks what concerns a GET alone.
pub(super) fn check(fields: &Fields<'_>) -> Result<(), Refusal> {
    // A browser names the page in `Origin`, but not that of the server itself, and not one that asks
    // without CORS and cannot read the answer.
    let is_own = |site: &HeaderValue| site == "same-origin" || site == "none";
    if fields.origin == Occurrence::Never && !fields.sec_fetch_site.is_none_or(is_own) {
        return Err(Refusal::forbidden(
            "a page of another origin has to ask with CORS",
        ));
    }
    check_no_body(fields, "a GET has no body")
}

/// The response to a GET that asks for a subscription. It is boxed here, so that the future of other
/// requests has no room for it.
pub(super) fn answer<'a>(
    head: Parts,
    route: &'a Route,
    call: CallHead<'a>,
    identification: Identification,
    limits: &'a Arc<ConnectionLimits>,
) -> ResponseFuture<'a> {
    Box::pin(subscribe(head, route, call, identification, limits))
}

async fn subscribe(
    head: Parts,
    route: &Route,
    call: CallHead<'_>,
    identification: Identification,
    limits: &Arc<ConnectionLimits>,
) -> Response<Body> {
    let text = head.uri.query().unwrap_or_default();
    if text.len() > MAX_QUERY {
        let reason = "the query is too long";
        return unusable(StatusCode::URI_TOO_LONG, ErrorCode::INVALID_REQUEST, reason);
    }
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(reason) => {
            return unusable(StatusCode::BAD_REQUEST, ErrorCode::INVALID_REQUEST, reason);
        }
    };
    let memory = &call.connection.memory;
    let many = has_many(&head, memory);
    // The query, what was decoded of it, and the message.
    let bytes = head.uri.path().len() + 3 * text.len() + call.bytes;
    let Ok(_held) = request_body::hold_head(bytes, many, memory) else {
        return busy();
    };
    let after = last_seen(&head).or(query.after.as_deref());
    let is_over = after == Some(LAST_ID);
    let message = match stream_request(&query.method, query.params.as_deref(), after) {
        Ok(message) => message,
        Err(error) => return refused(unread(&error).into(), error.code(), None),
    };
    let mut origin = origin_of(route, &call, identification, head);
    origin.only_streams = true;
    if is_over
        && route
            .dispatcher
            .only_streams(query.method.as_bytes(), &origin)
    {
        return reply::empty(StatusCode::NO_CONTENT);
    }
    let handle = SessionHandle::new(Arc::clone(limits), memory, false);
    origin.session = Some(handle.clone());
    let answering = route
        .dispatcher
        .dispatch(message, Arc::new(origin), call.connection);
    let Answered {
        text,
        streams,
        denied,
        code,
    } = with_room(answering, many.then_some(&**memory)).await;
    let mut text = text.unwrap_or_default();
    if many && text.hold_all(memory).is_err() {
        return busy();
    }
    if let Some(code) = code {
        return refused(text, code, denied);
    }
    if streams.is_empty() {
        // A layer has answered in place of the method.
        let mut only = response_event(text, Duration::ZERO, None);
        only.text.extend_from_slice(&last_event());
        return reply::events(Body::from(only));
    }
    let reader = EventReader::EventSource;
    let events = Events::new(text, streams, handle, memory, call.stopping, reader);
    reply::events(Body::from(events))
}

/// The last event that the browser has seen; the empty text if that is no cursor.
fn last_seen(head: &Parts) -> Option<&str> {
    let id = head.headers.get("last-event-id")?;
    (!id.is_empty()).then(|| id.to_str().unwrap_or_default())
}

/// The response to a call that was answered with an error.
fn refused(text: Payload, code: ErrorCode, denied: Option<Box<Denied>>) -> Response<Body> {
    let wait = match code {
        ErrorCode::OVERLOADED | ErrorCode::TIMEOUT => Some(Duration::ZERO),
        ErrorCode::LIMIT_EXCEEDED => Some(retry_after(denied.as_deref())),
        _ => None,
    };
    if let Some(wait) = wait {
        return reply::events(Body::from(response_event(text, wait, None)));
    }
    let status = match code {
        ErrorCode::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        ErrorCode::INTERNAL_ERROR => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    let header = None;
    let denied = denied.unwrap_or_else(|| Box::new(Denied { status, header }));
    let json = HeaderValue::from_static("application/json");
    reply::answer(text, json, Some(denied))
}

/// How long a caller has to wait who makes too many calls.
fn retry_after(denied: Option<&Denied>) -> Duration {
    let header = denied.and_then(|denied| denied.header.as_ref());
    let seconds = header
        .filter(|(name, _)| name == RETRY_AFTER)
        .and_then(|(_, value)| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or_default())
}

/// The response to a request that is no call.
fn unusable(status: StatusCode, code: ErrorCode, reason: &'static str) -> Response<Body> {
    let text = unread(&ErrorObject::new(code, reason)).into();
    let header = None;
    refused(text, code, Some(Box::new(Denied { status, header })))
}

/// The response for want of memory.
fn busy() -> Response<Body> {
    let error = ErrorObject::of(ErrorCode::OVERLOADED);
    refused(unread(&error).into(), error.code(), None)
}
