//! File of the admin token, on systems whose file modes keep nobody out.

use std::io;
use std::path::Path;

use super::AdminToken;

/// A file that holds a token, of which there is none.
#[derive(Debug)]
pub(crate) struct TokenFile {
    pub(crate) token: AdminToken,
}

impl TokenFile {
    /// Always fails.
    pub(crate) fn write(_: &Path) -> io::Result<Self> {
        let text = "this system has no files that only their owner can read";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }
}
