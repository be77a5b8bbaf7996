//! Answers to whole messages, and to those of which nothing runs.

use antiphon_proto::{Entry, ErrorCode, ErrorObject, Rejection, message};

use crate::subscription::Opening;

/// Room for a usual answer, so that writing one does not grow its buffer step by step.
pub(super) const ANSWER_SIZE: usize = 128;

/// The answer to a message, and what follows it.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// `None` if there is nothing to answer.
    pub(crate) text: Option<Vec<u8>>,
    /// The subscriptions whose ids are in the answer.
    pub(crate) streams: Vec<Opening>,
}

impl From<Vec<u8>> for Answered {
    fn from(text: Vec<u8>) -> Self {
        Self {
            text: Some(text),
            streams: Vec::new(),
        }
    }
}

/// The answer to a message of which nothing runs.
pub(super) fn reject(rejection: &Rejection) -> Vec<u8> {
    tracing::debug!("a message was rejected: {rejection}");
    let mut answer = Vec::new();
    message::write_error(&mut answer, b"null", &rejection.error());
    answer
}

/// What is no request is answered as one that is invalid; an answer where nobody asked, too.
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
