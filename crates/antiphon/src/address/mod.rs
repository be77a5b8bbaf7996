//! Addresses: one grammar for servers and clients.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Address`], its errors, its text form |
//! | `parse.rs` | text → address |

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

use antiphon_proto::Framing;

/// The place of a server, as it is written for a client, a server or the tool.
///
/// | text | meaning |
/// |---|---|
/// | `HOST:PORT`, `HOST:PORT/PATH` | HTTP |
/// | `:PORT` | HTTP; a client connects to this machine, a server listens on all interfaces |
/// | `http://HOST[:PORT][/PATH]` | HTTP; port 80 if none is given |
/// | `https://HOST[:PORT][/PATH]` | HTTP over TLS; port 443 |
/// | `ws://HOST[:PORT][/PATH]`, `wss://…` | WebSocket; ports as for HTTP, by which servers serve it |
/// | `tcp://HOST:PORT`, `tls://HOST:PORT` | a raw stream, without or with TLS |
/// | `http+unix:PATH`, `ws+unix:PATH` | HTTP or WebSocket on a Unix socket (Unix only) |
/// | `unix:PATH` | a raw stream on a Unix socket (Unix only) |
/// | `stdio:COMMAND` | a program that is started, on its standard input and output (clients only) |
///
/// Messages of raw streams are lines, or headed as in LSP: `tcp://HOST:PORT?framing=content-length`,
/// `unix:PATH?framing=content-length`, `stdio+content-length:COMMAND`.
///
/// `COMMAND` is split into words as by a POSIX shell; no shell runs, so variables and patterns in it
/// stay as they are.
///
/// An IPv6 address stands in brackets. The path may bring a query. A user name or a password is
/// refused: a URL ends up in logs and process lists, so credentials belong into a header.
///
/// Which of these a build speaks, its features say. The text form can be parsed again.
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
        /// Whether over TLS.
        secure: bool,
        /// Name or number, IPv6 without its brackets; `None` if only a port was given.
        host: Option<String>,
        /// The TCP port.
        port: u16,
        /// Path and query, at least `/`.
        path: String,
    },
    /// WebSocket over TCP.
    WebSocket {
        /// Whether over TLS.
        secure: bool,
        /// Name or number, IPv6 without its brackets; `None` if only a port was given.
        host: Option<String>,
        /// The TCP port.
        port: u16,
        /// Path and query, at least `/`.
        path: String,
    },
    /// A raw TCP stream.
    Tcp {
        /// Whether over TLS.
        secure: bool,
        /// Name or number, IPv6 without its brackets; `None` if only a port was given.
        host: Option<String>,
        /// The TCP port.
        port: u16,
        /// How messages are told apart.
        framing: Framing,
    },
    /// HTTP on a Unix socket.
    HttpUnix {
        /// Where the socket lies.
        socket: PathBuf,
    },
    /// WebSocket on a Unix socket.
    WebSocketUnix {
        /// Where the socket lies.
        socket: PathBuf,
    },
    /// A raw stream on a Unix socket.
    Unix {
        /// Where the socket lies.
        socket: PathBuf,
        /// How messages are told apart.
        framing: Framing,
    },
    /// The standard input and output of a program.
    Stdio {
        /// The program and its arguments.
        command: String,
        /// How messages are told apart.
        framing: Framing,
    },
}

impl Address {
    /// Whether TLS is spoken there.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        matches!(
            self,
            Self::Http { secure: true, .. }
                | Self::WebSocket { secure: true, .. }
                | Self::Tcp { secure: true, .. }
        )
    }
}

/// Text that is no [`Address`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AddressError {
    /// A scheme that nobody knows, or that this build was made without.
    Unsupported {
        /// What stands before the first colon.
        scheme: String,
    },
    /// A user name or password before an `@`.
    UserInfo,
    /// A scheme that is spoken, and something behind it that cannot be read.
    Malformed {
        /// What is wrong, and what would be right.
        reason: String,
    },
}

/// Whether this build opens sockets. Without, HTTP goes through a service that a client is given.
const SOCKETS: bool = cfg!(any(feature = "client", feature = "server"));

/// Whether this build has TLS.
const TLS: bool = SOCKETS && cfg!(feature = "tls");

/// The schemes of all builds, each with whether this one has it.
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
];

/// Host and port as they stand in a URL.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// What stands behind a raw stream's address, if its messages are no lines.
fn query(framing: Framing) -> &'static str {
    match framing {
        Framing::ContentLength => "?framing=content-length",
        _ => "",
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
            Self::HttpUnix { socket } => write!(f, "http+unix:{}", socket.display()),
            Self::WebSocketUnix { socket } => write!(f, "ws+unix:{}", socket.display()),
            Self::Unix { socket, framing } => {
                write!(f, "unix:{}{}", socket.display(), query(*framing))
            }
            Self::Stdio { command, framing } => match framing {
                Framing::ContentLength => write!(f, "stdio+content-length:{command}"),
                _ => write!(f, "stdio:{command}"),
            },
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
