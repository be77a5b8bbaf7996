//! Keys that verify tokens, and the algorithms that each may be used with.

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use tokio_rustls::rustls::pki_types::SubjectPublicKeyInfoDer;

use crate::auth::der::{self, BIT_STRING, OBJECT_ID, SEQUENCE};

/// The longest name of a key, in bytes.
const MAX_KID: usize = 256;

/// The shortest secret, in bytes.
const MIN_SECRET: usize = 32;

const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];
const P256: &[Algorithm] = &[Algorithm::ES256];
const P384: &[Algorithm] = &[Algorithm::ES384];
const ED25519: &[Algorithm] = &[Algorithm::EdDSA];
const SECRET: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];

/// A key. The type of the key decides which algorithms it verifies, never a token.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) kid: Option<Box<str>>,
    algorithms: &'static [Algorithm],
    /// The only one of them, if the key's description says so.
    only: Option<Algorithm>,
    pub(super) key: DecodingKey,
}

impl Key {
    fn new(algorithms: &'static [Algorithm], key: DecodingKey) -> Self {
        Self {
            kid: None,
            algorithms,
            only: None,
            key,
        }
    }

    /// Whether the key verifies this algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm) && self.only.is_none_or(|only| only == algorithm)
    }

    /// A secret that issuer and server share.
    pub(super) fn of_secret(secret: &[u8]) -> Result<Self, &'static str> {
        if secret.len() < MIN_SECRET {
            return Err("a secret has at least 32 bytes");
        }
        let key = DecodingKey::from_secret(secret).map_err(|_| "the secret cannot be used")?;
        Ok(Self::new(SECRET, key))
    }

    /// A public key with its algorithm, as in PEM (RFC 5280, section 4.1.2.7). `None` if it is of
    /// another kind.
    pub(super) fn of_spki(spki: &SubjectPublicKeyInfoDer<'_>) -> Option<Self> {
        let (content, _) = der::expect(SEQUENCE, spki)?;
        let (algorithm, rest) = der::expect(SEQUENCE, content)?;
        let (bits, _) = der::expect(BIT_STRING, rest)?;
        let (0, bits) = bits.split_first()? else {
            return None;
        };
        let (object, parameters) = der::expect(OBJECT_ID, algorithm)?;
        match object {
            b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" => {
                Some(Self::new(RSA, DecodingKey::from_rsa_der(bits)))
            }
            b"\x2a\x86\x48\xce\x3d\x02\x01" => {
                let (curve, _) = der::expect(OBJECT_ID, parameters)?;
                let (algorithms, length) = match curve {
                    b"\x2a\x86\x48\xce\x3d\x03\x01\x07" => (P256, 65),
                    b"\x2b\x81\x04\x00\x22" => (P384, 97),
                    _ => return None,
                };
                let is_point = bits.len() == length && bits.first() == Some(&4);
                is_point.then(|| Self::new(algorithms, DecodingKey::from_ec_der(bits)))
            }
            b"\x2b\x65\x70" if bits.len() == 32 => {
                Some(Self::new(ED25519, DecodingKey::from_ed_der(bits)))
            }
            _ => None,
        }
    }

    /// A member of a JWKS document (RFC 7517). `None` if it is of another kind, or for another use. A
    /// secret is none of ours: who can read the document could make tokens.
    pub(super) fn of_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let verifies = |all: &Vec<Value>| all.iter().any(|one| one == "verify");
        let operations = jwk.get("key_ops").and_then(Value::as_array);
        if operations.is_some_and(|all| !verifies(all)) {
            return None;
        }
        let mut key = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let key = DecodingKey::from_rsa_components(text("n")?, text("e")?).ok()?;
                Self::new(RSA, key)
            }
            ("EC", Some(curve)) => {
                let (algorithms, length) = match curve {
                    "P-256" => (P256, 65),
                    "P-384" => (P384, 97),
                    _ => return None,
                };
                let key = DecodingKey::from_ec_components(text("x")?, text("y")?).ok()?;
                (key.try_get_as_bytes().ok()?.len() == length)
                    .then(|| Self::new(algorithms, key))?
            }
            ("OKP", Some("Ed25519")) => {
                let key = DecodingKey::from_ed_components(text("x")?).ok()?;
                (key.try_get_as_bytes().ok()?.len() == 32).then(|| Self::new(ED25519, key))?
            }
            _ => return None,
        };
        if let Some(algorithm) = text("alg") {
            let only = algorithm.parse().ok()?;
            key.fits(only).then_some(())?;
            key.only = Some(only);
        }
        key.kid = match jwk.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().filter(|kid| kid.len() <= MAX_KID)?.into()),
        };
        Some(key)
    }
}
