//! Responses to calls, notifications and OPTIONS.

use http::header::{self, HeaderValue};
use http::{Response, StatusCode};

use crate::dispatch::Denied;
use crate::memory_budget::Payload;
use crate::transport::http::body::Body;
use crate::transport::http::events;

/// A response with this media type. If it is the error of a call that was refused before it ran, the
/// status tells so, too.
pub(crate) fn answer(
    payload: Payload,
    media_type: HeaderValue,
    denied: Option<Box<Denied>>,
) -> Response<Body> {
    let mut response = Response::new(Body::from(payload));
    if let Some(denied) = denied {
        *response.status_mut() = denied.status;
        response.headers_mut().extend(denied.header);
    }
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, media_type);
    response
}

/// An event stream, with one event or many.
pub(crate) fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static(events::MEDIA_TYPE);
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

/// Allows the page of this origin, if there is one, to read the response (CORS).
pub(crate) fn share(mut response: Response<Body>, origin: Option<HeaderValue>) -> Response<Body> {
    let Some(origin) = origin else {
        return response;
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if headers.contains_key(header::RETRY_AFTER) {
        let exposed = HeaderValue::from_static("retry-after");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

/// The methods of HTTP that a path of calls knows. A GET that subscribes, or reads a document, is not
/// there for everybody.
pub(crate) const ALLOWED: HeaderValue = HeaderValue::from_static("POST, OPTIONS");

/// The response to OPTIONS that is no preflight (RFC 9110, section 9.3.7).
pub(crate) fn options() -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    response.headers_mut().insert(header::ALLOW, ALLOWED);
    response
}

/// The response to a CORS preflight (Fetch standard).
pub(crate) fn preflight() -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST"),
    );
    let allowed = "authorization, content-type, last-event-id, rpc-timeout-ms, traceparent, \
         tracestate";
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(allowed),
    );
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("600"),
    );
    response
}
