//! Addresses, with the same grammar for servers and clients.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Address`], its errors, its text form |
//! | `parse.rs` | text → address |
//! | `authority.rs` | host and port in URL form |
//! | `group.rs` | [`AddressGroup`](group::AddressGroup): the IP addresses that count as one caller |
//! | `client_address.rs` | [`ClientAddress`](client_address::ClientAddress): the client of a request, also behind proxies |
//! | `trusted_proxies.rs` | proxies whose word about that is taken |
//! | `loopback.rs` | hosts that are this machine for certain |
//! | `socket_access.rs` | [`SocketAccess`]: mode and group of a Unix socket |
//! | `nats.rs` | [`NatsAddress`]: a service behind NATS servers |
//! | `nats_files.rs` | [`NatsFiles`]: files with credentials and certificates for it |
//! | `proxy_query.rs` | the part `proxy=true` of a server's address |

mod authority;
pub(crate) mod client_address;
pub(crate) mod group;
pub(crate) mod loopback;
mod nats;
mod nats_files;
mod parse;
#[cfg(feature = "server")]
pub(crate) mod proxy_query;
mod socket_access;
#[cfg(test)]
mod tests;
#[cfg(feature = "server")]
pub(crate) mod trusted_proxies;

use std::fmt;
use std::path::PathBuf;

use antiphon_proto::Framing;
pub(crate) use authority::authority;
pub use nats::NatsAddress;
pub use nats_files::NatsFiles;
pub use socket_access::SocketAccess;

/// The address of a server, in the form in which servers, clients and the command-line tool take
/// it.
///
/// | text | meaning |
/// |---|---|
/// | `HOST:PORT`, `HOST:PORT/PATH` | HTTP |
/// | `:PORT` | HTTP; a client connects to this machine, a server listens on all interfaces |
/// | `http://HOST[:PORT][/PATH]` | HTTP; port 80 if none is given |
/// | `https://HOST[:PORT][/PATH]` | HTTP over TLS; port 443 |
/// | `ws://HOST[:PORT][/PATH]`, `wss://…` | WebSocket; default ports as for HTTP, which serves it |
/// | `tcp://HOST:PORT`, `tls://HOST:PORT` | a raw byte stream, without or with TLS |
/// | `http+unix:PATH`, `ws+unix:PATH` | HTTP or WebSocket on a Unix socket (Unix only) |
/// | `unix:PATH` | a raw byte stream on a Unix socket (Unix only) |
/// | `stdio:COMMAND` | a child process, on its standard input and output (clients only) |
/// | `nats://[USER:PASSWORD@]HOST[:PORT][,HOST…]/PREFIX[?creds=FILE…]`, `nats+tls://…` | messages through a NATS server, port 4222 if none is given; see [`NatsAddress`] |
///
/// On raw streams each message is a line, or has a `Content-Length` header as in LSP:
/// `tcp://HOST:PORT?framing=content-length`, `unix:PATH?framing=content-length`,
/// `stdio+content-length:COMMAND`.
///
/// For servers, the address of a Unix socket may say who else can connect to it:
/// `unix:PATH?mode=0660&group=GROUP`, where `GROUP` is a name or a number; see [`SocketAccess`]. Without
/// it only the user who runs the server can.
///
/// For servers, `proxy=true` in the query says that a proxy in front begins each connection with a
/// PROXY protocol header, version 1 or 2: `http://127.0.0.1:8060?proxy=true`,
/// `unix:PATH?mode=0660&proxy=true`. Connections without it are closed. Clients cannot use it.
///
/// `COMMAND` is split into words as by a POSIX shell. No shell runs, so variables and patterns are
/// not expanded.
///
/// IPv6 addresses are written in brackets. The path may include a query. A user name or password is
/// refused, but for NATS: URLs end up in logs and process lists, so credentials belong in a header.
///
/// Which schemes a build supports depends on its features. The text form can be parsed again.
///
/// ```
/// use antiphon::Address;
///
/// let address: Address = "localhost:8060".parse()?;
/// assert_eq!(address.to_string(), "http://localhost:8060/");
///
/// let Address::Http { host, port, path, .. } = ":8060".parse()? else { panic!() };
/// assert_eq!((host, port, path.as_str()), (None, 8060, "/"));
///
/// let error = "gopher://localhost".parse::<Address>().unwrap_err();
/// assert!(error.to_string().starts_with("`gopher:` is not spoken by this build"));
/// # Ok::<(), antiphon::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Address {
    /// HTTP over TCP.
    Http {
        /// Whether TLS is used.
        secure: bool,
        /// Host name or IP address, IPv6 without brackets; `None` if only a port was given.
        host: Option<String>,
        /// The TCP port.
        port: u16,
        /// Path and query; at least `/`.
        path: String,
    },
    /// WebSocket over TCP.
    WebSocket {
        /// Whether TLS is used.
        secure: bool,
        /// Host name or IP address, IPv6 without brackets; `None` if only a port was given.
        host: Option<String>,
        /// The TCP port.
        port: u16,
        /// Path and query; at least `/`.
        path: String,
    },
    /// A raw TCP stream.
    Tcp {
        /// Whether TLS is used.
        secure: bool,
        /// Host name or IP address, IPv6 without brackets; `None` if only a port was given.
        host: Option<String>,
        /// The TCP port.
        port: u16,
        /// How messages are delimited.
        framing: Framing,
    },
    /// HTTP on a Unix socket.
    HttpUnix {
        /// Path of the socket.
        socket: PathBuf,
        /// Who may connect; for servers.
        access: SocketAccess,
    },
    /// WebSocket on a Unix socket.
    WebSocketUnix {
        /// Path of the socket.
        socket: PathBuf,
        /// Who may connect; for servers.
        access: SocketAccess,
    },
    /// A raw stream on a Unix socket.
    Unix {
        /// Path of the socket.
        socket: PathBuf,
        /// Who may connect; for servers.
        access: SocketAccess,
        /// How messages are delimited.
        framing: Framing,
    },
    /// Standard input and output of a child process.
    Stdio {
        /// The program and its arguments.
        command: String,
        /// How messages are delimited.
        framing: Framing,
    },
    /// Messages through a broker.
    Nats(NatsAddress),
}

impl Address {
    /// The addresses in a list with commas between them. The commas between the hosts of a `nats:` address
    /// are part of it.
    ///
    /// ```
    /// use antiphon::Address;
    ///
    /// let list = "nats://a,b:4223/shop, ws://c:8060";
    /// assert_eq!(Address::split_list(list), ["nats://a,b:4223/shop", "ws://c:8060"]);
    /// ```
    #[must_use]
    pub fn split_list(list: &str) -> Vec<String> {
        nats::split_list(list)
    }

    /// Whether the address uses TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(
            self,
            Self::Http { secure: true, .. }
                | Self::WebSocket { secure: true, .. }
                | Self::Tcp { secure: true, .. }
                | Self::Nats(NatsAddress { secure: true, .. })
        )
    }

    /// Who may connect to a Unix socket, if the address says more than the default.
    pub(crate) fn access(&self) -> Option<&SocketAccess> {
        match self {
            Self::HttpUnix { access, .. }
            | Self::WebSocketUnix { access, .. }
            | Self::Unix { access, .. } => Some(access).filter(|access| !access.is_default()),
            _ => None,
        }
    }
}

/// The error of parsing an [`Address`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AddressError {
    /// The scheme is unknown or not supported by this build.
    Unsupported {
        /// The text before the first colon.
        scheme: String,
    },
    /// The address contains a user name or password.
    UserInfo,
    /// The scheme is supported, but the rest of the address is invalid.
    Malformed {
        /// What is wrong, and what is expected.
        reason: String,
    },
}

/// Whether this build can open sockets. Without them, a client sends HTTP requests to a service
/// that it is given.
const SOCKETS: bool = cfg!(any(feature = "client", feature = "server"));

/// Whether this build has TLS.
const TLS: bool = SOCKETS && cfg!(feature = "tls");

/// All schemes, and whether this build supports each.
const SCHEMES: &[(&str, bool)] = &[
    ("http", true),
    ("https", TLS),
    ("ws", SOCKETS && cfg!(feature = "ws")),
    ("wss", TLS && cfg!(feature = "ws")),
    ("tcp", SOCKETS),
    ("tls", TLS),
    ("http+unix", SOCKETS && cfg!(unix)),
    ("ws+unix", SOCKETS && cfg!(all(feature = "ws", unix))),
    ("unix", SOCKETS && cfg!(unix)),
    ("stdio", SOCKETS),
    ("stdio+content-length", SOCKETS),
    ("nats", cfg!(feature = "nats")),
    ("nats+tls", cfg!(feature = "nats")),
];

/// The query of a raw stream's address, unless its framing is the default.
fn query(framing: Framing) -> &'static str {
    match framing {
        Framing::ContentLength => "?framing=content-length",
        _ => "",
    }
}

/// Writes mode and group behind this character, unless they are the default.
fn write_access(f: &mut fmt::Formatter<'_>, mark: char, access: &SocketAccess) -> fmt::Result {
    match access.is_default() {
        true => Ok(()),
        false => write!(f, "{mark}{access}"),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |host: &Option<String>, port: u16| match host {
            Some(host) => authority(host, port),
            None => format!(":{port}"),
        };
        let s = |secure: bool| if secure { "s" } else { "" };
        match self {
            Self::Http {
                secure: false,
                host: None,
                port,
                path,
            } => write!(f, ":{port}{}", if path == "/" { "" } else { path }),
            Self::Http {
                secure,
                host,
                port,
                path,
            } => write!(f, "http{}://{}{path}", s(*secure), place(host, *port)),
            Self::WebSocket {
                secure,
                host,
                port,
                path,
            } => write!(f, "ws{}://{}{path}", s(*secure), place(host, *port)),
            Self::Tcp {
                secure,
                host,
                port,
                framing,
            } => {
                let scheme = if *secure { "tls" } else { "tcp" };
                let place = place(host, *port);
                write!(f, "{scheme}://{place}{}", query(*framing))
            }
            Self::HttpUnix { socket, access } => {
                write!(f, "http+unix:{}", socket.display())?;
                write_access(f, '?', access)
            }
            Self::WebSocketUnix { socket, access } => {
                write!(f, "ws+unix:{}", socket.display())?;
                write_access(f, '?', access)
            }
            Self::Unix {
                socket,
                access,
                framing,
            } => {
                let query = query(*framing);
                write!(f, "unix:{}{query}", socket.display())?;
                write_access(f, if query.is_empty() { '?' } else { '&' }, access)
            }
            Self::Stdio { command, framing } => match framing {
                Framing::ContentLength => write!(f, "stdio+content-length:{command}"),
                _ => write!(f, "stdio:{command}"),
            },
            Self::Nats(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { scheme } => {
                write!(f, "`{scheme}:` is not spoken by this build, which knows ")?;
                let mut known = SCHEMES.iter().filter(|(_, spoken)| *spoken).peekable();
                f.write_str("HOST:PORT, :PORT")?;
                while let Some((scheme, _)) = known.next() {
                    let before = match known.peek() {
                        Some(_) => ", ",
                        None => " and ",
                    };
                    write!(f, "{before}{scheme}:")?;
                }
                Ok(())
            }
            Self::UserInfo => f.write_str(
                "an address holds no user name or password; send them in a header instead",
            ),
            Self::Malformed { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for AddressError {}
