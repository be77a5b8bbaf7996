//! JSON Web Tokens (RFC 7519), signed by an issuer whose keys are known.
//!
//! | file | contents |
//! |---|---|
//! | `mod.rs` | [`Jwt`]: token → identity |
//! | `keys.rs` | [`JwtKeys`]: where keys come from |
//! | `key.rs`, `key_set.rs` | a key with its algorithms; the keys of an issuer |
//! | `claims.rs` | verification, and the claims of a token |
//! | `verified_tokens.rs` | the keys, with a cache of tokens that were verified before |
//! | `remote.rs` | when keys are fetched from a URL |
//! | `fetch.rs` | one bounded fetch |
//! | `authorities.rs` | the authorities that a URL's certificate has to come from |
//! | `tests/` | tests |
//!
//! `jsonwebtoken` verifies; what it says about a token stays in here, because it may show parts of one.

mod authorities;
mod claims;
mod fetch;
mod key;
mod key_set;
mod keys;
mod remote;
#[cfg(test)]
mod tests;
mod verified_tokens;

use std::fmt;
use std::sync::Arc;

use jsonwebtoken::crypto::{CryptoProvider, aws_lc};

use self::claims::Expected;
use self::key_set::Found;
pub use self::keys::JwtKeys;
use self::verified_tokens::CacheKey;
use super::error::AuthSetupError;
use crate::identity::{AuthenticationError, Authenticator, Credentials, Identity};

/// The longest token in bytes. A longer one is not looked at.
const MAX_TOKEN: usize = 16 * 1024;

/// The longest token that is remembered, in bytes. What is remembered is made of its claims.
const MAX_REMEMBERED: usize = 4 * 1024;

/// An [`Authenticator`] for JSON Web Tokens of one issuer, for one audience. Cheap to clone.
///
/// A token has to have `exp`, `iss`, `aud` and `sub`, and `nbf` is checked if it is there; clocks may
/// differ by 30 seconds. The subject is `sub`, the scopes are those of `scope` and `scp`, and all other
/// claims are there for methods ([`Identity::claim`]). The identity ends when the token is no longer
/// taken. Which algorithm is used, the key decides; see [`JwtKeys`].
///
/// A verified token of up to 4 KiB is remembered by a hash, so that its next call costs no signature:
/// at most 10,000 of them, and none longer than its key.
///
/// ```
/// use antiphon::{Jwt, JwtKeys, Router, Server};
///
/// let keys = JwtKeys::url("https://issuer.example/.well-known/jwks.json")?;
/// let jwt = Jwt::new("https://issuer.example/", "calculator", keys);
/// let server = Server::new(Router::new()).authenticate(jwt);
/// # Ok::<(), antiphon::AuthSetupError>(())
/// ```
#[derive(Clone)]
pub struct Jwt {
    expected: Arc<Expected>,
    keys: JwtKeys,
}

impl Jwt {
    /// Takes the tokens that this issuer (`iss`) makes for this audience (one of `aud`), signed with
    /// these keys.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, keys: JwtKeys) -> Self {
        // If the program builds `jsonwebtoken` with other cryptography, too, it has no default.
        if CryptoProvider::try_get_default().is_none() {
            let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        }
        Self {
            expected: Arc::new(Expected {
                issuer: issuer.into(),
                audience: audience.into(),
            }),
            keys,
        }
    }

    /// Reads the file of the keys again, if they come from one. If they have changed, all tokens are
    /// verified again. For keys of a URL it reads the authorities again that the URL's certificate has
    /// to come from: a file at once, those of the operating system with the next fetch.
    ///
    /// This reads files, so it is better called on a thread for blocking work.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or has nothing that can be used; what was read before stays in use.
    pub fn reload(&self) -> Result<(), AuthSetupError> {
        self.keys.reload()
    }

    fn cache_key<'a>(&'a self, token: &'a str) -> CacheKey<'a> {
        CacheKey {
            issuer: &self.expected.issuer,
            audience: &self.expected.audience,
            token,
        }
    }

    /// The identity of a token that was verified before with a key that is still in use. Nothing of the
    /// token is decoded.
    fn remembered(&self, token: &str) -> Option<Result<Identity, AuthenticationError>> {
        if token.len() > MAX_REMEMBERED {
            return None;
        }
        let identity = self.keys.current()?.find(&self.cache_key(token))?;
        Some(match identity.is_expired() {
            true => Err(AuthenticationError::expired("a token that has expired")),
            false => Ok(identity),
        })
    }

    async fn verify(&self, token: &str) -> Result<Identity, AuthenticationError> {
        let refused = AuthenticationError::refused;
        // What the header says is a claim of the caller, and chooses among the keys only.
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_| refused("a token whose header cannot be read"))?;
        let kid = header.kid.as_deref();
        let Some(set) = self.keys.get(kid, header.alg).await else {
            let text = "the keys of tokens cannot be fetched now";
            return Err(AuthenticationError::unavailable(text));
        };
        let key = match set.keys.find(kid, header.alg) {
            Found::Key(key) => key,
            Found::UnknownName => return Err(refused("a token whose key is not known")),
            Found::NoneFits => return Err(refused("a token whose algorithm no key fits")),
        };
        let identity = self.expected.verify(token, key, header.alg)?;
        if token.len() <= MAX_REMEMBERED {
            set.insert(&self.cache_key(token), &identity);
        }
        Ok(identity)
    }
}

impl Authenticator for Jwt {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        let Some(token) = credentials.bearer() else {
            return Ok(None);
        };
        if token.len() > MAX_TOKEN {
            return Err(AuthenticationError::refused("a token of more than 16 KiB"));
        }
        if let Some(known) = self.remembered(token) {
            return known.map(Some);
        }
        match token.bytes().filter(|byte| *byte == b'.').count() {
            2 if self.expected.is_of_another(token) => Ok(None),
            2 => self.verify(token).await.map(Some),
            _ => Ok(None),
        }
    }

    fn issuer(&self) -> Option<&str> {
        Some(&self.expected.issuer)
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jwt")
            .field("issuer", &self.expected.issuer)
            .field("audience", &self.expected.audience)
            .finish_non_exhaustive()
    }
}
