//! Text of a client's error: one line, from its subject to the innermost cause.

use std::error::Error as StdError;
use std::fmt;

use super::error::{Error, Reason, Repr};
use crate::error::Printable;

impl Error {
    /// Writes the reason and its root cause.
    fn write_reason(&self, reason: &Reason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match reason {
            Reason::Connect(place) => write!(f, "cannot connect to {place}")?,
            Reason::Token => f.write_str("there is no token")?,
            Reason::NoCaller => {
                return f.write_str(
                    "no method runs here whose caller's identity could be forwarded \
                     (`Context::spawn` keeps it, `tokio::spawn` does not)",
                );
            }
            Reason::Deadline(waited) if matches!(self.0.repr, Repr::NotSent(_)) => {
                return write!(f, "its time of {waited:?} was over before");
            }
            Reason::Deadline(waited) => return write!(f, "no answer within {waited:?}"),
            Reason::Transport => f.write_str("the connection failed")?,
            Reason::NoMemory if matches!(self.0.repr, Repr::NotSent(_)) => {
                return f.write_str("there is no memory for it");
            }
            Reason::NoMemory => return f.write_str("there is no memory for the answer"),
            Reason::Closed(reason) => return write!(f, "the connection has ended: {reason}"),
            Reason::Misbehaved(reason) => {
                return write!(
                    f,
                    "the peer misbehaves, so the connection has ended: {reason}"
                );
            }
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

/// The text, before it is escaped for logs by [`Printable`].
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use antiphon_proto::ErrorObject;
    use http::StatusCode;

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
            (
                Error::not_sent("`m`", Reason::NoMemory),
                "`m` was not sent: there is no memory for it",
            ),
            (
                Error::unknown("`m`", Reason::NoMemory),
                "`m` was sent and may have run: there is no memory for the answer",
            ),
            (Error::local("`m`", "no"), "`m`: no"),
        ];
        for (error, expected) in table {
            assert_eq!(error.to_string(), expected);
        }
    }
}
