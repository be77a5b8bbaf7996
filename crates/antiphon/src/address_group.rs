//! Group of addresses: what one caller is taken to have.
//!
//! Whoever has an IPv6 address usually has 2⁶⁴ of them, so a limit by single addresses would limit
//! nobody.

use std::net::IpAddr;

/// An IPv4 address, or the first 64 bits of an IPv6 address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum AddressGroup {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl From<IpAddr> for AddressGroup {
    /// An IPv4 address that is written as IPv6 (`::ffff:192.0.2.1`) is an IPv4 address.
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one_group() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8::1", "2001:db8::ffff:0:0:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let [a, b] =
                [one, other].map(|text| AddressGroup::from(text.parse::<IpAddr>().unwrap()));
            assert_eq!(a == b, same, "{one} and {other}");
        }
    }
}
