//! Where a server listens and a client connects: one grammar for both.

use std::fmt;
use std::net::Ipv6Addr;
#[cfg(unix)]
use std::path::PathBuf;
use std::str::FromStr;

/// The place of a server, as it is written for a client, a server or the tool.
///
/// | text | meaning |
/// |---|---|
/// | `HOST:PORT`, `HOST:PORT/PATH` | HTTP |
/// | `:PORT` | HTTP; a client connects to this machine, a server listens on all interfaces |
/// | `http://HOST[:PORT][/PATH]` | HTTP; port 80 if none is given |
/// | `http+unix:PATH` | HTTP on a Unix socket (Unix only) |
///
/// An IPv6 address stands in brackets. The path may bring a query. A user name or a password is
/// refused: a URL ends up in logs and process lists, so credentials belong into a header.
///
/// The enum grows with the transports that a build speaks. Its text form can be parsed again.
///
/// ```
/// use antiphon::Address;
///
/// let address: Address = "localhost:8060".parse()?;
/// assert_eq!(address.to_string(), "http://localhost:8060/");
///
/// let Address::Http { host, port, path } = ":8060".parse()? else { panic!() };
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
        /// Name or number, IPv6 without its brackets; `None` if only a port was given.
        host: Option<String>,
        /// The TCP port.
        port: u16,
        /// Path and query, at least `/`.
        path: String,
    },
    /// HTTP on a Unix socket.
    #[cfg(unix)]
    HttpUnix {
        /// Where the socket lies.
        socket: PathBuf,
    },
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

impl Address {
    /// What stands behind `http://` or `https://`.
    pub(crate) fn parse_http(rest: &str, default_port: Option<u16>) -> Result<Self, AddressError> {
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(AddressError::UserInfo);
        }
        let (host, port) = split_port(authority)?;
        let port = match (port, default_port) {
            (Some(port), _) => parse_port(port)?,
            (None, Some(port)) => port,
            (None, None) => {
                return Err(malformed(format!(
                    "`{authority}` names no port; write `{authority}:8060`, or a scheme before it"
                )));
            }
        };
        Ok(Self::Http {
            host: parse_host(host)?,
            port,
            path: parse_path(path)?,
        })
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once(':').unwrap_or_default();
        match (scheme.to_ascii_lowercase().as_str(), rest) {
            #[cfg(unix)]
            ("http+unix", "") => Err(malformed("`http+unix:` needs the path of a socket".into())),
            #[cfg(unix)]
            ("http+unix", socket) => Ok(Self::HttpUnix {
                socket: PathBuf::from(socket),
            }),
            ("http", rest) if rest.starts_with("//") => Self::parse_http(&rest[2..], Some(80)),
            // These need no `//`, so they are not to be taken for the name of a host.
            #[cfg(not(unix))]
            ("http+unix", _) => Err(unsupported(scheme)),
            ("ws+unix" | "unix" | "stdio", _) => Err(unsupported(scheme)),
            (_, rest) if rest.starts_with("//") => Err(unsupported(scheme)),
            _ => Self::parse_http(text, None),
        }
    }
}

/// Host and port; the colons inside brackets are part of the host.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), AddressError> {
    if let Some(inner) = authority.strip_prefix('[') {
        let Some((_, behind)) = inner.split_once(']') else {
            return Err(malformed(format!("`{authority}` has no closing bracket")));
        };
        let host = &authority[..authority.len() - behind.len()];
        return match behind.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if behind.is_empty() => Ok((host, None)),
            None => Err(malformed(format!("`{behind}` behind the bracket"))),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err(malformed(format!(
            "`{authority}`: an IPv6 address stands in brackets, as in `[::1]:8060`"
        ))),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn parse_port(port: &str) -> Result<u16, AddressError> {
    // `u16::from_str` would take a plus sign.
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(number) if digits => Ok(number),
        _ => Err(malformed(format!("`{port}` is no port"))),
    }
}

fn parse_host(host: &str) -> Result<Option<String>, AddressError> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or(inner);
        return match inner.parse::<Ipv6Addr>() {
            Ok(address) => Ok(Some(address.to_string())),
            Err(_) => Err(malformed(format!("`{inner}` is no IPv6 address"))),
        };
    }
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    match host {
        "" => Ok(None),
        host if host.len() <= 253 && host.bytes().all(named) => Ok(Some(host.to_owned())),
        host => Err(malformed(format!("`{host}` is no host name"))),
    }
}

fn parse_path(path: &str) -> Result<String, AddressError> {
    if path.contains('#') {
        return Err(malformed("a fragment (`#…`) is never sent".into()));
    }
    // A query may stand right behind the host.
    let slash = if path.starts_with('/') { "" } else { "/" };
    let path = format!("{slash}{path}");
    match http::uri::PathAndQuery::from_str(&path) {
        Ok(_) => Ok(path),
        Err(_) => Err(malformed(
            "the path has characters that must be written as %XX".into(),
        )),
    }
}

fn unsupported(scheme: &str) -> AddressError {
    AddressError::Unsupported {
        scheme: scheme.to_ascii_lowercase(),
    }
}

fn malformed(reason: String) -> AddressError {
    AddressError::Malformed { reason }
}

/// Host and port as they stand in a URL.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http {
                host: Some(host),
                port,
                path,
            } => write!(f, "http://{}{path}", authority(host, *port)),
            Self::Http {
                host: None,
                port,
                path,
            } => write!(f, ":{port}{}", if path == "/" { "" } else { path }),
            #[cfg(unix)]
            Self::HttpUnix { socket } => write!(f, "http+unix:{}", socket.display()),
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported { scheme } => write!(
                f,
                "`{scheme}:` is not spoken by this build, which knows HOST:PORT, :PORT, http://{}",
                if cfg!(unix) {
                    " and http+unix:PATH"
                } else {
                    ""
                }
            ),
            Self::UserInfo => f.write_str(
                "an address holds no user name or password; send them in a header instead",
            ),
            Self::Malformed { reason } => f.write_str(reason),
        }
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text → its canonical form, or a part of the error.
    fn check(table: &[(&str, Result<&str, &str>)]) {
        for (text, expected) in table {
            match (text.parse::<Address>(), expected) {
                (Ok(address), Ok(shown)) => {
                    assert_eq!(address.to_string(), *shown, "{text}");
                    assert_eq!(shown.parse(), Ok(address), "{text}");
                }
                (Err(error), Err(part)) => {
                    let error = error.to_string();
                    assert!(error.contains(part), "{text}: {error}");
                    assert!(!error.contains("secret"), "{text}: {error}");
                }
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }

    #[test]
    fn what_is_an_address() {
        check(&[
            ("localhost:8060", Ok("http://localhost:8060/")),
            ("127.0.0.1:0", Ok("http://127.0.0.1:0/")),
            (":8060", Ok(":8060")),
            (":8060/rpc?x=1", Ok(":8060/rpc?x=1")),
            ("[::1]:8060", Ok("http://[::1]:8060/")),
            ("[0:0::1]:8060/rpc", Ok("http://[::1]:8060/rpc")),
            ("http://h", Ok("http://h:80/")),
            ("HTTP://h:81/a/b?c=d%20e", Ok("http://h:81/a/b?c=d%20e")),
            ("http://[::1]", Ok("http://[::1]:80/")),
            ("http://h?x", Ok("http://h:80/?x")),
            (
                "http://my_host-1.example.",
                Ok("http://my_host-1.example.:80/"),
            ),
            ("http://h/a@b", Ok("http://h:80/a@b")),
        ]);
    }

    #[test]
    fn what_is_none() {
        check(&[
            ("", Err("names no port")),
            ("localhost", Err("write `localhost:8060`")),
            ("localhost:", Err("no port")),
            ("localhost:+1", Err("no port")),
            ("localhost:65536", Err("no port")),
            ("localhost:http", Err("no port")),
            ("::1", Err("brackets")),
            ("::1:8060", Err("brackets")),
            ("[::1", Err("closing bracket")),
            ("[::1]8060", Err("behind the bracket")),
            ("[localhost]:1", Err("no IPv6 address")),
            ("[fe80::1%25eth0]:1", Err("no IPv6 address")),
            ("http://", Ok(":80")),
            ("http://a b:1", Err("no host name")),
            ("http://é:1", Err("no host name")),
            ("http://h:1/a b", Err("%XX")),
            ("http://h:1/\r\nx", Err("%XX")),
            ("http://h:1/#secret", Err("fragment")),
            ("http://user:secret@h:1/", Err("user name or password")),
            ("user:secret@h:1", Err("user name or password")),
            ("https://h", Err("`https:` is not spoken by this build")),
            ("wss://h", Err("`wss:` is not spoken")),
            ("tcp://h:1", Err("`tcp:` is not spoken")),
            ("unix:/run/x", Err("`unix:` is not spoken")),
            ("ws+unix:/run/x", Err("`ws+unix:` is not spoken")),
            ("stdio:cat", Err("`stdio:` is not spoken")),
        ]);
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_an_address() {
        check(&[
            ("http+unix:/run/x.sock", Ok("http+unix:/run/x.sock")),
            ("http+unix:x", Ok("http+unix:x")),
            ("http+unix:", Err("needs the path of a socket")),
        ]);
    }
}
