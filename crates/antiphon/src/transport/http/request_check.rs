//! Checks of a request's head: whether the request may make calls, and the call options in its
//! header fields.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode, Version};
use tokio_util::sync::CancellationToken;

use crate::address::client_address::ClientAddress;
use crate::call_origin::{Connection, MAX_TRACE, Origin};
use crate::transport::http::body_framing::WireCounter;
use crate::transport::http::caller::Caller;
use crate::transport::http::headers::{Fields, Occurrence};
use crate::transport::http::host_check::Admission;
use crate::transport::http::media_types;
use crate::transport::http::refusal::Refusal;
use crate::transport::http::route::{ResponseForm, Route};
use crate::transport::http::routes::Routes;

/// Performs all checks that need no request body.
pub(super) fn accept<'a>(
    routes: &'a Routes,
    head: &Parts,
    fields: &Fields<'_>,
    admission: &Admission,
) -> Result<Accepted<'a>, Refusal> {
    let route = routes.find(head.uri.path())?;
    if head.method != Method::POST {
        return not_post(head, fields, admission);
    }
    if !media_types::is_json(fields.content_type) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be application/json, and Content-Type must say so",
        ));
    }
    let encoded = match fields.content_encoding {
        Occurrence::Never => false,
        Occurrence::Once(encoding) => encoding != "identity",
        Occurrence::Often => true,
    };
    if encoded {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must not be compressed",
        ));
    }
    Ok(Accepted::Call(route, route.form(fields)?))
}

/// Checks that everybody who reads this request finds the same end of it: its length is one number,
/// or it is `chunked` and nothing else. hyper accepts more (RFC 9112, section 6.3), and a proxy in
/// front may have understood it in another way.
pub(super) fn check_framing(head: &Parts, fields: &Fields<'_>) -> Result<(), Refusal> {
    let is_plain = match (fields.transfer_encoding, fields.content_length) {
        (Occurrence::Never, Occurrence::Never) => true,
        (Occurrence::Never, Occurrence::Once(length)) => {
            let length = length.as_bytes();
            !length.is_empty() && length.iter().all(u8::is_ascii_digit)
        }
        (Occurrence::Once(coding), Occurrence::Never) => {
            head.version == Version::HTTP_11 && coding.as_bytes().eq_ignore_ascii_case(b"chunked")
        }
        _ => false,
    };
    match is_plain {
        true => Ok(()),
        false => Err(Refusal::bad_request("the length of the body is ambiguous")),
    }
}

/// Checks that a request has no body where none belongs, for this reason. What follows the head of a
/// request for an upgrade would be read as the other protocol by one reader, and as a body by another.
pub(super) fn check_no_body(fields: &Fields<'_>, reason: &'static str) -> Result<(), Refusal> {
    let has_none = match fields.content_length {
        Occurrence::Never => true,
        Occurrence::Once(length) => length == "0",
        Occurrence::Often => false,
    };
    match has_none && fields.transfer_encoding == Occurrence::Never {
        true => Ok(()),
        false => Err(Refusal::bad_request(reason)),
    }
}

/// A request that has passed the checks.
pub(super) enum Accepted<'a> {
    /// The body is a message for this route; the response has one of these formats.
    Call(&'a Route, ResponseForm),
    /// A CORS preflight request of a web page.
    Preflight,
    /// A question for the methods of HTTP that the path knows.
    Options,
}

/// Accepts OPTIONS, as a CORS preflight or by itself; any other request that is not a POST gets an
/// error response.
fn not_post(
    head: &Parts,
    fields: &Fields<'_>,
    admission: &Admission,
) -> Result<Accepted<'static>, Refusal> {
    let is_options = head.method == Method::OPTIONS;
    let is_preflight = is_options
        && fields.origin != Occurrence::Never
        && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    match (is_preflight, &admission.cors) {
        (true, Some(_)) => Ok(Accepted::Preflight),
        (true, None) => Err(Refusal::forbidden(
            "only pages of a named origin are asked before",
        )),
        (false, _) if is_options => Ok(Accepted::Options),
        (false, _) => Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "JSON-RPC is called with POST; a GET can subscribe, with a query and `Accept: text/event-stream`",
        )),
    }
}

/// Call options and caller properties taken from the head; they apply to all calls in the body.
pub(super) struct CallHead<'a> {
    pub(super) connection: &'a Arc<Connection>,
    pub(super) stopping: &'a CancellationToken,
    pub(super) wire: Option<&'a WireCounter>,
    pub(super) client: ClientAddress,
    pub(super) local: bool,
    pub(super) admin: bool,
    /// The bytes of the header fields.
    pub(super) bytes: usize,
    pub(super) timeout: Option<Duration>,
    pub(super) traceparent: Option<Arc<str>>,
    pub(super) tracestate: Option<Arc<str>>,
}

impl<'a> CallHead<'a> {
    pub(super) fn new(fields: &Fields<'_>, caller: &'a Caller, admin: bool) -> Self {
        let text = |value: Option<&HeaderValue>| {
            let value = value.filter(|value| value.len() <= MAX_TRACE);
            value?.to_str().ok().map(Arc::from)
        };
        let milliseconds = fields
            .timeout
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            connection: &caller.connection,
            stopping: &caller.stopping,
            wire: caller.wire.as_ref(),
            client: caller.client(fields.all),
            local: caller.local && !fields.forwarded,
            admin,
            bytes: fields.bytes,
            timeout: milliseconds.map(Duration::from_millis),
            traceparent: text(fields.traceparent),
            tracestate: text(fields.tracestate),
        }
    }

    /// Tells the origin of the calls of this request what is known of it.
    pub(super) fn describe(&self, origin: &mut Origin) {
        origin.client = self.client;
        origin.admin = self.admin;
        origin.timeout = self.timeout;
        origin.traceparent.clone_from(&self.traceparent);
        origin.tracestate.clone_from(&self.tracestate);
    }
}
