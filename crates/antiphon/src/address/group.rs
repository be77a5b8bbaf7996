//! Groups of IP addresses that count as one caller.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that limits by address count together, since one caller has all of them: a single
/// IPv4 address, or the /64 of an IPv6 address.
///
/// An IPv6 address that stands for an IPv4 address (`::ffff:192.0.2.1`, or `64:ff9b::192.0.2.1`
/// behind a translator) counts as that IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct AddressGroup(Prefix);

/// The prefix that the addresses of a group share. The types tell prefixes of different lengths
/// apart, so groups and sites can be keys of the same table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Prefix {
    V4(Ipv4Addr),
    V6Network([u16; 4]),
    V6Site([u16; 3]),
    Hidden,
}

impl AddressGroup {
    /// The callers behind a proxy that does not tell who they are.
    pub(crate) const HIDDEN: Self = Self(Prefix::Hidden);

    /// The /48 around an IPv6 group, which one customer of a provider may have as a whole; `None`
    /// for IPv4.
    pub(crate) fn site(self) -> Option<Self> {
        match self.0 {
            Prefix::V4(_) | Prefix::Hidden => None,
            Prefix::V6Network([a, b, c, _]) | Prefix::V6Site([a, b, c]) => {
                Some(Self(Prefix::V6Site([a, b, c])))
            }
        }
    }
}

impl From<IpAddr> for AddressGroup {
    fn from(address: IpAddr) -> Self {
        Self(match address {
            IpAddr::V4(address) => Prefix::V4(address),
            IpAddr::V6(address) => match embedded(address) {
                Some(address) => Prefix::V4(address),
                None => {
                    let [a, b, c, d, ..] = address.segments();
                    Prefix::V6Network([a, b, c, d])
                }
            },
        })
    }
}

/// The IPv4 address that an IPv6 address stands for.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        _ => address.to_ipv4_mapped(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(address: &str) -> AddressGroup {
        AddressGroup::from(address.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn an_address_is_in_the_group_of_its_neighbours_and_in_no_other() {
        for (one, other, same_group, same_site) in [
            ("192.0.2.1", "192.0.2.1", true, false),
            ("192.0.2.1", "192.0.2.2", false, false),
            ("192.0.2.1", "::ffff:192.0.2.1", true, false),
            ("192.0.2.1", "64:ff9b::192.0.2.1", true, false),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false, false),
            ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", false, false),
            // The deprecated form of an IPv4 address is an IPv6 address like any other.
            ("192.0.2.1", "::192.0.2.1", false, false),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true, true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false, true),
            ("2001:db8:1:2::1", "2001:db8:2:2::1", false, false),
            ("::1", "::2", true, true),
            ("fe80::1", "fe80::ffff:ffff:ffff:ffff", true, true),
        ] {
            let (one_group, other_group) = (group(one), group(other));
            assert_eq!(one_group == other_group, same_group, "{one} {other}");
            let sites = one_group.site().zip(other_group.site());
            let same = sites.is_some_and(|(one, other)| one == other);
            assert_eq!(same, same_site, "{one} {other}");
        }
    }

    #[test]
    fn a_group_is_never_a_site() {
        let group = group("2001:db8::1");
        assert_ne!(Some(group), group.site());
        assert_eq!(group.site().and_then(AddressGroup::site), group.site());
    }
}
