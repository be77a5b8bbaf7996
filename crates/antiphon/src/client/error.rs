//! Errors of a client: why there is no result, and whether the call may have run.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use antiphon_proto::{ErrorCode, ErrorObject};
use http::StatusCode;

use crate::error::{Failure, Printable};
use crate::router::BoxError;

/// A call that brought no result.
///
/// [`kind`](Self::kind) answers the question that matters, whether the call has run. The text tells
/// the story on one line; it never holds a header or a query, which may be secret.
///
/// Passed on with `?` in a method of a server, it becomes −32603 with an incident id: what a
/// service behind this one said is not for its callers.
///
/// ```
/// use antiphon::client::{Client, Kind};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let client = Client::connect("127.0.0.1:1")?;
/// let error = client.call::<f64>("calc.add", (3, 4)).await.unwrap_err();
/// match error.kind() {
///     Kind::NotSent => { /* nothing has happened: try again, or elsewhere */ }
///     Kind::Unknown => { /* it may have run: try again only what may run twice */ }
///     Kind::Refused(error) => eprintln!("{} {}", error.code(), error.message()),
///     Kind::Rejected { status, text } => eprintln!("{status} {text}"),
///     _ => { /* the parameters, or the type of the result */ }
/// }
/// assert!(error.is_connect());
/// # Ok::<(), antiphon::client::Error>(())
/// # }).unwrap();
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    /// What was to be done, as the text calls it.
    subject: Box<str>,
    repr: Repr,
    status: Option<StatusCode>,
    cause: Option<BoxError>,
}

enum Repr {
    NotSent(Reason),
    Unknown(Reason),
    Refused(ErrorObject),
    Rejected(String),
    Local(Reason),
}

/// What went wrong; together with [`Repr`] it makes a sentence.
pub(super) enum Reason {
    /// No connection to this place.
    Connect(Box<str>),
    /// Nothing came, for as long as the caller wanted to wait.
    Deadline(Duration),
    /// The transport failed; the cause says how.
    Transport,
    /// The session has ended, for this reason.
    Closed(Cow<'static, str>),
    /// The body is no answer to the call.
    Answer(Cow<'static, str>),
    /// The body is longer than this.
    TooLong(usize),
    /// An HTTP status that says nothing about the call.
    Status,
    /// The result is not of this type; the cause says why.
    Decode(&'static str),
    /// The caller asked for something that cannot be done.
    Request(Cow<'static, str>),
}

/// What is known of a call that brought no result.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Kind<'a> {
    /// The call has not run: not one byte of it has left, or not all that the server needs.
    NotSent,
    /// The call was sent and may have run: no answer came, or none that can be trusted.
    Unknown,
    /// The server's answer is an error. Its code says whether the method has run.
    Refused(&'a ErrorObject),
    /// An HTTP server took the request for no call: too long, too many, not here, not allowed.
    Rejected {
        /// Why: a status 3xx (redirects are not followed), 4xx, 501, 503 or 505.
        status: StatusCode,
        /// What the server says of it, if it says it as plain text; at most 1 KiB.
        text: &'a str,
    },
    /// Something on this side: an option or a parameter that cannot be sent (then nothing was), or
    /// a result that is not of the type asked for (then the call has run; see
    /// [`Error::is_decode`]).
    Local,
}

impl Error {
    fn new(subject: &str, repr: Repr) -> Self {
        Self(Box::new(Inner {
            subject: subject.into(),
            repr,
            status: None,
            cause: None,
        }))
    }

    pub(super) fn not_sent(subject: &str, reason: Reason) -> Self {
        Self::new(subject, Repr::NotSent(reason))
    }

    pub(super) fn unknown(subject: &str, reason: Reason) -> Self {
        Self::new(subject, Repr::Unknown(reason))
    }

    pub(super) fn refused(subject: &str, error: ErrorObject) -> Self {
        Self::new(subject, Repr::Refused(error))
    }

    pub(super) fn rejected(subject: &str, status: StatusCode, text: String) -> Self {
        Self::new(subject, Repr::Rejected(text)).status_of(status)
    }

    pub(super) fn local(subject: &str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(subject, Repr::Local(Reason::Request(reason.into())))
    }

    pub(super) fn decode<R>(subject: &str, cause: serde_json::Error) -> Self {
        let reason = Reason::Decode(std::any::type_name::<R>());
        Self::new(subject, Repr::Local(reason)).because(cause)
    }

    /// A call was dropped unfinished by the thread that drove it.
    pub(crate) fn panicked() -> Self {
        Self::unknown("a call", Reason::Answer("it panicked".into()))
    }

    pub(crate) fn no_thread(cause: std::io::Error) -> Self {
        Self::local("the client", "its thread cannot be started").because(cause)
    }

    pub(super) fn because(mut self, cause: impl Into<BoxError>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    pub(super) fn status_of(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// What is known of the call.
    #[must_use]
    pub fn kind(&self) -> Kind<'_> {
        match &self.0.repr {
            Repr::NotSent(_) => Kind::NotSent,
            Repr::Unknown(_) => Kind::Unknown,
            Repr::Refused(error) => Kind::Refused(error),
            Repr::Rejected(text) => Kind::Rejected {
                status: self.0.status.unwrap_or_default(),
                text,
            },
            Repr::Local(_) => Kind::Local,
        }
    }

    /// Whether the time ran out: the call's own, or the server's (−32001).
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.reason(), Some(Reason::Deadline(_)))
            || self.code() == Some(ErrorCode::TIMEOUT)
    }

    /// Whether there was no connection: nobody listens, the name is unknown, or it took too long.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(self.reason(), Some(Reason::Connect(_)))
    }

    /// Whether the connection has ended on which the call was made, or was to be.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.reason(), Some(Reason::Closed(_)))
    }

    /// Whether something answered that is no answer to this call: no JSON-RPC, another version,
    /// another id, too long, or an HTTP status such as 502.
    #[must_use]
    pub fn is_invalid_answer(&self) -> bool {
        matches!(
            self.reason(),
            Some(Reason::Answer(_) | Reason::TooLong(_) | Reason::Status)
        )
    }

    /// Whether the call has run, and its result is not of the type that was asked for.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        matches!(self.reason(), Some(Reason::Decode(_)))
    }

    /// The code of the error that the server answered with.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match &self.0.repr {
            Repr::Refused(error) => Some(error.code()),
            _ => None,
        }
    }

    /// The HTTP status, if there was an answer over HTTP.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    fn reason(&self) -> Option<&Reason> {
        match &self.0.repr {
            Repr::NotSent(reason) | Repr::Unknown(reason) | Repr::Local(reason) => Some(reason),
            Repr::Refused(_) | Repr::Rejected(_) => None,
        }
    }

    /// The reason, with what lies at the bottom of it.
    fn write_reason(&self, reason: &Reason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match reason {
            Reason::Connect(place) => write!(f, "cannot connect to {place}")?,
            Reason::Deadline(waited) if matches!(self.0.repr, Repr::NotSent(_)) => {
                return write!(f, "its time of {waited:?} was over before");
            }
            Reason::Deadline(waited) => return write!(f, "no answer within {waited:?}"),
            Reason::Transport => f.write_str("the connection failed")?,
            Reason::Closed(reason) => return write!(f, "the connection has ended: {reason}"),
            Reason::Answer(fault) => return write!(f, "what came is no answer to it: {fault}"),
            Reason::TooLong(max) => return write!(f, "the answer is longer than {max} bytes"),
            Reason::Status => {
                let status = self.0.status.unwrap_or_default();
                return write!(f, "the server answered with HTTP status {status}");
            }
            Reason::Decode(name) => write!(f, "the result is no {name}")?,
            Reason::Request(fault) => f.write_str(fault)?,
        }
        match self.root() {
            Some(root) => write!(f, ": {root}"),
            None => Ok(()),
        }
    }

    /// The innermost cause: `Connection refused`, not `client error`.
    fn root(&self) -> Option<&(dyn StdError + 'static)> {
        let mut root = self.source()?;
        while let Some(deeper) = root.source() {
            root = deeper;
        }
        Some(root)
    }
}

/// The sentence, before what peers wrote into it is made safe for a log.
struct ErrorLine<'a>(&'a Error);

impl fmt::Display for ErrorLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.0;
        let subject = &error.0.subject;
        match &error.0.repr {
            Repr::NotSent(reason) => {
                write!(f, "{subject} was not sent: ")?;
                error.write_reason(reason, f)
            }
            Repr::Unknown(reason) => {
                write!(f, "{subject} was sent and may have run: ")?;
                error.write_reason(reason, f)
            }
            Repr::Refused(object) => write!(f, "{subject} was answered with an error: {object}"),
            Repr::Rejected(text) => {
                let status = error.0.status.unwrap_or_default();
                write!(f, "{subject} was refused with HTTP status {status}")?;
                match text.as_str() {
                    "" if status.is_redirection() => f.write_str(" (redirects are not followed)"),
                    "" => Ok(()),
                    text => write!(f, ": {text}"),
                }
            }
            Repr::Local(reason) => {
                write!(f, "{subject}: ")?;
                error.write_reason(reason, f)
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(&ErrorLine(self)).fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.0.cause.as_deref()?)
    }
}

impl From<Error> for ErrorObject {
    /// −32603 with an incident id; the whole story goes to the log only.
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_story_on_one_line() {
        let io = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let table = [
            (
                Error::not_sent("`m`", Reason::Connect("h:1".into())).because(io()),
                "`m` was not sent: cannot connect to h:1: connection refused",
            ),
            (
                Error::unknown("`m`", Reason::Deadline(Duration::from_millis(1500))),
                "`m` was sent and may have run: no answer within 1.5s",
            ),
            (
                Error::refused("`m`", ErrorObject::new(7, "a\nb\u{1b}")),
                "`m` was answered with an error: a\\nb\\u{1b} (7)",
            ),
            (
                Error::rejected("`m`", StatusCode::FOUND, String::new()),
                "`m` was refused with HTTP status 302 Found (redirects are not followed)",
            ),
            (
                Error::unknown("`m`", Reason::Status).status_of(StatusCode::BAD_GATEWAY),
                "`m` was sent and may have run: the server answered with HTTP status 502 Bad Gateway",
            ),
            (Error::local("`m`", "no"), "`m`: no"),
        ];
        for (error, expected) in table {
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn a_server_does_not_pass_on_what_its_own_server_said() {
        let error = Error::refused("`m`", ErrorObject::new(7, "secret"));
        let passed = ErrorObject::from(error);
        assert_eq!(passed.code(), ErrorCode::INTERNAL_ERROR);
        assert!(!passed.to_json().contains("secret"));
    }
}
