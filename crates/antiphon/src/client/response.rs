//! HTTP response, checked against the request.
//!
//! A valid response is one object of the same version, with exactly the id that was sent, and with
//! either a result or an error. Anything else becomes an error, never a result.

use std::borrow::Cow;
use std::time::Duration;

use antiphon_proto::{Entry, ErrorCode, ErrorObject, Id, Incoming, RawJson, Rules, parse};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use serde::Deserialize;
use tokio::time::Instant;

use super::error::{Error, Reason};
use super::http::{BodyFault, Received};

/// Says `false` if no call of the request has run.
const MAY_HAVE_RUN: &str = "rpc-may-have-run";

/// How much of the body is kept when a server rejects a request, in bytes.
const MAX_REFUSAL: usize = 1024;

/// An HTTP response to one of our requests.
pub(super) struct Answer {
    pub(super) head: Parts,
    pub(super) body: Result<Bytes, BodyFault>,
    pub(super) elapsed: Duration,
}

/// What a response says of the attempt.
pub(super) enum Says {
    Nothing,
    /// An error that says whether the call has run.
    Error(ErrorObject),
    /// Nothing has run: it was refused before it was a call.
    Refused,
    Status(StatusCode),
}

/// Why a body is not a valid response.
type Fault = Cow<'static, str>;

/// The result or the error of a response.
pub(super) type Outcome = Result<RawJson, ErrorObject>;

/// The response to a batch.
pub(super) enum BatchAnswer {
    /// The entries, in the server's order.
    Entries(Vec<Entry>),
    /// One error for the whole batch.
    Refused(ErrorObject),
}

impl Answer {
    pub(super) fn new(received: Received, started: Instant) -> Self {
        Self {
            head: received.head,
            body: received.body,
            elapsed: received.ended.saturating_duration_since(started),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.head.status
    }

    /// What it says of the attempt, before it is read as a response.
    pub(super) fn says(&self) -> Says {
        let body = self.body.as_ref().map_or(&[][..], |body| body);
        match self.head.status {
            // What may be a response is one, whatever its status.
            _ if body.first() == Some(&b'{') => self.error().map_or(Says::Nothing, Says::Error),
            StatusCode::SERVICE_UNAVAILABLE if never_ran(&self.head) => Says::Refused,
            status => Says::Status(status),
        }
    }

    /// The error of a short response that says whether the call has run.
    fn error(&self) -> Option<ErrorObject> {
        let body = self.body.as_ref().ok()?;
        let says_so = |body: &[u8]| {
            let member = b"\"mayHaveRun\"";
            body.windows(member.len()).any(|window| window == member)
        };
        if body.len() > MAX_REFUSAL || !says_so(body) {
            return None;
        }
        match parse(body.clone(), &Rules::default()) {
            Ok(Incoming::Single(Entry::Response(response))) => response.into_outcome().err(),
            _ => None,
        }
    }

    /// Whether the server did not know who called, so that nothing has run: HTTP status 401, or
    /// error −32006 alone in a short body.
    pub(super) fn is_unauthenticated(&self) -> bool {
        #[derive(Deserialize)]
        struct Failed {
            error: Coded,
        }
        #[derive(Deserialize)]
        struct Coded {
            code: i64,
        }
        if self.head.status == StatusCode::UNAUTHORIZED {
            return true;
        }
        let body = self.body.as_ref().map_or(&[][..], |body| body);
        let failed = (body.len() <= MAX_REFUSAL && body.first() == Some(&b'{'))
            .then(|| serde_json::from_slice::<Failed>(body).ok())
            .flatten();
        failed.is_some_and(|failed| failed.error.code == ErrorCode::UNAUTHENTICATED.0)
    }

    /// The body; empty if it was not read to its end.
    pub(super) fn bytes(&self) -> Bytes {
        self.body.as_ref().map(Bytes::clone).unwrap_or_default()
    }

    /// The result of a call. Without an `id`, only an error is a valid response.
    pub(super) fn single(
        self,
        subject: &str,
        id: Option<&Id>,
        rules: &Rules,
    ) -> Result<RawJson, Error> {
        let (status, outcome) = self.judge(subject, |body| read_single(body, id, rules))?;
        outcome.map_err(|error| Error::refused(subject, error).status_of(status))
    }

    /// Whether a notification was accepted. JSON-RPC servers may respond with status 200 and an
    /// error object; any other body of a successful response is ignored.
    pub(super) fn nothing(self, subject: &str, rules: &Rules) -> Result<(), Error> {
        let success = self.status().is_success();
        match self.single(subject, None, rules) {
            Err(error) if !success || error.code().is_some() => Err(error),
            _ => Ok(()),
        }
    }

    /// The responses to a batch of `calls` calls.
    pub(super) fn batch(
        self,
        subject: &str,
        calls: usize,
        rules: &Rules,
    ) -> Result<(StatusCode, BatchAnswer), Error> {
        self.judge(subject, |body| read_batch(body, calls, rules))
    }

    /// Reads the body. If that is not a valid response, the error depends on the HTTP status.
    fn judge<T>(
        self,
        subject: &str,
        read: impl FnOnce(Bytes) -> Result<T, Fault>,
    ) -> Result<(StatusCode, T), Error> {
        let status = self.head.status;
        let fault = match self.body {
            Ok(body) => match read(body.clone()) {
                Ok(value) => return Ok((status, value)),
                Err(_) if never_ran(&self.head) => {
                    let text = refusal(&self.head, &body);
                    return Err(Error::rejected(subject, status, text));
                }
                Err(fault) => Error::unknown(subject, Reason::Answer(fault)),
            },
            Err(_) if never_ran(&self.head) => {
                return Err(Error::rejected(subject, status, String::new()));
            }
            Err(BodyFault::TooLong(max)) => Error::unknown(subject, Reason::TooLong(max)),
            Err(BodyFault::Broken(cause)) => {
                Error::unknown(subject, Reason::broken(&cause)).because(cause)
            }
        };
        Err(if status.is_success() {
            fault.status_of(status)
        } else {
            Error::unknown(subject, Reason::Status).status_of(status)
        })
    }
}

/// Whether this status, without a JSON-RPC response, means that the call has not run. A 303 may
/// follow completed work; 500, 502, 503 and 504 may come from a proxy that has forwarded the request.
/// Servers of Antiphon say of a 503 that nothing has run.
fn never_ran(head: &Parts) -> bool {
    let status = head.status;
    let is_said = || {
        head.headers
            .get(MAY_HAVE_RUN)
            .is_some_and(|said| said == "false")
    };
    (status.is_redirection() && status != StatusCode::SEE_OTHER)
        || status.is_client_error()
        || matches!(status.as_u16(), 501 | 505)
        || (status == StatusCode::SERVICE_UNAVAILABLE && is_said())
}

/// The message of a plain-text rejection.
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

/// Reads the response to one call. Without an `id`, only an error with the id null is valid.
///
/// An error with the id null means that the server could not read the request. Over HTTP, that
/// can only be our request.
fn read_single(body: Bytes, id: Option<&Id>, rules: &Rules) -> Result<Outcome, Fault> {
    if body.is_empty() {
        return Err("the body is empty".into());
    }
    let response = match parse(body, rules) {
        Ok(Incoming::Single(Entry::Response(response))) => response,
        Ok(Incoming::Single(Entry::Invalid(invalid))) => return Err(invalid.reason().into()),
        Ok(Incoming::Single(Entry::Request(_))) => return Err("it is a request".into()),
        Ok(Incoming::Batch(_)) => return Err("it is an array, and no batch was sent".into()),
        Err(rejection) => return Err(rejection.to_string().into()),
    };
    if id.is_some_and(|id| id.as_str() == response.id()) {
        return Ok(response.into_outcome());
    }
    let (is_null, fault) = (
        response.id() == "null",
        format!("its id is {}", response.id()),
    );
    match response.into_outcome() {
        Err(error) if is_null => Ok(Err(error)),
        _ => Err(fault.into()),
    }
}

/// Reads the responses to a batch. The batch matches them to its calls.
fn read_batch(body: Bytes, calls: usize, rules: &Rules) -> Result<BatchAnswer, Fault> {
    if body.is_empty() {
        return Err("the body is empty".into());
    }
    let rules = rules.clone().max_batch(calls);
    match parse(body.clone(), &rules) {
        Ok(Incoming::Batch(entries)) => Ok(BatchAnswer::Entries(entries)),
        Ok(Incoming::Single(_)) => match read_single(body, None, &rules)? {
            Err(error) => Ok(BatchAnswer::Refused(error)),
            Ok(_) => Err("it is a single object, and a batch was sent".into()),
        },
        Err(rejection) => Err(rejection.to_string().into()),
    }
}
