//! Identification of the caller of a request.

use std::time::Duration;

use http::Response;
use http::header::{HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, StatusCode};

use antiphon_proto::{ErrorCode, ErrorObject, Printable};

use crate::audit::AuditLog;
use crate::dispatch::{Denied, unread};
use crate::error::{limit_exceeded, retry_after_seconds};
use crate::identity::{Authenticators, Credentials, Identification, PeerCredentials};
use crate::memory_budget::Payload;
use crate::transport::http::body::Body;
use crate::transport::http::caller::Caller;
use crate::transport::http::refusal::Refusal;
use crate::transport::http::reply;

/// What a caller is told whose credentials are no good (RFC 6750, section 3.1).
const INVALID: HeaderValue = HeaderValue::from_static("Bearer error=\"invalid_token\"");

/// Asks who the caller is, who has sent the request `direct`ly or through a proxy. The headers are in
/// the credentials meanwhile. Credentials that are refused are recorded.
///
/// # Errors
///
/// The response, if the credentials are no good, cannot be checked, or are too many: nothing of the
/// request runs.
pub(super) async fn identify(
    authenticators: &Authenticators,
    audit: Option<&AuditLog>,
    caller: &Caller,
    direct: bool,
    head: &mut Parts,
) -> Result<Identification, Response<Body>> {
    // A preflight never has credentials (Fetch standard, section 3.2.2).
    if head.method == Method::OPTIONS {
        return Ok(Identification::Anonymous);
    }
    let connection = &caller.connection;
    // What a connection proves is a proxy's, if the request came through one.
    let proof = match direct {
        true => connection.proof.clone(),
        false => PeerCredentials::default(),
    };
    let credentials = Credentials::of_request(std::mem::take(&mut head.headers), proof);
    let client = || {
        let headers = credentials.headers();
        headers.map_or(connection.client, |headers| caller.client(headers))
    };
    let verdict = authenticators.authenticate(&credentials, client).await;
    head.headers = credentials.into_headers();
    match verdict {
        Ok(identity) => Ok(Identification::of(identity)),
        Err(error) => {
            let caller = connection.caller_id(caller.client(&head.headers));
            tracing::debug!(
                "credentials of {caller} were refused: {}",
                Printable(&error)
            );
            if let Some(audit) = audit {
                audit.refused_credentials(caller, &error);
            }
            Err(match error.retry_after() {
                Some(wait) => limited(wait),
                None if error.is_unavailable() => unavailable(),
                None => refused(),
            })
        }
    }
}

fn unavailable() -> Response<Body> {
    let reason = "the credentials cannot be checked now";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}

/// The response to credentials that are no good.
fn refused() -> Response<Body> {
    let error = ErrorObject::of(ErrorCode::UNAUTHENTICATED);
    denied(
        StatusCode::UNAUTHORIZED,
        (WWW_AUTHENTICATE, INVALID),
        &error,
    )
}

/// The response to credentials that are not looked at, since too many others were no good.
fn limited(wait: Duration) -> Response<Body> {
    let seconds = HeaderValue::from(retry_after_seconds(wait));
    let status = StatusCode::TOO_MANY_REQUESTS;
    denied(status, (RETRY_AFTER, seconds), &limit_exceeded(wait))
}

fn denied(
    status: StatusCode,
    header: (HeaderName, HeaderValue),
    error: &ErrorObject,
) -> Response<Body> {
    let header = Some(header);
    let json = HeaderValue::from_static("application/json");
    let text = Payload::from(unread(error));
    reply::answer(text, json, Some(Box::new(Denied { status, header })))
}
