//! IP address of the client of a request, which may be behind proxies.

use std::net::{IpAddr, SocketAddr};

use crate::address::group::AddressGroup;

/// The address of the client that a request comes from: the peer of the connection, or whom a
/// trusted proxy names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum ClientAddress {
    /// The transport has no addresses.
    #[default]
    None,
    /// An IPv4 address is never written as an IPv6 one.
    Known(IpAddr),
    /// Somebody behind a proxy that has no address itself (a Unix socket), and names none. All of them
    /// count as one caller: otherwise hiding the address would be a way around limits.
    Hidden,
}

impl ClientAddress {
    /// The address, if it is known.
    pub(crate) fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => Some(address),
            Self::None | Self::Hidden => None,
        }
    }

    /// The addresses that count as the same caller; `None` if there are no addresses.
    pub(crate) fn group(self) -> Option<AddressGroup> {
        match self {
            Self::Known(address) => Some(AddressGroup::from(address)),
            Self::Hidden => Some(AddressGroup::HIDDEN),
            Self::None => None,
        }
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self::Known(address.to_canonical())
    }
}

impl From<Option<SocketAddr>> for ClientAddress {
    fn from(peer: Option<SocketAddr>) -> Self {
        peer.map_or(Self::None, |peer| peer.ip().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_without_an_address_are_one_caller_only_behind_a_proxy() {
        assert_eq!(ClientAddress::from(None).group(), None);
        assert_eq!(ClientAddress::Hidden.group(), ClientAddress::Hidden.group());
        let nobody: IpAddr = "0.0.0.0".parse().unwrap();
        assert!(ClientAddress::Hidden.group().is_some());
        assert_ne!(
            ClientAddress::Hidden.group(),
            ClientAddress::from(nobody).group()
        );
        assert_eq!(ClientAddress::Hidden.ip(), None);
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert_eq!(ClientAddress::from(mapped).ip(), "192.0.2.1".parse().ok());
    }
}
