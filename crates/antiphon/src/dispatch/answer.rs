//! Responses to whole messages, and to messages that are rejected.

use antiphon_proto::{Entry, ErrorCode, ErrorObject, Rejection, message};
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};

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
}

/// What HTTP says beside the error of a call that was refused before it ran.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) status: StatusCode,
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
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
