//! Sources of keys: a text, a file, a URL, a secret.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use jsonwebtoken::Algorithm;

use super::authorities::Authorities;
use super::fetch::JwksUrl;
use super::key_set::KeySet;
use super::remote::{RemoteKeys, is_known};
use super::verified_tokens::CachingKeySet;
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
#[derive(Clone)]
pub struct JwtKeys(Source);

#[derive(Clone)]
enum Source {
    Local {
        /// The file to read again.
        path: Option<Arc<PathBuf>>,
        current: Arc<RwLock<Arc<CachingKeySet>>>,
    },
    Url(Arc<RemoteKeys>),
}

impl JwtKeys {
    fn local(path: Option<PathBuf>, keys: KeySet) -> Self {
        Self(Source::Local {
            path: path.map(Arc::new),
            current: Arc::new(RwLock::new(Arc::new(CachingKeySet::new(keys)))),
        })
    }

    /// Takes public keys from a text: PEM (`BEGIN PUBLIC KEY`), or a JWKS document.
    ///
    /// # Errors
    ///
    /// If there is no key that can be used.
    pub fn text(text: &str) -> Result<Self, AuthSetupError> {
        let keys = KeySet::of_text(text.as_bytes()).map_err(AuthSetupError::new)?;
        Ok(Self::local(None, keys))
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
        Ok(Self::local(Some(path), keys))
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
        Ok(Self::of_url(url))
    }

    fn of_url(url: JwksUrl) -> Self {
        Self(Source::Url(Arc::new(RemoteKeys::new(url))))
    }

    /// Adds trusted certificate authorities for an `https://` URL, as PEM text with one or more
    /// certificates. May be called several times; a file that was given before is not used any more.
    /// The authorities of the operating system are trusted only if neither this nor
    /// [`ca_certificate_file`](Self::ca_certificate_file) is called. They are read with the first
    /// fetch, and again after [`Jwt::reload`](crate::Jwt::reload).
    ///
    /// What clones have fetched before is not shared.
    ///
    /// # Errors
    ///
    /// If there is no certificate in the text, or an invalid one, or if the keys come from no
    /// `https://` URL.
    ///
    /// ```no_run
    /// use antiphon::JwtKeys;
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let keys = JwtKeys::url("https://issuer.internal/jwks.json")?
    ///     .ca_certificate(std::fs::read("/etc/ssl/internal.pem")?)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ca_certificate(self, pem: impl AsRef<[u8]>) -> Result<Self, AuthSetupError> {
        let url = self.secure_url()?;
        let authorities = url.authorities().with_pem(pem.as_ref())?;
        Ok(Self::of_url(url.with_authorities(authorities)))
    }

    /// Trusts only the certificate authorities of this file (PEM, at most 1 MiB) for an `https://`
    /// URL, instead of any others. [`Jwt::reload`](crate::Jwt::reload) reads it again. See
    /// [`ca_certificate`](Self::ca_certificate).
    ///
    /// # Errors
    ///
    /// If the file cannot be read, if there is no certificate in it, or an invalid one, or if the keys
    /// come from no `https://` URL.
    pub fn ca_certificate_file(self, path: impl Into<PathBuf>) -> Result<Self, AuthSetupError> {
        let url = self.secure_url()?;
        let authorities = Authorities::file(path.into())?;
        Ok(Self::of_url(url.with_authorities(authorities)))
    }

    fn secure_url(&self) -> Result<&JwksUrl, AuthSetupError> {
        match &self.0 {
            Source::Url(remote) if remote.url().is_secure() => Ok(remote.url()),
            _ => Err(AuthSetupError::new(
                "an authority is for keys of an `https://` URL",
            )),
        }
    }

    /// A secret of at least 32 bytes that issuer and server share, for HS256, HS384 and HS512. Who
    /// verifies tokens with it can also make them.
    ///
    /// # Errors
    ///
    /// If it is too short.
    pub fn secret(secret: &[u8]) -> Result<Self, AuthSetupError> {
        let keys = KeySet::of_secret(secret).map_err(AuthSetupError::new)?;
        Ok(Self::local(None, keys))
    }

    pub(super) fn reload(&self) -> Result<(), AuthSetupError> {
        match &self.0 {
            Source::Local { path: None, .. } => {}
            Source::Local {
                path: Some(path),
                current,
            } => {
                let new = read_keys(path)?;
                let mut current = current.write().unwrap_or_else(PoisonError::into_inner);
                if !current.keys.is_same(&new) {
                    *current = Arc::new(CachingKeySet::new(new));
                }
            }
            Source::Url(remote) => remote.reload()?,
        }
        Ok(())
    }

    /// The keys that are in use now, if there are any.
    pub(super) fn current(&self) -> Option<Arc<CachingKeySet>> {
        match &self.0 {
            Source::Local { current, .. } => {
                let current = current.read().unwrap_or_else(PoisonError::into_inner);
                Some(Arc::clone(&current))
            }
            Source::Url(remote) => remote.current(),
        }
    }

    /// The keys for a token with this header. `None` if they cannot be had now.
    pub(super) async fn get(
        &self,
        kid: Option<&str>,
        alg: Algorithm,
    ) -> Option<Arc<CachingKeySet>> {
        match &self.0 {
            Source::Local { .. } => self.current(),
            Source::Url(remote) => remote.keys(|set| is_known(&set.keys, kid, alg)).await,
        }
    }
}

/// Neither keys nor tokens are shown, and of a URL nothing.
impl fmt::Debug for JwtKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Local {
                path: Some(path), ..
            } => write!(f, "JwtKeys({})", path.display()),
            Source::Local { path: None, .. } => f.write_str("JwtKeys(…)"),
            Source::Url(_) => f.write_str("JwtKeys(URL)"),
        }
    }
}

fn read_keys(path: &Path) -> Result<KeySet, AuthSetupError> {
    let wrong = |reason: &dyn fmt::Display| AuthSetupError::of(path, reason);
    let file = read::open(path).map_err(|error| wrong(&error))?;
    let text = read::read(&file, MAX_FILE).map_err(|error| wrong(&error))?;
    KeySet::of_text(&text).map_err(|reason| wrong(&reason))
}
