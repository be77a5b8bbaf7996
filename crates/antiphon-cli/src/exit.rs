//! Exit codes of the tool, and the errors that lead to them.
//!
//! They are listed in `antiphon --help`, and mean the same in every release.

use std::fmt;
use std::io;
use std::process::ExitCode;

use antiphon::client::{Error, Kind};

/// How the tool ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// Everything was done.
    Done = 0,
    /// The server answered with an error; in a batch, with nothing else.
    Refused = 1,
    /// The command line, or a file, cannot be used. Nothing was sent.
    Usage = 2,
    /// There is no connection, or it broke.
    Connection = 3,
    /// The time ran out.
    Timeout = 4,
    /// Something answered that does not speak JSON-RPC, or took the request for no call.
    Protocol = 5,
    /// Some calls of a batch failed, and some did not.
    Partly = 6,
    /// Ctrl-C: 128 and the number of the signal, as shells have it.
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
            // Also the server's own timeout: it has answered.
            Kind::Refused(_) => Self::Refused,
            Kind::Rejected { .. } => Self::Protocol,
            Kind::Local if error.is_decode() => Self::Protocol,
            Kind::Local => Self::Usage,
            _ if error.is_timeout() => Self::Timeout,
            _ if error.is_invalid_answer() => Self::Protocol,
            _ => Self::Connection,
        }
    }
}

/// Why the tool ends without having done what it was asked for. `main` prints it.
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

    /// Something that the caller must write in another way.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(Exit::Usage, text)
    }

    /// A file or a stream that cannot be read or written.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        Self::usage(format!("{what}: {error}"))
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(Exit::from(&error), error.to_string())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
