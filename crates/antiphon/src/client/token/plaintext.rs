//! Addresses to which a token would go unencrypted over a network.

use crate::address::Address;
use crate::address::loopback::is_loopback;

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
            ("http://LOCALHOST:1", false),
            ("http://localhost.:1", true),
            ("ws://a.localhost", true),
            ("tcp://127.8.9.1:1", false),
            ("ws://[::1]:1", false),
            ("tcp://[::ffff:127.0.0.1]:1", true),
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
