//! Sets of keys: from PEM, from a JWKS document, or one secret.

use aws_lc_rs::digest;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio_rustls::rustls::pki_types::SubjectPublicKeyInfoDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use super::key::Key;

/// The largest number of keys.
const MAX_KEYS: usize = 100;

/// The keys of an issuer.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    /// The hash of what they were read from.
    origin: [u8; 32],
}

/// What a set has for a token.
pub(super) enum Found<'a> {
    Key(&'a DecodingKey),
    /// There is no key of this name. A newer set may have one.
    UnknownName,
    /// No key, or more than one, fits the algorithm.
    NoneFits,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

impl KeySet {
    fn new(keys: Vec<Key>, origin: &[u8]) -> Self {
        let digest = digest::digest(&digest::SHA256, origin);
        Self {
            keys,
            origin: digest.as_ref().try_into().unwrap_or_default(),
        }
    }

    /// Reads public keys in PEM, or a JWKS document.
    pub(super) fn of_text(text: &[u8]) -> Result<Self, String> {
        match text.trim_ascii_start().starts_with(b"{") {
            true => Self::of_jwks(text),
            false => Self::of_pem(text),
        }
    }

    /// Reads a JWKS document. Keys of kinds that verify nothing here are left out.
    pub(super) fn of_jwks(text: &[u8]) -> Result<Self, String> {
        // The reason would show a part of the text.
        let jwks: Jwks = serde_json::from_slice(text)
            .map_err(|_| "it is no JWKS document, an object with a list of `keys`".to_owned())?;
        if jwks.keys.len() > MAX_KEYS {
            return Err(format!("it has more than {MAX_KEYS} keys"));
        }
        let keys: Vec<_> = jwks.keys.iter().filter_map(Key::of_jwk).collect();
        match keys.is_empty() {
            true => Err("it has no public key for signatures: RSA, P-256, P-384 or Ed25519".into()),
            false => Ok(Self::new(keys, text)),
        }
    }

    fn of_pem(text: &[u8]) -> Result<Self, String> {
        let wrong = "it has neither a public key in PEM (`BEGIN PUBLIC KEY`) nor a JWKS document";
        let mut keys = Vec::new();
        for section in SubjectPublicKeyInfoDer::pem_slice_iter(text) {
            let section = section.map_err(|_| wrong.to_owned())?;
            let key = Key::of_spki(&section);
            keys.push(key.ok_or("a public key is none of RSA, P-256, P-384 or Ed25519")?);
            if keys.len() > MAX_KEYS {
                return Err(format!("it has more than {MAX_KEYS} keys"));
            }
        }
        match keys.is_empty() {
            true => Err(wrong.to_owned()),
            false => Ok(Self::new(keys, text)),
        }
    }

    pub(super) fn of_secret(secret: &[u8]) -> Result<Self, &'static str> {
        // The hash tells sets from each other; a secret is never exchanged for another.
        Ok(Self::new(vec![Key::of_secret(secret)?], b""))
    }

    /// Whether both were read from the same text.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.origin == other.origin
    }

    /// Finds the key for a token. A key without a name stands for all names that no other has.
    pub(super) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Found<'_> {
        let named = |key: &&Key| kid.is_none() || key.kid.as_deref() == kid;
        let nameless = |key: &&Key| key.kid.is_none();
        let has_named = self.keys.iter().any(|key| named(&key));
        if !has_named && !self.keys.iter().any(|key| nameless(&key)) {
            return Found::UnknownName;
        }
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| if has_named { named(key) } else { nameless(key) })
            .filter(|key| key.fits(algorithm));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Found::Key(&key.key),
            (None, _) if kid.is_none() => Found::UnknownName,
            _ => Found::NoneFits,
        }
    }
}
