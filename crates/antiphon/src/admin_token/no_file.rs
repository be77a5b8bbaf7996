//! Stub of the admin token's file, for systems without file modes that keep other users out.

use std::io;
use std::path::Path;

use super::AdminToken;

/// A file with an admin token; never created on this system.
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
