//! Error responses to requests that do not become a call: a status and one sentence of plain text.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::transport::http::body::Body;
use crate::transport::http::reply;

/// Says `false` if no call of the request has run.
pub(crate) const MAY_HAVE_RUN: HeaderName = HeaderName::from_static("rpc-may-have-run");

/// An error response to a request that does not become a call. The body is one sentence of plain
/// text.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    reason: &'static str,
    /// Whether the response closes the connection.
    close: bool,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, reason: &'static str) -> Self {
        let close = matches!(
            status,
            StatusCode::BAD_REQUEST
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
                | StatusCode::SERVICE_UNAVAILABLE
        );
        Self {
            status,
            reason,
            close,
        }
    }

    pub(crate) fn forbidden(reason: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, reason)
    }

    pub(crate) fn bad_request(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let text = format!("{}\n", self.reason);
        let mut response = Response::new(Body::from(Bytes::from(text)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, plain);
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, reply::ALLOWED);
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            // A proxy may say 503 as well when its server has died with the call.
            headers.insert(MAY_HAVE_RUN, HeaderValue::from_static("false"));
        }
        if self.close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
