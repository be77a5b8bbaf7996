//! Error of a missing or malformed header.

use std::fmt;
use std::io;

/// Why a connection has no header that can be believed.
#[derive(Debug)]
pub(crate) enum HeaderError {
    /// The first bytes are those of another protocol.
    Missing,
    /// The header breaks the rules.
    Malformed(&'static str),
    Io(io::Error),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it does not begin with one"),
            Self::Malformed(reason) => f.write_str(reason),
            Self::Io(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for HeaderError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
