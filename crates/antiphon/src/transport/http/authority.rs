//! Host and port, as `Host` and request targets name them.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest name of a host, with the dot behind it.
const MAX_NAME: usize = 254;

/// A host, and a port if there is one. User information is never part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostPort<'a> {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> HostPort<'a> {
    /// Parses `HOST` or `HOST:PORT`; `None` for everything that another reader could understand in
    /// another way: a port that is empty or no number up to 65535, user information, spaces, and
    /// characters that no host name has.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let end_of_host = match text.starts_with('[') {
            true => text.find(']')? + 1,
            false => text.find(':').unwrap_or(text.len()),
        };
        let (host, port) = text.split_at_checked(end_of_host)?;
        let port = match port {
            "" => None,
            port => Some(parse_port(port.strip_prefix(':')?)?),
        };
        is_host(host).then_some(Self { host, port })
    }
}

/// Parses 1 to 65535, of at most five digits.
fn parse_port(text: &str) -> Option<u16> {
    let is_number = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = is_number.then(|| text.parse().ok())??;
    (port > 0).then_some(port)
}

fn is_host(host: &str) -> bool {
    match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            !host.is_empty() && host.len() <= MAX_NAME && host.bytes().all(of_a_name)
        }
    }
}

/// Whether no label of the name is empty, except for the one behind the last dot, and a name that
/// ends in a number is an IPv4 address in its usual form. Browsers turn `127.1` into `127.0.0.1`.
pub(super) fn is_usual_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last
            .strip_prefix("0x")
            .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    match is_number {
        true => name.parse::<Ipv4Addr>().is_ok(),
        false => name.split('.').all(|label| !label.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_port_that_is_one_or_none() {
        for (text, host, port) in [
            ("localhost", "localhost", None),
            ("LOCALHOST.:80", "LOCALHOST.", Some(80)),
            ("127.0.0.1:65535", "127.0.0.1", Some(65535)),
            ("my_service:00080", "my_service", Some(80)),
            ("[::1]", "[::1]", None),
            ("[2001:db8::1]:8060", "[2001:db8::1]", Some(8060)),
        ] {
            let expected = HostPort { host, port };
            assert_eq!(HostPort::parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            ":",
            ":80",
            "localhost:",
            "localhost:0",
            "localhost:65536",
            "localhost:000080",
            "localhost:+80",
            "localhost:-1",
            "localhost: 80",
            "localhost:80 ",
            "localhost:http",
            "localhost:80:80",
            "localhost:80@evil.example",
            "user@localhost",
            "user:80@localhost",
            "local host",
            " localhost",
            "localhost/",
            "localhost?",
            "localhost#",
            "localhost\\evil.example",
            "localhost,evil.example",
            "local%68ost",
            "lo\tcalhost",
            "bücher.example",
            "*.example",
            "::1",
            "[::1",
            "[::1]80",
            "[::1]:",
            "[::1]evil.example",
            "[::1%25lo]",
            "[v1.x]",
            "[]",
            "[127.0.0.1]",
            "]",
        ] {
            assert_eq!(HostPort::parse(text), None, "{text:?}");
        }
        assert!(HostPort::parse(&"a".repeat(MAX_NAME)).is_some());
        assert_eq!(HostPort::parse(&"a".repeat(MAX_NAME + 1)), None);
    }

    #[test]
    fn a_name_is_usual_if_browsers_would_not_write_it_otherwise() {
        for (name, usual) in [
            ("api.example", true),
            ("api.example.", true),
            ("127.0.0.1", true),
            ("1and1.example", true),
            ("0x.example", true),
            ("127.1", false),
            ("2130706433", false),
            ("0x7f000001", false),
            ("0177.0.0.1", false),
            ("256.0.0.1", false),
            (".example", false),
            ("api..example", false),
            ("api.example..", false),
            (".", false),
            ("", false),
        ] {
            assert_eq!(is_usual_name(name), usual, "{name:?}");
        }
    }
}
