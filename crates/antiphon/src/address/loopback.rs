//! Loopback hosts: names of this machine to which secrets may go unencrypted.

use std::net::IpAddr;

/// Whether a host is this machine for certain: 127.0.0.0/8, `::1` (also in brackets), or `localhost`.
///
/// What goes there unencrypted is seen by nobody else, so every doubt counts against a host. Names
/// below `localhost`, and `localhost.` with a dot, are looked up by some systems in the network's DNS,
/// which may answer with any address. Other forms of an address (`127.1`, `::ffff:127.0.0.1`) are
/// read in different ways.
pub(crate) fn is_loopback(host: &str) -> bool {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = match inner {
        Some(inner) => inner.parse().map(IpAddr::V6).ok(),
        None => host.parse().ok(),
    };
    match address {
        Some(address) => address.is_loopback(),
        None => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_this_machine_for_certain_is_loopback() {
        for (host, expected) in [
            ("localhost", true),
            ("LocalHost", true),
            ("127.0.0.1", true),
            ("127.255.255.254", true),
            ("::1", true),
            ("[::1]", true),
            ("[0:0:0:0:0:0:0:1]", true),
            ("", false),
            ("localhost.", false),
            ("a.localhost", false),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
            ("127.0.0.1.", false),
            ("127.1", false),
            ("0177.0.0.1", false),
            ("0x7f000001", false),
            ("2130706433", false),
            ("128.0.0.1", false),
            ("0.0.0.0", false),
            ("[::]", false),
            ("[127.0.0.1]", false),
            ("[::1", false),
            ("::1]", false),
            ("[[::1]]", false),
            ("::ffff:127.0.0.1", false),
            ("[fe80::1%lo]", false),
            ("10.0.0.1", false),
            ("issuer.example", false),
        ] {
            assert_eq!(is_loopback(host), expected, "{host:?}");
        }
    }
}
