//! Stub for systems on which standard input and output cannot be taken over.

use std::io;

use tokio::io::Empty;

use crate::transport::byte_stream::Socket;

impl Socket for Empty {}

/// Always fails.
pub(crate) fn take() -> io::Result<Empty> {
    let text = "standard input and output cannot be served on this system";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}
