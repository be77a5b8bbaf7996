//! Listeners: addresses → bound sockets, each with its protocol.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

use crate::address::proxy_query::{split_proxy, with_proxy};
use crate::address::{Address, AddressError, SocketAccess, authority};
use crate::server::error::ServeError;
use crate::server::settings::Settings;
use crate::transport::unix::{OwnedFile, UnixListener, UnixQueue, UnixStream};

/// Length of the kernel's accept queue, in connections.
const BACKLOG: u32 = 1024;

/// Timeout for looking up a host name to bind.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// The BPF instruction `ret #0`, which drops a packet.
#[cfg(target_os = "linux")]
const RETURN_NOTHING: u16 = 0x06;

/// Protocol of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    /// HTTP, and WebSocket on the same paths.
    Http,
    /// JSON-RPC messages directly on the byte stream.
    Raw(antiphon_proto::Framing),
}

/// Kind of connections that a listener accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenerKind {
    pub(super) protocol: Protocol,
    /// Whether connections start with a TLS handshake.
    pub(super) secure: bool,
    /// Whether connections start with a PROXY protocol header.
    pub(super) proxy: bool,
}

/// A listening socket.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    /// The [`OwnedFile`] removes the socket file when dropped; `None` if another process does that.
    Unix(UnixListener, Option<OwnedFile>),
}

/// An accepted connection.
#[derive(Debug)]
pub(super) enum Incoming {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

impl Incoming {
    /// Address of the peer; `None` for Unix sockets.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(_, peer) => Some(*peer),
            Self::Unix(_) => None,
        }
    }
}

/// A listening socket with its protocol and its address.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(super) socket: Socket,
    pub(super) kind: ListenerKind,
    /// The address as given in the settings.
    pub(super) requested: String,
    /// The address as clients write it; it also says if connections start with a PROXY header.
    pub(super) url: String,
    /// Whether the socket stays open elsewhere (socket activation) after this server has ended. Its
    /// accept queue then outlives the server, too.
    pub(super) external: bool,
}

/// A parsed address, before the socket is opened.
pub(super) struct ListenAddress {
    pub(super) kind: ListenerKind,
    pub(super) place: BindTarget,
}

pub(super) enum BindTarget {
    /// Host and port. Without a host, all IPv4 addresses of this machine.
    Tcp(Option<String>, u16),
    Unix(PathBuf, SocketAccess),
}

impl ListenAddress {
    /// Parses an address. Without a scheme it means HTTPS if the server has a certificate, else
    /// HTTP.
    pub(super) fn of(text: &str, has_tls: bool) -> Result<Self, String> {
        let (text, proxy) = split_proxy(text)?;
        let address: Address = text
            .parse()
            .map_err(|error: AddressError| error.to_string())?;
        let plain = !text.contains("://");
        let (protocol, secure, place) = match address {
            Address::Http { path, .. } | Address::WebSocket { path, .. } if path != "/" => {
                return Err("an address has no path: routes have".to_owned());
            }
            Address::Http {
                secure, host, port, ..
            } => (
                Protocol::Http,
                secure || plain && has_tls,
                BindTarget::Tcp(host, port),
            ),
            Address::WebSocket {
                secure, host, port, ..
            } => (Protocol::Http, secure, BindTarget::Tcp(host, port)),
            Address::Tcp {
                secure,
                host,
                port,
                framing,
            } => (Protocol::Raw(framing), secure, BindTarget::Tcp(host, port)),
            Address::HttpUnix { socket, access } | Address::WebSocketUnix { socket, access } => {
                (Protocol::Http, false, BindTarget::Unix(socket, access))
            }
            Address::Unix {
                socket,
                access,
                framing,
            } => (
                Protocol::Raw(framing),
                false,
                BindTarget::Unix(socket, access),
            ),
            other => return Err(format!("{other} can be called, but not served")),
        };
        Ok(Self {
            kind: ListenerKind {
                protocol,
                secure,
                proxy,
            },
            place,
        })
    }
}

impl ListenerKind {
    /// The URL of a listener: as clients write it, and with what its connections start with.
    fn listed(self, url: String) -> String {
        match self.proxy {
            true => with_proxy(&url),
            false => url,
        }
    }

    /// URL of a TCP socket.
    fn tcp_url(self, address: SocketAddr) -> String {
        let place = authority(&address.ip().to_string(), address.port());
        self.listed(match (self.protocol, self.secure) {
            (Protocol::Http, false) => format!("http://{place}"),
            (Protocol::Http, true) => format!("https://{place}"),
            (Protocol::Raw(framing), secure) => Address::Tcp {
                secure,
                host: Some(address.ip().to_string()),
                port: address.port(),
                framing,
            }
            .to_string(),
        })
    }

    fn unix_url(self, path: &Path) -> String {
        self.listed(match self.protocol {
            Protocol::Http => format!("http+unix:{}", path.display()),
            Protocol::Raw(framing) => Address::Unix {
                socket: path.to_owned(),
                access: SocketAccess::default(),
                framing,
            }
            .to_string(),
        })
    }
}

impl Listener {
    /// Wraps a socket that is already listening, for plain HTTP.
    pub(super) fn from_std(listener: std::net::TcpListener) -> Result<Self, ServeError> {
        let kind = ListenerKind {
            protocol: Protocol::Http,
            secure: false,
            proxy: false,
        };
        listener.set_nonblocking(true)?;
        let requested = format!("listener {}", listener.local_addr()?);
        Ok(Self::tcp(
            TcpListener::from_std(listener)?,
            kind,
            requested,
        )?)
    }

    /// Binds an address.
    pub(crate) async fn open(text: &str, settings: &Settings) -> Result<Self, ServeError> {
        let bad = |reason: String| ServeError::BadAddress {
            address: text.to_owned(),
            reason,
        };
        let ListenAddress { kind, place } =
            ListenAddress::of(text, settings.has_tls()).map_err(bad)?;
        if kind.secure && !settings.has_tls() {
            return Err(bad(
                "it needs a certificate: give one with `--tls-cert` and `--tls-key` (in code: \
                 `Server::tls`)"
                    .to_owned(),
            ));
        }
        let socket = match place {
            BindTarget::Unix(path, access) => {
                return Self::bind_unix(&path, &access, kind, text).await;
            }
            BindTarget::Tcp(None, port) => SocketAddr::from(([0, 0, 0, 0], port)),
            BindTarget::Tcp(Some(host), port) => {
                let found = timeout(LOOKUP_TIMEOUT, lookup_host((host, port))).await;
                let found = found.map_err(|_| bad("no name server answers".to_owned()))?;
                let mut found = found.map_err(|error| bad(error.to_string()))?;
                // A name such as localhost may resolve to several addresses; bind only the first.
                found
                    .next()
                    .ok_or_else(|| bad("the name has no address".to_owned()))?
            }
        };
        let listener = bind(socket).map_err(|source| ServeError::Bind {
            address: socket.to_string(),
            source,
        })?;
        Ok(Self::tcp(listener, kind, text.to_owned())?)
    }

    fn tcp(listener: TcpListener, kind: ListenerKind, requested: String) -> io::Result<Self> {
        let url = kind.tcp_url(listener.local_addr()?);
        Ok(Self {
            socket: Socket::Tcp(listener),
            kind,
            requested,
            url,
            external: false,
        })
    }

    async fn bind_unix(
        path: &Path,
        access: &SocketAccess,
        kind: ListenerKind,
        requested: &str,
    ) -> Result<Self, ServeError> {
        let url = kind.unix_url(path);
        let opened = UnixListener::open(path, access).await;
        let (listener, file) = opened.map_err(|source| ServeError::Bind {
            address: url.clone(),
            source,
        })?;
        Ok(Self {
            socket: Socket::Unix(listener, Some(file)),
            kind,
            requested: requested.to_owned(),
            url,
            external: false,
        })
    }

    pub(super) async fn accept(&self) -> io::Result<Incoming> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (socket, peer) = listener.accept().await?;
                Ok(Incoming::Tcp(socket, peer))
            }
            Socket::Unix(listener, _) => Ok(Incoming::Unix(listener.accept().await?)),
        }
    }

    /// The accept queue, read directly from the kernel: the runtime may not yet have been notified
    /// of all connections in it.
    pub(super) fn into_queue(self) -> io::Result<Queue> {
        Ok(match self.socket {
            Socket::Tcp(listener) => Queue::Tcp(listener.into_std()?),
            Socket::Unix(listener, file) => Queue::Unix {
                queue: listener.into_queue()?,
                _file: file,
            },
        })
    }

    /// The address as given in the settings.
    #[cfg(all(unix, feature = "supervisor"))]
    pub(crate) fn requested(&self) -> &str {
        &self.requested
    }

    /// Address of a TCP listener; `None` for a Unix socket.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(..) => None,
        }
    }

    /// Whether only this machine can reach it.
    pub(crate) fn is_local(&self) -> bool {
        match &self.socket {
            Socket::Tcp(listener) => listener
                .local_addr()
                .is_ok_and(|address| address.ip().is_loopback()),
            Socket::Unix(..) => true,
        }
    }
}

/// Accept queue of a listener that is being closed.
pub(super) enum Queue {
    Tcp(std::net::TcpListener),
    /// The [`OwnedFile`] keeps the socket file until the queue is dropped.
    Unix {
        queue: UnixQueue,
        _file: Option<OwnedFile>,
    },
}

impl Queue {
    /// Keeps new connections out of the queue. The kernel drops their handshake packets, so clients
    /// retry until the socket is closed and then get a refusal. Otherwise a connection that arrives
    /// between the last `accept` and the close would be reset.
    pub(super) fn close_to_newcomers(&self) {
        #[cfg(target_os = "linux")]
        match self {
            Self::Tcp(listener) => {
                // Applies to the listener only: established connections have their own sockets.
                let drop_all = [socket2::SockFilter::new(RETURN_NOTHING, 0, 0, 0)];
                if let Err(error) = socket2::SockRef::from(listener).attach_filter(&drop_all) {
                    tracing::debug!("a listener stays open while its queue is emptied: {error}");
                }
            }
            Self::Unix { .. } => {}
        }
    }

    /// Accepts the next connection. The error `WouldBlock` means that the queue is empty.
    pub(super) fn accept(&self) -> io::Result<Incoming> {
        match self {
            Self::Tcp(listener) => {
                let (socket, peer) = listener.accept()?;
                socket.set_nonblocking(true)?;
                Ok(Incoming::Tcp(TcpStream::from_std(socket)?, peer))
            }
            Self::Unix { queue, .. } => Ok(Incoming::Unix(queue.accept()?)),
        }
    }
}

impl fmt::Display for Listener {
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
    // Connections in TIME_WAIT, left by a server that has just stopped, would block the port.
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit this. It detects peers that vanished without closing.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
