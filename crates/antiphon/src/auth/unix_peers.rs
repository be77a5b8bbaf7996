//! Users of this machine, at the other end of Unix sockets.

use std::collections::HashMap;

use crate::identity::{AuthenticationError, Authenticator, Credentials, Identity};

/// An [`Authenticator`] for callers over Unix sockets: the kernel tells whose process each is.
///
/// A caller that presents a token is not known by its user.
///
/// ```
/// use antiphon::{Identity, Router, Server, UnixPeers};
///
/// let peers = UnixPeers::new()
///     .allow_self(Identity::new("operator").scope("accounts:write"))
///     .allow(33, Identity::new("www-data"));
/// let server = Server::new(Router::new()).bind("unix:/run/accounts.sock").authenticate(peers);
/// ```
#[derive(Clone, Debug, Default)]
pub struct UnixPeers(HashMap<u32, Identity>);

impl UnixPeers {
    /// Knows nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Knows the user with this number. The last identity of a user counts.
    #[must_use]
    pub fn allow(mut self, uid: u32, identity: Identity) -> Self {
        self.0.insert(uid, identity);
        self
    }

    /// Knows the user that this process runs as.
    #[must_use]
    pub fn allow_self(self, identity: Identity) -> Self {
        self.allow(rustix::process::geteuid().as_raw(), identity)
    }
}

impl Authenticator for UnixPeers {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        if credentials.is_presented() {
            return Ok(None);
        }
        let peer = credentials.unix_peer();
        Ok(peer.and_then(|peer| self.0.get(&peer.uid)).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{PeerCredentials, UnixPeer};

    #[tokio::test]
    async fn a_user_is_known_unless_it_presents_something() {
        let own = rustix::process::geteuid().as_raw();
        let peers = UnixPeers::new()
            .allow(own + 1, Identity::new("other"))
            .allow_self(Identity::new("own"));
        let peer = |uid| PeerCredentials {
            unix: Some(UnixPeer {
                uid,
                gid: 0,
                pid: None,
            }),
            ..PeerCredentials::default()
        };
        let presented = |uid| {
            let mut headers = http::HeaderMap::new();
            headers.insert("authorization", "Bearer x".parse().unwrap());
            Credentials::of_request(headers, peer(uid))
        };
        for (credentials, expected) in [
            (Credentials::of_peer(&peer(own)), Some("own")),
            (Credentials::of_peer(&peer(own + 1)), Some("other")),
            (Credentials::of_peer(&peer(own + 2)), None),
            (presented(own), None),
            (Credentials::default(), None),
        ] {
            let found = peers.authenticate(&credentials).await.unwrap();
            assert_eq!(found.as_ref().map(Identity::subject), expected);
        }
    }
}
