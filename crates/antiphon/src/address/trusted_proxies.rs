//! Proxies whose word about the address of a client is taken.

use std::net::{IpAddr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The word for proxies that connect over Unix sockets, which have no address.
const UNIX: &str = "unix";

/// A set of proxies: networks, and the peers of Unix sockets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct TrustedProxies {
    networks: Vec<IpNet>,
    unix: bool,
}

impl TrustedProxies {
    /// Parses a list of addresses, networks and the word `unix`. Each entry may be several, separated
    /// by commas.
    ///
    /// # Errors
    ///
    /// What is wrong with the first invalid entry.
    pub(crate) fn parse(list: &[String]) -> Result<Self, String> {
        let mut proxies = Self::default();
        for entry in list.iter().flat_map(|entry| entry.split(',')) {
            match entry.trim() {
                UNIX => proxies.unix = true,
                entry => proxies.networks.push(network(entry)?),
            }
        }
        Ok(proxies)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.networks.is_empty() && !self.unix
    }

    /// Whether the peer of a connection is one of them; `None` is the peer of a Unix socket.
    pub(crate) fn has_peer(&self, peer: Option<SocketAddr>) -> bool {
        peer.map_or(self.unix, |peer| self.has(peer.ip()))
    }

    /// Whether this is the address of one of them.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

fn network(entry: &str) -> Result<IpNet, String> {
    let bad = |reason: String| format!("`trusted-proxy` cannot be {entry:?}: {reason}");
    let parsed = match entry.contains('/') {
        true => entry.parse().ok(),
        false => entry.parse::<IpAddr>().ok().map(IpNet::from),
    };
    let Some(network) = parsed else {
        return Err(bad(
            "it is an address (192.0.2.1), a network (10.0.0.0/8, 2001:db8::/32), or `unix`"
                .to_owned(),
        ));
    };
    if network.prefix_len() == 0 {
        return Err(bad("everybody could then pass as anybody".to_owned()));
    }
    if network.addr() != network.network() {
        return Err(bad(format!(
            "the network is written {}, a single address without `/`",
            network.trunc()
        )));
    }
    match network {
        IpNet::V6(network) => unmapped(network).map_err(bad),
        IpNet::V4(_) => Ok(network),
    }
}

/// The IPv4 network that an IPv6 network stands for, since addresses are compared as IPv4.
fn unmapped(network: Ipv6Net) -> Result<IpNet, String> {
    let Some(address) = network.addr().to_ipv4_mapped() else {
        return Ok(network.into());
    };
    let bits = network
        .prefix_len()
        .checked_sub(96)
        .filter(|bits| *bits > 0);
    let inner = bits.and_then(|bits| Ipv4Net::new(address, bits).ok());
    inner
        .map(IpNet::from)
        .ok_or_else(|| "everybody could then pass as anybody".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(list: &[&str]) -> Result<TrustedProxies, String> {
        let list: Vec<_> = list.iter().map(|entry| (*entry).to_owned()).collect();
        TrustedProxies::parse(&list)
    }

    #[test]
    fn addresses_and_networks_are_trusted_and_their_neighbours_are_not() {
        for (list, address, expected) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8, 192.0.2.0/24", "192.0.2.77", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:db8::/32", "10.0.0.1", false),
            ("::1", "::1", true),
            ("::1", "127.0.0.1", false),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("unix", "127.0.0.1", false),
        ] {
            let proxies = parsed(&[list]).unwrap();
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(proxies.has(address), expected, "{list} {address}");
            let peer = Some(SocketAddr::new(address, 1));
            assert_eq!(proxies.has_peer(peer), expected, "{list} {address}");
        }
    }

    #[test]
    fn peers_of_unix_sockets_are_trusted_only_by_their_word() {
        assert!(parsed(&["10.0.0.0/8", "unix"]).unwrap().has_peer(None));
        assert!(parsed(&["10.0.0.0/8,unix"]).unwrap().has_peer(None));
        assert!(!parsed(&["10.0.0.0/8"]).unwrap().has_peer(None));
        assert!(parsed(&[]).unwrap().is_empty());
        assert!(!parsed(&["unix"]).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (entry, reason) in [
            ("", "it is an address"),
            ("localhost", "it is an address"),
            ("10.0.0.0/33", "it is an address"),
            ("10.0.0/8", "it is an address"),
            ("10.0.0.1:80", "it is an address"),
            ("[::1]", "it is an address"),
            ("fe80::1%eth0", "it is an address"),
            ("10.0.0.0/8,", "it is an address"),
            ("UNIX", "it is an address"),
            ("0.0.0.0/0", "everybody"),
            ("::/0", "everybody"),
            ("::ffff:0.0.0.0/96", "everybody"),
            ("10.0.0.1/8", "written 10.0.0.0/8"),
            ("2001:db8::1/32", "written 2001:db8::/32"),
        ] {
            let error = parsed(&[entry]).unwrap_err();
            assert!(error.contains(reason), "{entry}: {error}");
        }
    }
}
