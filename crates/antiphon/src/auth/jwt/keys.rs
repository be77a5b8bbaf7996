//! Sources of keys: a text, a file, a URL, a secret.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::Algorithm;

use super::fetch::JwksUrl;
use super::key_set::KeySet;
use super::remote::{Remote, is_known};
use super::verified::Verified;
use crate::auth::error::AuthSetupError;
use crate::files::read;

/// Size limit of a file in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The keys with which a [`Jwt`](crate::Jwt) verifies tokens. Cheap to clone.
///
/// The type of a key decides which algorithms it verifies: RSA (2048 to 8192 bits) RS256, RS384, RS512,
/// PS256, PS384 and PS512; P-256 ES256; P-384 ES384; Ed25519 EdDSA. A token has no say in it.
///
/// ```
/// use antiphon::JwtKeys;
///
/// let keys = JwtKeys::url("https://issuer.example/.well-known/jwks.json")?;
/// assert!(JwtKeys::url("http://issuer.example/jwks.json").is_err());
/// # Ok::<(), antiphon::AuthSetupError>(())
/// ```
#[derive(Clone, Debug)]
pub struct JwtKeys(Source);

#[derive(Clone, Debug)]
enum Source {
    Here {
        /// The file to read again.
        path: Option<Arc<PathBuf>>,
        now: Arc<RwLock<Arc<Verified>>>,
    },
    There(Arc<Remote>),
}

impl JwtKeys {
    fn here(path: Option<PathBuf>, keys: KeySet) -> Self {
        Self(Source::Here {
            path: path.map(Arc::new),
            now: Arc::new(RwLock::new(Arc::new(Verified::new(keys)))),
        })
    }

    /// Takes public keys from a text: PEM (`BEGIN PUBLIC KEY`), or a JWKS document.
    ///
    /// # Errors
    ///
    /// If there is no key that can be used.
    pub fn text(text: &str) -> Result<Self, AuthSetupError> {
        let keys = KeySet::of_text(text.as_bytes()).map_err(AuthSetupError::new)?;
        Ok(Self::here(None, keys))
    }

    /// Reads public keys from a file: PEM, or a JWKS document. [`Jwt::reload`](crate::Jwt::reload)
    /// reads it again.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or has no key that can be used.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self, AuthSetupError> {
        let path = path.into();
        let keys = read_keys(&path)?;
        Ok(Self::here(Some(path), keys))
    }

    /// Fetches the keys from the `https://` URL of a JWKS document; `http://` is taken for this machine
    /// only.
    ///
    /// They are fetched with the first token, every ten minutes in use, and at most once a minute for
    /// a token whose key is not known. If they cannot be fetched, those from before are used for an
    /// hour. The document has at most 1 MiB and 100 keys, and has to be there within five seconds,
    /// without a redirect.
    ///
    /// # Errors
    ///
    /// If it is no such URL.
    pub fn url(url: &str) -> Result<Self, AuthSetupError> {
        let url = JwksUrl::new(url).map_err(AuthSetupError::new)?;
        Ok(Self(Source::There(Arc::new(Remote::new(url)))))
    }

    /// A secret of at least 32 bytes that issuer and server share, for HS256, HS384 and HS512. Who
    /// verifies tokens with it can also make them.
    ///
    /// # Errors
    ///
    /// If it is too short.
    pub fn secret(secret: &[u8]) -> Result<Self, AuthSetupError> {
        let keys = KeySet::of_secret(secret).map_err(AuthSetupError::new)?;
        Ok(Self::here(None, keys))
    }

    pub(super) fn reload(&self) -> Result<(), AuthSetupError> {
        if let Source::Here {
            path: Some(path),
            now,
        } = &self.0
        {
            let new = read_keys(path)?;
            let mut now = now.write().unwrap_or_else(PoisonError::into_inner);
            if !now.keys.is_same(&new) {
                *now = Arc::new(Verified::new(new));
            }
        }
        Ok(())
    }

    /// The keys for a token with this header. `None` if they cannot be had now.
    pub(super) async fn get(&self, kid: Option<&str>, alg: Algorithm) -> Option<Arc<Verified>> {
        match &self.0 {
            Source::Here { now, .. } => {
                let now = now.read().unwrap_or_else(PoisonError::into_inner);
                Some(Arc::clone(&now))
            }
            Source::There(remote) => {
                remote
                    .keys(|verified| is_known(&verified.keys, kid, alg))
                    .await
            }
        }
    }
}

fn read_keys(path: &Path) -> Result<KeySet, AuthSetupError> {
    let wrong = |reason: &dyn std::fmt::Display| AuthSetupError::of(path, reason);
    let file = read::open(path).map_err(|error| wrong(&error))?;
    let text = read::read(&file, MAX_FILE).map_err(|error| wrong(&error))?;
    KeySet::of_text(&text).map_err(|reason| wrong(&reason))
}
