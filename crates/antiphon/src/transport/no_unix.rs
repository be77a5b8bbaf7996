//! Stub of Unix sockets for systems without them: every attempt to open one fails.
//!
//! The types match those of `unix.rs` but cannot be constructed, so code that uses Unix sockets
//! needs no `cfg` of its own.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::address::SocketAccess;
use crate::transport::byte_stream::Socket;

/// A listening socket; cannot be constructed.
#[derive(Debug)]
pub(crate) struct UnixListener(Infallible);

/// A connection; cannot be constructed.
#[derive(Debug)]
pub(crate) struct UnixStream(Infallible);

/// The file of a socket; cannot be constructed.
#[derive(Debug)]
pub(crate) struct OwnedFile(Infallible);

fn unsupported() -> io::Error {
    let text = "this system has no Unix sockets";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// Always fails.
pub(crate) async fn connect(_: &Path) -> io::Result<UnixStream> {
    Err(unsupported())
}

impl UnixListener {
    /// Always fails.
    pub(crate) async fn open(_: &Path, _: &SocketAccess) -> io::Result<(Self, OwnedFile)> {
        Err(unsupported())
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        match self.0 {}
    }

    pub(crate) fn into_queue(self) -> io::Result<UnixQueue> {
        match self.0 {}
    }
}

/// The accept queue of a listening socket; cannot be constructed.
#[derive(Debug)]
pub(crate) struct UnixQueue(Infallible);

impl UnixQueue {
    pub(crate) fn accept(&self) -> io::Result<UnixStream> {
        match self.0 {}
    }
}

impl Socket for UnixStream {}

impl AsyncRead for UnixStream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

impl AsyncWrite for UnixStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}
