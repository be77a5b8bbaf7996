//! Identification of the caller of a request.

use http::Response;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, StatusCode};

use antiphon_proto::Printable;

use crate::audit::AuditLog;
use crate::dispatch::unauthenticated;
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
/// The response, if the credentials are no good or cannot be checked: nothing of the request runs.
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
    let verdict = authenticators.authenticate(&credentials).await;
    head.headers = credentials.into_headers();
    match verdict {
        Ok(identity) => Ok(Identification::of(identity)),
        Err(error) => {
            let caller = connection.caller_id(caller.client(&head.headers));
            tracing::debug!(
                "credentials of {caller} were refused: {}",
                Printable(&error)
            );
            if error.is_unavailable() {
                return Err(unavailable());
            }
            if let Some(audit) = audit {
                audit.refused_credentials(caller);
            }
            Err(refused())
        }
    }
}

fn unavailable() -> Response<Body> {
    let reason = "the credentials cannot be checked now";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}

/// The response to credentials that are no good.
fn refused() -> Response<Body> {
    let text = unauthenticated();
    let json = HeaderValue::from_static("application/json");
    let mut response = reply::answer(Payload::from(text), json, None);
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(WWW_AUTHENTICATE, INVALID);
    response
}
