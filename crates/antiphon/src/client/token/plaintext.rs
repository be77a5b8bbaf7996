//! Addresses to which a token would go unencrypted over a network.

use std::net::IpAddr;

use crate::address::Address;

/// Whether others on the network could read a token that is sent to this address.
pub(in crate::client) fn is_exposed(address: &Address) -> bool {
    if address.is_secure() {
        return false;
    }
    match address {
        Address::Http { host, .. }
        | Address::WebSocket { host, .. }
        | Address::Tcp { host, .. } => host.as_deref().is_some_and(|host| !is_loopback(host)),
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    match name.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_machine_itself_and_encryption_keep_a_token() {
        for (address, expected) in [
            ("http://calc.example", true),
            ("http://10.0.0.1:80/x", true),
            ("ws://[2001:db8::1]", true),
            ("tcp://calc.example:1", true),
            ("http://localhost.example", true),
            ("http://127.0.0.1.example", true),
            (":8060", false),
            ("http://localhost:1", false),
            ("http://LOCALHOST.:1", false),
            ("ws://a.localhost", false),
            ("tcp://127.8.9.1:1", false),
            ("ws://[::1]:1", false),
            ("tcp://[::ffff:127.0.0.1]:1", false),
            ("unix:/run/a.sock", false),
            ("stdio:cat", false),
            ("https://calc.example", false),
            ("wss://calc.example", false),
            ("tls://calc.example:1", false),
        ] {
            let parsed: Address = address.parse().unwrap();
            assert_eq!(is_exposed(&parsed), expected, "{address}");
        }
    }
}
