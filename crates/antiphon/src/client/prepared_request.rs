//! HTTP request that can be made more than once: for another attempt, or another version of HTTP.

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use tokio::time::Instant;

use super::http::Body;
use super::sent_mark::SentMark;
use crate::current_call::CurrentCall;
use crate::identity::Identity;

/// The time that remains until the caller's deadline, in whole milliseconds.
pub(super) const TIMEOUT: HeaderName = HeaderName::from_static("rpc-timeout-ms");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The headers of every request of a client, so that those of one request need few changes: what is
/// different in each of them has a place in the map, too.
pub(super) struct CommonHeaders {
    pub(super) map: HeaderMap,
    /// The timeout in the map, in milliseconds.
    pub(super) timeout: Option<u64>,
    /// What stands there for a call without a timeout.
    pub(super) without_timeout: Option<HeaderValue>,
}

/// How many entries are free in the map. A full one would be made larger for each request, since the
/// HTTP library reserves a place where it looks for one.
const SPARE: usize = 4;

/// For a broker: where it takes a request, and whether a response is asked for.
#[derive(Clone, Copy)]
pub(super) struct Addressee<'a> {
    pub(super) method: &'a str,
    pub(super) is_answered: bool,
}

/// A request.
pub(super) struct PreparedRequest<'a> {
    pub(super) common: &'a CommonHeaders,
    pub(super) addressee: Option<Addressee<'a>>,
    pub(super) authorization: Option<&'a HeaderValue>,
    /// For a broker: who calls, if that is passed on.
    pub(super) identity: Option<&'a Identity>,
    /// The time that is left, in milliseconds.
    pub(super) timeout: Option<u64>,
    /// When the time is over. Who has waited looks at it again before anything is sent.
    pub(super) deadline: Option<Instant>,
    /// The call in whose trace it is made.
    pub(super) current: &'a CurrentCall,
    pub(super) text: Bytes,
    pub(super) mark: &'a SentMark,
}

impl CommonHeaders {
    pub(super) fn new(mut map: HeaderMap, timeout: Option<u64>) -> Self {
        let without_timeout = match timeout {
            Some(timeout) => map.insert(TIMEOUT, timeout.into()),
            None => map.get(&TIMEOUT).cloned(),
        };
        map.reserve(SPARE);
        Self {
            map,
            timeout,
            without_timeout,
        }
    }
}

impl PreparedRequest<'_> {
    /// The request, for a transport that does not tell when it takes the body.
    pub(super) fn to(&self, uri: &Uri) -> Request<Body> {
        self.with(uri, Body::from(self.text.clone()))
    }

    /// The request, for a transport that takes the body when it needs it. Until then, nothing can have
    /// been sent.
    pub(super) fn watched_to(&self, uri: &Uri) -> Request<Body> {
        self.with(uri, Body::watched(self.text.clone(), self.mark))
    }

    /// The request with this body.
    pub(super) fn with<B>(&self, uri: &Uri, body: B) -> Request<B> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        *headers = self.common.map.clone();
        if self.timeout != self.common.timeout {
            match (self.timeout, &self.common.without_timeout) {
                (Some(left), _) => drop(headers.insert(TIMEOUT, left.into())),
                (None, Some(own)) => drop(headers.insert(TIMEOUT, own.clone())),
                (None, None) => drop(headers.remove(TIMEOUT)),
            }
        }
        if let Some(authorization) = self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let trace = [
            (TRACEPARENT, &self.current.traceparent),
            (TRACESTATE, &self.current.tracestate),
        ];
        for (name, value) in trace {
            // A value that came in a JSON member may be invalid in a header; then it is dropped.
            let value = value.as_deref().map(HeaderValue::from_str);
            if let Some(Ok(value)) = value {
                headers.insert(name, value);
            }
        }
        request
    }
}
