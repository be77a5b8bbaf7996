//! Listeners shared between processes.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use tokio::net::TcpListener;

use crate::server::listener::{BindTarget, ListenAddress, Listener, Socket};
use crate::transport::unix::{OwnedFile, UnixListener};

impl Listener {
    /// Duplicates the file descriptor, for another process.
    pub(crate) fn share(&self) -> io::Result<OwnedFd> {
        match &self.socket {
            Socket::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
            Socket::Unix(listener, _) => listener.as_fd().try_clone_to_owned(),
        }
    }

    /// A listener on a socket that another process has opened for this address. With `keeps`, the
    /// listener has the file of a Unix socket, to remove it at the end once this process has taken
    /// over; workers do not.
    pub(crate) fn inherited(
        socket: OwnedFd,
        url: &str,
        requested: &str,
        keeps: bool,
    ) -> io::Result<Self> {
        let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        let ListenAddress { kind, place } = ListenAddress::of(url, false).map_err(invalid)?;
        let socket = match place {
            BindTarget::Tcp(..) => {
                let listener = std::net::TcpListener::from(socket);
                listener.set_nonblocking(true)?;
                Socket::Tcp(TcpListener::from_std(listener)?)
            }
            BindTarget::Unix(path, _) => {
                let listener = UnixListener::from_fd(socket)?;
                let mut file = match keeps {
                    true => Some(OwnedFile::at(&path)?),
                    false => None,
                };
                // Until then, the other process listens there.
                file.iter_mut().for_each(|file| file.set_removed(false));
                Socket::Unix(listener, file)
            }
        };
        Ok(Self {
            socket,
            kind,
            requested: requested.to_owned(),
            url: url.to_owned(),
            external: false,
        })
    }

    /// Sets whether the socket stays open elsewhere (socket activation) after this server has
    /// ended.
    pub(crate) fn external(self, external: bool) -> Self {
        Self { external, ..self }
    }

    pub(crate) fn is_external(&self) -> bool {
        self.external
    }

    /// Takes the file of a Unix socket, which is removed on drop.
    pub(crate) fn take_file(&mut self) -> Option<OwnedFile> {
        match &mut self.socket {
            Socket::Tcp(_) => None,
            Socket::Unix(_, file) => file.take(),
        }
    }

    /// Deregisters the socket from the runtime: this process is no longer notified of connections.
    pub(crate) fn into_socket(self) -> io::Result<OwnedFd> {
        Ok(match self.socket {
            Socket::Tcp(listener) => listener.into_std()?.into(),
            Socket::Unix(listener, _) => listener.into_queue()?.into(),
        })
    }
}
