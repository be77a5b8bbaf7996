//! Credentials: what a caller presents, and what its connection proves.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;

use crate::rate_limit::Tried;

/// The least length of a token that cannot be found by trying, in bytes.
const MIN_SECRET: usize = 20;

/// What a caller presents: a token or a password, and what its connection proves of it.
///
/// Neither `Debug` nor an error shows a secret.
#[derive(Clone, Default)]
pub struct Credentials {
    authorization: Option<Box<str>>,
    headers: Option<HeaderMap>,
    peer: PeerCredentials,
}

/// What a connection proves of its peer, whatever is sent over it.
#[derive(Clone, Default, Debug)]
pub(crate) struct PeerCredentials {
    /// The certificate that the client has shown in the TLS handshake, which was verified, in DER.
    pub(crate) certificate: Option<Arc<[u8]>>,
    pub(crate) unix: Option<UnixPeer>,
}

/// The process at the other end of a Unix socket, as the kernel knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct UnixPeer {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The process, where the system tells.
    pub pid: Option<i32>,
}

impl Credentials {
    /// The credentials of a token, as `rpc.authenticate` gets them.
    #[must_use]
    pub fn of_token(token: &str) -> Self {
        Self {
            authorization: Some(format!("Bearer {token}").into()),
            ..Self::default()
        }
    }

    /// Those of an HTTP request. An `Authorization` that is no text, or is there twice, is kept as one
    /// that nobody knows.
    pub(crate) fn of_request(mut headers: HeaderMap, peer: PeerCredentials) -> Self {
        // A program may write the headers to its log.
        if let Some(value) = headers.get_mut(http::header::AUTHORIZATION) {
            value.set_sensitive(true);
        }
        let mut fields = headers.get_all(http::header::AUTHORIZATION).iter();
        let authorization = match (fields.next(), fields.next()) {
            (None, _) => None,
            (Some(value), None) => Some(value.to_str().unwrap_or_default().into()),
            (Some(_), Some(_)) => Some(Box::default()),
        };
        Self {
            authorization,
            headers: Some(headers),
            peer,
        }
    }

    /// Gives the headers back.
    pub(crate) fn into_headers(self) -> HeaderMap {
        self.headers.unwrap_or_default()
    }

    /// Those of a connection without headers.
    pub(crate) fn of_peer(peer: &PeerCredentials) -> Self {
        Self {
            peer: peer.clone(),
            ..Self::default()
        }
    }

    /// Whether the caller presents something itself. Then what its connection proves should not
    /// count: a wrong token must not be better than none.
    #[must_use]
    pub fn is_presented(&self) -> bool {
        self.authorization.is_some()
    }

    /// Whether there is anything that tells who calls, apart from headers.
    pub(crate) fn is_empty(&self) -> bool {
        let peer = &self.peer;
        self.authorization.is_none() && peer.certificate.is_none() && peer.unix.is_none()
    }

    /// What of them nobody can guess, for a limit of guesses.
    pub(crate) fn tried(&self) -> Tried<'_> {
        // Whoever tries others while these pass pays nothing. So they must not be short, nor words that
        // people choose (`Basic`).
        let token = self.bearer().filter(|token| token.len() >= MIN_SECRET);
        let secret = match self.is_presented() {
            true => token.map(str::as_bytes),
            false => self.certificate(),
        };
        Tried {
            presented: self.is_presented(),
            secret,
        }
    }

    /// The value of `Authorization` behind this scheme (RFC 9110, section 11.4), whose case does not
    /// matter.
    #[must_use]
    pub fn scheme(&self, scheme: &str) -> Option<&str> {
        let (found, value) = self
            .authorization
            .as_deref()?
            .split_at_checked(scheme.len())?;
        let is_same = found.eq_ignore_ascii_case(scheme) && value.starts_with(' ');
        is_same.then(|| value.trim_start_matches(' '))
    }

    /// The bearer token (RFC 6750, section 2.1).
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        self.scheme("Bearer").filter(|token| !token.is_empty())
    }

    /// The headers of the HTTP request; `None` if there was none.
    #[must_use]
    pub fn headers(&self) -> Option<&HeaderMap> {
        self.headers.as_ref()
    }

    /// The certificate of the client, in DER; the TLS handshake has verified it.
    #[must_use]
    pub fn certificate(&self) -> Option<&[u8]> {
        self.peer.certificate.as_deref()
    }

    /// The process at the other end of a Unix socket.
    #[must_use]
    pub fn unix_peer(&self) -> Option<UnixPeer> {
        self.peer.unix
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self
            .authorization
            .as_deref()
            .map(|text| match text.split_once(' ') {
                Some((scheme, _)) => scheme,
                None => "unknown",
            });
        f.debug_struct("Credentials")
            .field("authorization", &scheme)
            .field("certificate", &self.peer.certificate.is_some())
            .field("unix_peer", &self.peer.unix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(authorization: &str) -> Credentials {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", authorization.parse().unwrap());
        Credentials::of_request(headers, PeerCredentials::default())
    }

    #[test]
    fn a_bearer_token_is_what_stands_behind_its_scheme() {
        for (text, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer abc", Some("abc")),
            ("BEARER   abc", Some("abc")),
            ("Bearer a b", Some("a b")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
            ("abc", None),
            ("", None),
        ] {
            assert_eq!(of(text).bearer(), expected, "{text}");
            assert!(of(text).is_presented());
        }
        assert_eq!(Credentials::of_token("a b").bearer(), Some("a b"));
        assert!(Credentials::default().is_empty());
    }

    #[test]
    fn no_secret_is_shown() {
        for text in ["Bearer S3CR3T", "S3CR3T", "Basic S3CR3T"] {
            let shown = format!("{0:?} {1:?}", of(text), of(text).headers());
            assert!(!shown.contains("S3CR3T"), "{shown}");
        }
    }
}
