//! Listeners that one process opens and another uses.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use tokio::net::TcpListener;

use crate::server::listener::{BindTarget, ListenAddress, Listener, Socket};
use crate::transport::unix::{Cleanup, UnixListener};

impl Listener {
    /// The socket, for another process.
    pub(crate) fn share(&self) -> io::Result<OwnedFd> {
        match &self.socket {
            Socket::Tcp(listener) => listener.as_fd().try_clone_to_owned(),
            Socket::Unix(listener, _) => listener.as_fd().try_clone_to_owned(),
        }
    }

    /// A socket that another process has opened for this address. A worker leaves the file of a
    /// Unix socket where it is; who `keeps` the socket removes it in the end.
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
            BindTarget::Unix(path) => {
                let listener = UnixListener::from_fd(socket)?;
                let cleanup = match keeps {
                    true => Some(Cleanup::of(&path)?),
                    false => None,
                };
                Socket::Unix(listener, cleanup)
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

    /// Says whether the system keeps the socket, for whoever serves it next.
    pub(crate) fn external(self, external: bool) -> Self {
        Self { external, ..self }
    }

    pub(crate) fn is_external(&self) -> bool {
        self.external
    }

    /// Takes out what removes the file of a Unix socket in the end.
    pub(crate) fn take_cleanup(&mut self) -> Option<Cleanup> {
        match &mut self.socket {
            Socket::Tcp(_) => None,
            Socket::Unix(_, cleanup) => cleanup.take(),
        }
    }

    /// The socket alone; this process hears no more of what comes in there.
    pub(crate) fn into_socket(self) -> io::Result<OwnedFd> {
        Ok(match self.socket {
            Socket::Tcp(listener) => listener.into_std()?.into(),
            Socket::Unix(listener, _) => listener.into_queue()?.into(),
        })
    }
}
