//! Unix sockets.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net;
use std::path::Path;
use std::time::Duration;

use tokio::io::Interest;
pub(crate) use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::address::SocketAccess;
pub(crate) use crate::files::owned::OwnedFile;
use crate::identity::UnixPeer;
use crate::transport::byte_stream::{Socket, says_gone};
use crate::transport::unix_bind::bind;

/// Timeout for connecting. The kernel connects at once, unless the accept queue of the server is
/// full.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to a socket.
pub(crate) async fn connect(path: &Path) -> io::Result<UnixStream> {
    timeout(CONNECT_TIMEOUT, UnixStream::connect(path)).await?
}

impl Socket for UnixStream {
    fn is_hung_up(&self) -> bool {
        says_gone(self.ready(Interest::READABLE))
    }

    fn unix_peer(&self) -> Option<UnixPeer> {
        let peer = self.peer_cred().ok()?;
        Some(UnixPeer {
            uid: peer.uid(),
            gid: peer.gid(),
            pid: peer.pid(),
        })
    }
}

/// A listening socket. It is registered with the runtime in which it was created.
#[derive(Debug)]
pub(crate) struct UnixListener(tokio::net::UnixListener);

impl UnixListener {
    /// Opens a socket at a path; see [`bind::listen`].
    pub(crate) async fn open(path: &Path, access: &SocketAccess) -> io::Result<(Self, OwnedFile)> {
        let (listener, file) = bind::listen(path, access).await?;
        Ok((Self::from_std(listener)?, file))
    }

    /// Wraps a socket that is already listening.
    pub(crate) fn from_fd(socket: OwnedFd) -> io::Result<Self> {
        Self::from_std(net::UnixListener::from(socket))
    }

    fn from_std(listener: net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self(tokio::net::UnixListener::from_std(listener)?))
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.0.accept().await?.0)
    }

    /// Deregisters the socket from the runtime, but keeps it open.
    pub(crate) fn into_queue(self) -> io::Result<UnixQueue> {
        Ok(UnixQueue(self.0.into_std()?))
    }
}

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A listening socket outside the runtime, with the connections in its accept queue.
#[derive(Debug)]
pub(crate) struct UnixQueue(net::UnixListener);

impl UnixQueue {
    /// Accepts the next connection; fails with `WouldBlock` if the queue is empty.
    pub(crate) fn accept(&self) -> io::Result<UnixStream> {
        let (socket, _) = self.0.accept()?;
        socket.set_nonblocking(true)?;
        UnixStream::from_std(socket)
    }
}

impl From<UnixQueue> for OwnedFd {
    fn from(queue: UnixQueue) -> Self {
        queue.0.into()
    }
}
