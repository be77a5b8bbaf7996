//! Parser of addresses.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use antiphon_proto::Framing;

use super::socket_access::split_query;
use super::{Address, AddressError, NatsAddress, SCHEMES, SocketAccess};

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once(':').unwrap_or_default();
        let lower = scheme.to_ascii_lowercase();
        let known = SCHEMES.iter().find(|(name, _)| *name == lower);
        let slashes = rest.strip_prefix("//");
        match (known, lower.as_str(), slashes) {
            // These need no `//`, so without this case they would be parsed as host names.
            (Some((_, false)), "http+unix" | "ws+unix" | "unix" | "stdio", _)
            | (Some((_, false)), "stdio+content-length", _)
            | (Some((_, false)) | None, _, Some(_)) => {
                Err(AddressError::Unsupported { scheme: lower })
            }
            (Some(_), "http", Some(rest)) => Self::parse_http(rest, Some(80)),
            (Some(_), "https", Some(rest)) => Self::parse_http(rest, Some(443)).map(Self::secured),
            (Some(_), "ws", Some(rest)) => {
                Self::parse_http(rest, Some(80)).map(Self::into_web_socket)
            }
            (Some(_), "wss", Some(rest)) => {
                let address = Self::parse_http(rest, Some(443));
                address.map(Self::secured).map(Self::into_web_socket)
            }
            (Some(_), "tcp", Some(rest)) => parse_tcp(rest, false),
            (Some(_), "tls", Some(rest)) => parse_tcp(rest, true),
            (Some(_), "nats" | "nats+tls", Some(rest)) => {
                let place = |place: &str, port| parse_authority(place, Some(port));
                NatsAddress::parse(rest, lower == "nats+tls", place, malformed).map(Self::Nats)
            }
            (Some(_), "http+unix", _) => {
                let (socket, access) = parse_http_socket(&lower, rest)?;
                Ok(Self::HttpUnix { socket, access })
            }
            (Some(_), "ws+unix", _) => {
                let (socket, access) = parse_http_socket(&lower, rest)?;
                Ok(Self::WebSocketUnix { socket, access })
            }
            (Some(_), "unix", _) => {
                let (socket, framing, access) = split_query(rest).map_err(malformed)?;
                Ok(Self::Unix {
                    socket: parse_socket(&lower, socket)?,
                    access,
                    framing: framing.unwrap_or_default(),
                })
            }
            (Some(_), "stdio", _) => parse_stdio(rest, Framing::Newline),
            (Some(_), "stdio+content-length", _) => parse_stdio(rest, Framing::ContentLength),
            _ => Self::parse_http(text, None),
        }
    }
}

impl Address {
    /// Parses what follows `http://` or `https://`.
    pub(crate) fn parse_http(rest: &str, default_port: Option<u16>) -> Result<Self, AddressError> {
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        let (host, port) = parse_authority(authority, default_port)?;
        Ok(Self::Http {
            secure: false,
            host,
            port,
            path: parse_path(path)?,
        })
    }

    /// The same address with TLS.
    pub(crate) fn secured(self) -> Self {
        match self {
            Self::Http {
                host, port, path, ..
            } => Self::Http {
                secure: true,
                host,
                port,
                path,
            },
            other => other,
        }
    }

    fn into_web_socket(self) -> Self {
        match self {
            Self::Http {
                secure,
                host,
                port,
                path,
            } => Self::WebSocket {
                secure,
                host,
                port,
                path,
            },
            other => other,
        }
    }
}

fn parse_tcp(rest: &str, secure: bool) -> Result<Address, AddressError> {
    let (place, framing) = split_framing(rest)?;
    let place = place.strip_suffix('/').unwrap_or(place);
    if place.contains('/') {
        return Err(malformed("a raw stream has no path".into()));
    }
    let (host, port) = parse_authority(place, None)?;
    Ok(Address::Tcp {
        secure,
        host,
        port,
        framing,
    })
}

fn parse_socket(scheme: &str, path: &str) -> Result<PathBuf, AddressError> {
    match path {
        "" => Err(malformed(format!("`{scheme}:` needs the path of a socket"))),
        path => Ok(PathBuf::from(path)),
    }
}

/// A socket that carries HTTP, which has no framing of its own to choose.
fn parse_http_socket(scheme: &str, rest: &str) -> Result<(PathBuf, SocketAccess), AddressError> {
    let (socket, framing, access) = split_query(rest).map_err(malformed)?;
    match framing {
        None => Ok((parse_socket(scheme, socket)?, access)),
        Some(_) => Err(malformed(format!(
            "`framing=…` is for `unix:`; `{scheme}:` is HTTP"
        ))),
    }
}

fn parse_stdio(command: &str, framing: Framing) -> Result<Address, AddressError> {
    match command.trim() {
        "" => Err(malformed("`stdio:` needs a command to start".into())),
        command => Ok(Address::Stdio {
            command: command.to_owned(),
            framing,
        }),
    }
}

/// Splits off `?framing=…`.
fn split_framing(text: &str) -> Result<(&str, Framing), AddressError> {
    let Some((place, query)) = text.split_once('?') else {
        return Ok((text, Framing::default()));
    };
    let word = query.strip_prefix("framing=");
    match word.and_then(|word| word.parse().ok()) {
        Some(framing) => Ok((place, framing)),
        None => Err(malformed(format!(
            "`?{query}`: it is `?framing=newline` or `?framing=content-length`"
        ))),
    }
}

pub(super) fn parse_authority(
    authority: &str,
    default_port: Option<u16>,
) -> Result<(Option<String>, u16), AddressError> {
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
    Ok((parse_host(host)?, port))
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
    // `u16::from_str` would accept a plus sign.
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
    // A query may follow the host directly.
    let slash = if path.starts_with('/') { "" } else { "/" };
    let path = format!("{slash}{path}");
    match http::uri::PathAndQuery::from_str(&path) {
        Ok(_) => Ok(path),
        Err(_) => Err(malformed(
            "the path has characters that must be written as %XX".into(),
        )),
    }
}

fn malformed(reason: String) -> AddressError {
    AddressError::Malformed { reason }
}
