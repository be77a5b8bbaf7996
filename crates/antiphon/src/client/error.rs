//! Errors of a client: why there is no result, and whether the call may have run.

use std::borrow::Cow;
use std::time::Duration;

use antiphon_proto::{ErrorCode, ErrorObject};
use http::StatusCode;

use super::connect::misbehaviour;
use crate::error::Failure;
use crate::router::BoxError;
use crate::session_state::End;

/// Why a call has no result.
///
/// [`kind`](Self::kind) tells whether the call may have run. The text is a single line; it never
/// contains a header or a query, which may be secret.
///
/// Passed on with `?` in a method of a server, it becomes −32603 with an incident id, so that
/// callers do not see errors of upstream services.
///
/// ```
/// use antiphon::client::{Client, ErrorKind};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let client = Client::connect("127.0.0.1:1")?;
/// let error = client.call::<f64>("calc.add", (3, 4)).await.unwrap_err();
/// match error.kind() {
///     ErrorKind::NotSent => { /* nothing has happened: try again, or elsewhere */ }
///     ErrorKind::Unknown => { /* it may have run: try again only what may run twice */ }
///     ErrorKind::Refused(error) => eprintln!("{} {}", error.code(), error.message()),
///     ErrorKind::Rejected { status, text } => eprintln!("{status} {text}"),
///     _ => { /* the parameters, or the type of the result */ }
/// }
/// assert!(error.is_connect());
/// # Ok::<(), antiphon::client::Error>(())
/// # }).unwrap();
/// ```
pub struct Error(pub(super) Box<Inner>);

pub(super) struct Inner {
    /// The name of the operation in the text.
    pub(super) subject: Box<str>,
    pub(super) repr: Repr,
    pub(super) status: Option<StatusCode>,
    pub(super) cause: Option<BoxError>,
}

pub(super) enum Repr {
    NotSent(Reason),
    Unknown(Reason),
    Refused(ErrorObject),
    Rejected(String),
    Local(Reason),
}

/// What went wrong; the text combines it with [`Repr`].
pub(super) enum Reason {
    /// Connecting to this place failed.
    Connect(Box<str>),
    /// There is no token; see the cause.
    Token,
    /// There is no running method whose caller's identity could be forwarded.
    NoCaller,
    /// No response arrived within this timeout.
    Deadline(Duration),
    /// The transport failed; see the cause.
    Transport,
    /// A server has no memory for a message to its caller, or for what that has answered.
    NoMemory,
    /// The session has ended, for this reason.
    Closed(Cow<'static, str>),
    /// The connection was ended because the server has broken a rule: this one.
    Misbehaved(Cow<'static, str>),
    /// The body is not a response to the call.
    Answer(Cow<'static, str>),
    /// The body is longer than this many bytes.
    TooLong(usize),
    /// An HTTP status that does not tell whether the call has run.
    Status,
    /// The result cannot be decoded as this type; see the cause.
    Decode(&'static str),
    /// The caller's request is invalid.
    Request(Cow<'static, str>),
}

impl Reason {
    /// A failure of an HTTP connection.
    pub(super) fn broken(cause: &BoxError) -> Self {
        match misbehaviour(&**cause) {
            Some(reason) => Self::Misbehaved(reason.into()),
            None => Self::Transport,
        }
    }

    /// The end of a session.
    pub(super) fn over(end: &End) -> Self {
        match end.misbehaved {
            true => Self::Misbehaved(end.reason.clone()),
            false => Self::Closed(end.reason.clone()),
        }
    }
}

/// What is known about a call without a result.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ErrorKind<'a> {
    /// The call has not run, and will not: it was not sent, or not completely, or a server over
    /// HTTP/2 has said that it did not process it.
    NotSent,
    /// The call was sent and may have run: there was no response, or an invalid one.
    Unknown,
    /// The server responded with an error. Its code says whether the method has run.
    Refused(&'a ErrorObject),
    /// An HTTP server rejected the request before it became a call: too large, too many requests,
    /// not found, not allowed.
    Rejected {
        /// The HTTP status: 3xx (redirects are not followed), 4xx, 501 or 505; 503 if the server says that nothing has run.
        status: StatusCode,
        /// The body, if it is plain text; at most 1 KiB. It is the server's text as it came: show
        /// it as [`Printable`](crate::Printable).
        text: &'a str,
    },
    /// An error on this side: an option or a parameter that cannot be sent (then nothing was), or a
    /// result that is not of the requested type (then the call has run; see
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

    /// A subscription over HTTP.
    pub(super) fn needs_session(subject: &str) -> Self {
        let fault = "a subscription needs a connection that stays: ws:, tcp:, unix: or stdio:";
        Self::local(subject, fault)
    }

    /// An upstream of a balanced client is balanced itself, which its builder refuses.
    pub(super) fn nested(subject: &str) -> Self {
        Self::local(subject, "an upstream is balanced itself")
    }

    pub(super) fn no_caller(subject: &str) -> Self {
        Self::new(subject, Repr::Local(Reason::NoCaller))
    }

    pub(super) fn decode<R>(subject: &str, cause: serde_json::Error) -> Self {
        let reason = Reason::Decode(std::any::type_name::<R>());
        Self::new(subject, Repr::Local(reason)).because(cause)
    }

    /// The thread that drove the call has dropped it unfinished.
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

    /// What is known about the call.
    #[must_use]
    pub fn kind(&self) -> ErrorKind<'_> {
        match &self.0.repr {
            Repr::NotSent(_) => ErrorKind::NotSent,
            Repr::Unknown(_) => ErrorKind::Unknown,
            Repr::Refused(error) => ErrorKind::Refused(error),
            Repr::Rejected(text) => ErrorKind::Rejected {
                status: self.0.status.unwrap_or_default(),
                text,
            },
            Repr::Local(_) => ErrorKind::Local,
        }
    }

    /// Whether it is a timeout, of the call or of the server (−32001).
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.reason(), Some(Reason::Deadline(_)))
            || self.code() == Some(ErrorCode::TIMEOUT)
    }

    /// Whether connecting failed: connection refused, name not found, or a timeout.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        matches!(self.reason(), Some(Reason::Connect(_)))
    }

    /// Whether the connection was closed before or during the call.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(
            self.reason(),
            Some(Reason::Closed(_) | Reason::Misbehaved(_))
        )
    }

    /// Whether the response is not a valid one to this call: not JSON-RPC, another version or id,
    /// too long, or an HTTP status such as 502. Also if the server has sent something else that it
    /// must not, and the connection was ended for that; then [`is_closed`](Self::is_closed) is true
    /// as well.
    #[must_use]
    pub fn is_invalid_answer(&self) -> bool {
        matches!(
            self.reason(),
            Some(Reason::Answer(_) | Reason::TooLong(_) | Reason::Status | Reason::Misbehaved(_))
        )
    }

    /// Whether the call has run, and its result is not of the requested type.
    #[must_use]
    pub fn is_decode(&self) -> bool {
        matches!(self.reason(), Some(Reason::Decode(_)))
    }

    /// The error code of the server's response.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match &self.0.repr {
            Repr::Refused(error) => Some(error.code()),
            _ => None,
        }
    }

    /// The time after which the server would run the call, if its error tells: the member
    /// `retryAfterMs` in its data. A server of this crate tells it with −32005 (the caller's rate
    /// limit) and with −32000 if it has no memory for the response.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use antiphon::client::{Client, Error};
    /// use antiphon::ErrorCode;
    ///
    /// async fn patient(client: &Client) -> Result<f64, Error> {
    ///     loop {
    ///         match client.call("add", (3, 4)).await {
    ///             Err(error) if error.code() == Some(ErrorCode::LIMIT_EXCEEDED) => {
    ///                 let pause = error.retry_after().unwrap_or(Duration::from_secs(1));
    ///                 tokio::time::sleep(pause).await;
    ///             }
    ///             outcome => return outcome,
    ///         }
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.0.repr {
            Repr::Refused(error) => error.retry_after(),
            _ => None,
        }
    }

    /// The HTTP status, if there was an HTTP response.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    pub(super) fn reason(&self) -> Option<&Reason> {
        match &self.0.repr {
            Repr::NotSent(reason) | Repr::Unknown(reason) | Repr::Local(reason) => Some(reason),
            Repr::Refused(_) | Repr::Rejected(_) => None,
        }
    }
}

impl From<Error> for ErrorObject {
    /// −32603 with an incident id; the details go to the log only.
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_when_to_try_again() {
        let limited = ErrorObject::of(ErrorCode::LIMIT_EXCEEDED);
        let pause = Duration::from_millis(1500);
        let told = (limited.clone()).with_data(&crate::error::RetryAfter::from(pause));
        for (error, expected) in [
            (Error::refused("`m`", told), Some(pause)),
            (Error::refused("`m`", limited), None),
            (Error::local("`m`", "no"), None),
        ] {
            assert_eq!(error.retry_after(), expected, "{error}");
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
