//! Exit codes of the tool, and the errors that map to them.
//!
//! `antiphon --help` lists the codes. They mean the same in every release.

use std::fmt;
use std::io;
use std::process::ExitCode;

use antiphon::client::{Error, ErrorKind};
use antiphon::{ErrorCode, ErrorObject};

/// The exit code of the tool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// Everything succeeded.
    Done = 0,
    /// The server answered with an error; in a batch, every response is an error.
    Refused = 1,
    /// The command line or a file is unusable. Nothing was sent.
    Usage = 2,
    /// The connection failed or broke.
    Connection = 3,
    /// The timeout has passed.
    Timeout = 4,
    /// The peer does not speak JSON-RPC, or did not treat the request as a call.
    Protocol = 5,
    /// Some calls of a batch failed and others succeeded.
    Partly = 6,
    /// Interrupted by Ctrl-C: 128 plus the signal number, as in shells.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error.kind() {
            // Includes a timeout on the server, which is an error response.
            ErrorKind::Refused(_) => Self::Refused,
            ErrorKind::Rejected { .. } if error.is_unauthenticated() => Self::Refused,
            ErrorKind::Rejected { .. } => Self::Protocol,
            ErrorKind::Local if error.is_decode() => Self::Protocol,
            ErrorKind::Local => Self::Usage,
            _ if error.is_timeout() => Self::Timeout,
            _ if error.is_invalid_answer() => Self::Protocol,
            _ => Self::Connection,
        }
    }
}

/// What an error about the caller means, and what helps; `None` for other errors.
pub(crate) fn explanation(error: &ErrorObject) -> Option<String> {
    Some(match error.code() {
        ErrorCode::UNAUTHENTICATED => {
            "the server does not know who calls: it needs a token that it accepts (--bearer)".into()
        }
        ErrorCode::FORBIDDEN => match error.missing_scope() {
            Some(scope) => format!("the caller lacks the scope {scope}"),
            None => "the caller must not do this".into(),
        },
        ErrorCode::LIMIT_EXCEEDED => match error.retry_after() {
            Some(time) => format!("too many calls: wait {} ms", time.as_millis()),
            None => "too many calls: wait before the next one".into(),
        },
        _ => return None,
    })
}

/// The reason why a command failed. `main` prints it.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    text: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl Into<String>) -> Self {
        Self {
            exit,
            text: text.into(),
        }
    }

    /// A command line or input that the user has to correct.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// A file or stream that cannot be read or written.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        Self::usage(format!("{what}: {error}"))
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = match error.kind() {
            ErrorKind::Refused(object) => explanation(object),
            ErrorKind::Rejected { .. } if error.is_unauthenticated() => {
                explanation(&ErrorObject::of(ErrorCode::UNAUTHENTICATED))
            }
            _ => None,
        };
        let text = text.map_or_else(|| error.to_string(), |said| format!("{error}; {said}"));
        Self::new(Exit::from(&error), text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
