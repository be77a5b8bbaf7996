//! Addresses → sockets that listen, each with what is spoken on it.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};

use crate::address::{Address, AddressError, authority};
use crate::server::error::ServeError;
use crate::server::settings::Settings;
#[cfg(all(unix, feature = "unix"))]
use crate::transport::unix::{self, Cleanup};

/// Connections that the system keeps for us until we accept them.
const BACKLOG: u32 = 1024;

/// What is spoken on a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Speaks {
    /// HTTP, and WebSocket on the same paths.
    Http,
    /// Messages and nothing else.
    #[cfg(any(feature = "tcp", feature = "unix"))]
    Raw(antiphon_proto::Framing),
}

/// How a connection begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entrance {
    pub(super) speaks: Speaks,
    /// Whether with a TLS handshake.
    pub(super) secure: bool,
}

/// A socket that listens.
#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    /// With what removes its file in the end.
    #[cfg(all(unix, feature = "unix"))]
    Unix(tokio::net::UnixListener, Cleanup),
}

/// A connection that has come in.
#[derive(Debug)]
pub(super) enum Guest {
    Tcp(TcpStream, SocketAddr),
    #[cfg(all(unix, feature = "unix"))]
    Unix(tokio::net::UnixStream),
}

impl Guest {
    /// Where it comes from, if that has an address.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, peer) => Some(*peer),
            #[cfg(all(unix, feature = "unix"))]
            Self::Unix(_) => None,
        }
    }
}

/// A place where connections come in.
#[derive(Debug)]
pub(super) struct Door {
    socket: Socket,
    pub(super) entrance: Entrance,
    /// The address as clients write it.
    url: String,
}

impl Door {
    /// A socket that listens already, for HTTP.
    pub(super) fn adopt(listener: std::net::TcpListener) -> Result<Self, ServeError> {
        listener.set_nonblocking(true)?;
        Self::tcp(TcpListener::from_std(listener)?, Speaks::Http, false)
    }

    /// Opens an address.
    pub(super) async fn open(text: &str, settings: &Settings) -> Result<Self, ServeError> {
        let bad = |reason: String| ServeError::BadAddress {
            address: text.to_owned(),
            reason,
        };
        let parsed = text.parse();
        let address: Address = parsed.map_err(|error: AddressError| bad(error.to_string()))?;
        // An address without a scheme is whatever the server can speak best.
        let plain = !text.contains("://");
        let (host, port, speaks, secure) = match address {
            Address::Http { path, .. } | Address::WebSocket { path, .. } if path != "/" => {
                return Err(bad("an address has no path: routes have".to_owned()));
            }
            Address::Http {
                secure, host, port, ..
            } => (
                host,
                port,
                Speaks::Http,
                secure || plain && settings.has_tls(),
            ),
            Address::WebSocket {
                secure, host, port, ..
            } => (host, port, Speaks::Http, secure),
            #[cfg(feature = "tcp")]
            Address::Tcp {
                secure,
                host,
                port,
                framing,
            } => (host, port, Speaks::Raw(framing), secure),
            #[cfg(all(unix, feature = "unix"))]
            Address::HttpUnix { socket } | Address::WebSocketUnix { socket } => {
                return Self::unix(
                    &socket,
                    Speaks::Http,
                    format!("http+unix:{}", socket.display()),
                );
            }
            #[cfg(all(unix, feature = "unix"))]
            Address::Unix {
                ref socket,
                framing,
            } => {
                return Self::unix(socket, Speaks::Raw(framing), address.to_string());
            }
            other => return Err(bad(format!("{other} can be called, but not served"))),
        };
        if secure && !settings.has_tls() {
            return Err(bad(
                "it needs a certificate: give one with `--tls-cert` and \
                            `--tls-key` (in code: `Server::tls`)"
                    .to_owned(),
            ));
        }
        let socket = match host {
            None => SocketAddr::from(([0, 0, 0, 0], port)),
            Some(host) => {
                let found = lookup_host((host, port)).await;
                let mut found = found.map_err(|error| bad(error.to_string()))?;
                // A name such as localhost has several addresses; one listener was asked for.
                found
                    .next()
                    .ok_or_else(|| bad("the name has no address".to_owned()))?
            }
        };
        let listener = bind(socket).map_err(|source| ServeError::Bind {
            address: socket.to_string(),
            source,
        })?;
        Self::tcp(listener, speaks, secure)
    }

    fn tcp(listener: TcpListener, speaks: Speaks, secure: bool) -> Result<Self, ServeError> {
        let address = listener.local_addr()?;
        let place = authority(&address.ip().to_string(), address.port());
        let url = match (speaks, secure) {
            (Speaks::Http, false) => format!("http://{place}"),
            (Speaks::Http, true) => format!("https://{place}"),
            #[cfg(any(feature = "tcp", feature = "unix"))]
            (Speaks::Raw(framing), _) => Address::Tcp {
                secure,
                host: Some(address.ip().to_string()),
                port: address.port(),
                framing,
            }
            .to_string(),
        };
        Ok(Self {
            socket: Socket::Tcp(listener),
            entrance: Entrance { speaks, secure },
            url,
        })
    }

    #[cfg(all(unix, feature = "unix"))]
    fn unix(path: &std::path::Path, speaks: Speaks, url: String) -> Result<Self, ServeError> {
        let listening = unix::listen(path).and_then(|(listener, cleanup)| {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::UnixListener::from_std(listener)?;
            Ok(Socket::Unix(listener, cleanup))
        });
        let socket = listening.map_err(|source| ServeError::Bind {
            address: url.clone(),
            source,
        })?;
        Ok(Self {
            socket,
            entrance: Entrance {
                speaks,
                secure: false,
            },
            url,
        })
    }

    pub(super) async fn accept(&self) -> io::Result<Guest> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (socket, peer) = listener.accept().await?;
                Ok(Guest::Tcp(socket, peer))
            }
            #[cfg(all(unix, feature = "unix"))]
            Socket::Unix(listener, _) => {
                let (socket, _) = listener.accept().await?;
                Ok(Guest::Unix(socket))
            }
        }
    }

    /// What has queued up, asked of the system itself: the runtime may not have heard of it yet.
    pub(super) fn into_queue(self) -> io::Result<Queue> {
        Ok(match self.socket {
            Socket::Tcp(listener) => Queue::Tcp(listener.into_std()?),
            #[cfg(all(unix, feature = "unix"))]
            Socket::Unix(listener, cleanup) => Queue::Unix(listener.into_std()?, cleanup),
        })
    }

    /// The socket address, where there is one.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(all(unix, feature = "unix"))]
            Socket::Unix(..) => None,
        }
    }

    /// Whether nobody beyond this machine can come in.
    pub(super) fn is_local(&self) -> bool {
        match &self.socket {
            Socket::Tcp(listener) => listener
                .local_addr()
                .is_ok_and(|address| address.ip().is_loopback()),
            #[cfg(all(unix, feature = "unix"))]
            Socket::Unix(..) => true,
        }
    }
}

/// The connections that wait at a door which is being closed.
pub(super) enum Queue {
    Tcp(std::net::TcpListener),
    #[cfg(all(unix, feature = "unix"))]
    Unix(
        std::os::unix::net::UnixListener,
        #[allow(dead_code)] Cleanup,
    ), // kept, not looked at
}

impl Queue {
    /// The next one. None was there if the error says that it would block.
    pub(super) fn accept(&self) -> io::Result<Guest> {
        match self {
            Self::Tcp(listener) => {
                let (socket, peer) = listener.accept()?;
                socket.set_nonblocking(true)?;
                Ok(Guest::Tcp(TcpStream::from_std(socket)?, peer))
            }
            #[cfg(all(unix, feature = "unix"))]
            Self::Unix(listener, _) => {
                let (socket, _) = listener.accept()?;
                socket.set_nonblocking(true)?;
                Ok(Guest::Unix(tokio::net::UnixStream::from_std(socket)?))
            }
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A server that has just stopped leaves connections behind that would block its port.
    socket.set_reuseaddr(true)?;
    // What is accepted inherits it: a peer that is gone without a word is noticed in the end.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
