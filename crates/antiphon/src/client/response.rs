//! HTTP response, checked against the request.
//!
//! An answer fits if it is one object of the same version with exactly the id that was sent, and
//! one of result and error. All else is told as what it is, but never as a result.

use std::borrow::Cow;
use std::time::Duration;

use antiphon_proto::{Entry, ErrorObject, Id, Incoming, RawJson, Rules, parse};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::response::Parts;

use super::error::{Error, Reason};
use super::http::{BodyFault, Received};

/// How much is kept of what a server says when it refuses a request, in bytes.
const MAX_REFUSAL: usize = 1024;

/// An HTTP answer to one request of ours.
pub(super) struct Answer {
    pub(super) head: Parts,
    pub(super) body: Result<Bytes, BodyFault>,
    pub(super) elapsed: Duration,
}

/// Why a body is no answer.
type Fault = Cow<'static, str>;

/// A result, or the error in its place.
pub(super) type Outcome = Result<RawJson, ErrorObject>;

/// What a batch was answered with.
pub(super) enum BatchAnswer {
    /// Entries, in the server's order.
    Entries(Vec<Entry>),
    /// One error for all of it.
    Refused(ErrorObject),
}

impl Answer {
    pub(super) fn new(received: Received, elapsed: Duration) -> Self {
        Self {
            head: received.head,
            body: received.body,
            elapsed,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The body; empty if it was not read to its end.
    pub(super) fn bytes(&self) -> Bytes {
        self.body.as_ref().map(Bytes::clone).unwrap_or_default()
    }

    /// The result of a call; with `id` none there can be an error only.
    pub(super) fn single(
        self,
        subject: &str,
        id: Option<&Id>,
        version: &str,
    ) -> Result<RawJson, Error> {
        let (status, outcome) = self.judge(subject, |body| read_single(body, id, version))?;
        outcome.map_err(|error| Error::refused(subject, error).status_of(status))
    }

    /// The fate of a notification: there is nothing to read unless it was refused, which a server
    /// of JSON-RPC says with status 200. What else it may write there is nobody's concern.
    pub(super) fn nothing(self, subject: &str, version: &str) -> Result<(), Error> {
        let success = self.status().is_success();
        match self.single(subject, None, version) {
            Err(error) if !success || error.code().is_some() => Err(error),
            _ => Ok(()),
        }
    }

    /// The answers to a batch of `calls` calls.
    pub(super) fn batch(
        self,
        subject: &str,
        calls: usize,
        version: &str,
    ) -> Result<(StatusCode, BatchAnswer), Error> {
        self.judge(subject, |body| read_batch(body, calls, version))
    }

    /// Reads the body; if it cannot be read as an answer, tells what the HTTP status makes of that.
    fn judge<T>(
        self,
        subject: &str,
        read: impl FnOnce(Bytes) -> Result<T, Fault>,
    ) -> Result<(StatusCode, T), Error> {
        let status = self.head.status;
        let fault = match self.body {
            Ok(body) => match read(body.clone()) {
                Ok(value) => return Ok((status, value)),
                Err(_) if never_ran(status) => {
                    let text = refusal(&self.head, &body);
                    return Err(Error::rejected(subject, status, text));
                }
                Err(fault) => Error::unknown(subject, Reason::Answer(fault)),
            },
            Err(_) if never_ran(status) => {
                return Err(Error::rejected(subject, status, String::new()));
            }
            Err(BodyFault::TooLong(max)) => Error::unknown(subject, Reason::TooLong(max)),
            Err(BodyFault::Broken(cause)) => {
                Error::unknown(subject, Reason::Transport).because(cause)
            }
        };
        Err(if status.is_success() {
            fault.status_of(status)
        } else {
            Error::unknown(subject, Reason::Status).status_of(status)
        })
    }
}

/// Whether a server that answers with this status, and without an answer of JSON-RPC, has not run
/// the call. A 303 is the answer to work done; 500, 502 and 504 may come from a proxy that has
/// passed the request on.
fn never_ran(status: StatusCode) -> bool {
    (status.is_redirection() && status != StatusCode::SEE_OTHER)
        || status.is_client_error()
        || matches!(status.as_u16(), 501 | 503 | 505)
}

/// The sentence in a plain-text refusal.
fn refusal(head: &Parts, body: &[u8]) -> String {
    let kind = head.headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    let plain = kind.is_some_and(|kind| {
        kind.get(..10)
            .is_some_and(|essence| essence.eq_ignore_ascii_case(b"text/plain"))
    });
    if !plain {
        return String::new();
    }
    let text = body.get(..MAX_REFUSAL).unwrap_or(body);
    String::from_utf8_lossy(text).trim().to_owned()
}

/// The answer to one call. With `id` none only an error without id can be one.
///
/// An error with the id null is a server's answer to what it could not read; over HTTP it can mean
/// no other request than ours.
fn read_single(body: Bytes, id: Option<&Id>, version: &str) -> Result<Outcome, Fault> {
    if body.is_empty() {
        return Err("the body is empty".into());
    }
    let response = match parse(body, &Rules::default().version(version)) {
        Ok(Incoming::Single(Entry::Response(response))) => response,
        Ok(Incoming::Single(Entry::Invalid(invalid))) => return Err(invalid.reason().into()),
        Ok(Incoming::Single(Entry::Request(_))) => return Err("it is a request".into()),
        Ok(Incoming::Batch(_)) => return Err("it is an array, and no batch was sent".into()),
        Err(rejection) => return Err(rejection.to_string().into()),
    };
    let ours = id.is_some_and(|id| id.as_str() == response.id());
    let other = format!("its id is {}", response.id());
    match (ours, response.id() == "null", response.into_outcome()) {
        (true, _, outcome) => Ok(outcome),
        (false, true, Err(error)) => Ok(Err(error)),
        (false, _, _) => Err(other.into()),
    }
}

/// The answers to a batch; whose they are is for the batch to say.
fn read_batch(body: Bytes, calls: usize, version: &str) -> Result<BatchAnswer, Fault> {
    if body.is_empty() {
        return Err("the body is empty".into());
    }
    let rules = Rules::default().version(version).max_batch(calls);
    match parse(body.clone(), &rules) {
        Ok(Incoming::Batch(entries)) => Ok(BatchAnswer::Entries(entries)),
        Ok(Incoming::Single(_)) => match read_single(body, None, version)? {
            Err(error) => Ok(BatchAnswer::Refused(error)),
            Ok(_) => Err("it is a single object, and a batch was sent".into()),
        },
        Err(rejection) => Err(rejection.to_string().into()),
    }
}
