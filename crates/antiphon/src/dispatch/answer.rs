//! Responses to whole messages, and to messages that are rejected.

use antiphon_proto::{Entry, ErrorCode, ErrorObject, Rejection, message};
use http::StatusCode;
use http::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};

use crate::identity::is_scope;
use crate::memory_budget::Payload;
use crate::subscription::Opening;

/// The initial capacity for a response, in bytes; enough for a typical one.
pub(super) const ANSWER_SIZE: usize = 128;

/// The response to a message, and the subscriptions that follow it.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// `None` if there is nothing to answer.
    pub(crate) text: Option<Payload>,
    /// The subscriptions whose ids are in the response.
    pub(crate) streams: Vec<Opening>,
    /// Set if the message is a single call that was refused before it ran.
    pub(crate) denied: Option<Box<Denied>>,
    /// The code of the error, if the message is a single one and is answered with an error.
    pub(crate) code: Option<ErrorCode>,
}

/// What HTTP says beside the error of a call that was refused before it ran.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) status: StatusCode,
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
}

impl Denied {
    /// What goes with an error that says who may call; `None` for any other error.
    pub(super) fn of(error: &ErrorObject) -> Option<Box<Self>> {
        let (status, challenge) = match error.code() {
            ErrorCode::UNAUTHENTICATED => (StatusCode::UNAUTHORIZED, "Bearer".to_owned()),
            ErrorCode::FORBIDDEN => (StatusCode::FORBIDDEN, insufficient(error)),
            _ => return None,
        };
        let challenge = HeaderValue::try_from(challenge).ok()?;
        Some(Box::new(Self {
            status,
            header: Some((WWW_AUTHENTICATE, challenge)),
        }))
    }
}

/// The challenge to a caller who lacks a scope (RFC 6750, section 3.1).
fn insufficient(error: &ErrorObject) -> String {
    match error.missing_scope() {
        Some(scope) if scope.split(' ').all(is_scope) => {
            format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")
        }
        _ => "Bearer error=\"insufficient_scope\"".to_owned(),
    }
}

impl From<Vec<u8>> for Answered {
    fn from(text: Vec<u8>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }
}

/// The response to a message that is rejected as a whole.
pub(crate) fn reject(rejection: &Rejection) -> Vec<u8> {
    tracing::debug!("a message was rejected: {rejection}");
    let mut answer = Vec::new();
    message::write_error(&mut answer, b"null", &rejection.error());
    answer
}

/// The response to a message of which nothing is looked at, for this reason.
#[cfg(feature = "server")]
pub(crate) fn unread(error: &ErrorObject) -> Vec<u8> {
    let mut answer = Vec::new();
    message::write_error(&mut answer, b"null", error);
    answer
}

/// The response to an entry that is not a request: an invalid request, as is an unexpected
/// response.
pub(super) fn refuse(entry: &Entry) -> Vec<u8> {
    let (id, reason) = match entry {
        Entry::Invalid(invalid) => (invalid.id(), invalid.reason()),
        Entry::Response(response) => (response.id(), "an answer to no call"),
        Entry::Request(request) => (request.id().unwrap_or("null"), ""),
    };
    tracing::debug!("an invalid request: {reason}");
    let mut answer = Vec::new();
    message::write_error(
        &mut answer,
        id.as_bytes(),
        &ErrorObject::of(ErrorCode::INVALID_REQUEST),
    );
    answer
}
