//! Byte stream of a raw peer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use socket2::{Domain, SockRef, Type};

use super::DEADLINE;

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// The stream. Every read and write has a deadline, except over pipes.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Pipes(ChildStdin, ChildStdout),
}

impl Socket {
    pub(super) fn connect(place: &Place) -> io::Result<Self> {
        let socket = match place {
            Place::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, DEADLINE)?;
                stream.set_nodelay(true)?;
                Self::Tcp(stream)
            }
            Place::Unix(path) => Self::Unix(UnixStream::connect(path)?),
        };
        socket.set_deadline(DEADLINE)?;
        Ok(socket)
    }

    /// A TCP connection whose system accepts hardly any bytes that the program does not read.
    pub(crate) fn with_small_buffer(address: SocketAddr) -> io::Result<Self> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // The window is agreed upon with the connection, so this comes before.
        socket.set_recv_buffer_size(4096)?;
        socket.connect(&address.into())?;
        let socket = Self::Tcp(socket.into());
        socket.set_deadline(DEADLINE)?;
        Ok(socket)
    }

    pub(crate) fn set_deadline(&self, deadline: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(deadline))?;
                stream.set_write_timeout(Some(deadline))
            }
            Self::Unix(stream) => {
                stream.set_read_timeout(Some(deadline))?;
                stream.set_write_timeout(Some(deadline))
            }
            Self::Pipes(..) => Ok(()),
        }
    }

    /// Ends the connection with a reset instead of a regular end.
    pub(crate) fn reset(self) {
        if let Self::Tcp(stream) = self {
            // Fails if the server was quicker.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Read for Socket {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(room),
            Self::Unix(stream) => stream.read(room),
            Self::Pipes(_, output) => output.read(room),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Pipes(input, _) => input.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
