//! Stub of the admin token's file, for systems without file modes that keep other users out.

use std::convert::Infallible;
use std::io;
use std::path::Path;

use super::AdminToken;

/// A token with its file; never created on this system.
#[derive(Debug)]
pub(crate) struct PreparedToken {
    pub(crate) token: AdminToken,
    never: Infallible,
}

/// The file of a token; never created on this system.
#[derive(Debug)]
pub(crate) struct TokenFile;

impl PreparedToken {
    /// Always fails.
    pub(crate) fn new(_: &Path, _: Option<&str>) -> io::Result<Self> {
        let text = "this system has no files that only their owner can read";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }

    pub(crate) fn publish(self) -> io::Result<TokenFile> {
        match self.never {}
    }
}
