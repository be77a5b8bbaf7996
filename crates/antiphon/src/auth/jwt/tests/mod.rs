//! Tests of JSON Web Tokens.
//!
//! | file | about |
//! |---|---|
//! | `mod.rs` | issuers of tokens |
//! | `tokens.rs` | which tokens are taken, and what is remembered |
//! | `remote.rs` | keys behind a URL |
//! | `authorities.rs` | certificates of that URL |

mod authorities;
mod remote;
mod tokens;

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self as signatures, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use aws_lc_rs::{encoding::AsDer as _, hmac, signature::RsaKeyPair};
use serde_json::{Value, json};

use super::{Jwt, JwtKeys};
use crate::auth::new_token::base64url;
use crate::identity::{Authenticator as _, Credentials};

const ISSUER: &str = "https://issuer.example/";

/// The key of an issuer.
enum Issuer {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Secret(Vec<u8>),
}

impl Issuer {
    fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn p256() -> Self {
        let algorithm = &signatures::ECDSA_P256_SHA256_FIXED_SIGNING;
        Self::P256(EcdsaKeyPair::generate(algorithm).unwrap())
    }

    fn p384() -> Self {
        let algorithm = &signatures::ECDSA_P384_SHA384_FIXED_SIGNING;
        Self::P384(EcdsaKeyPair::generate(algorithm).unwrap())
    }

    fn ed() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }

    /// The public key, with its algorithm.
    fn spki(&self) -> Vec<u8> {
        let ec = |key: &EcdsaKeyPair| key.public_key().as_der().unwrap().as_ref().to_vec();
        match self {
            Self::Rsa(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::P256(key) | Self::P384(key) => ec(key),
            Self::Ed(key) => {
                let prefix = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
                [&prefix[..], key.public_key().as_ref()].concat()
            }
            Self::Secret(_) => unreachable!(),
        }
    }

    fn pem(&self) -> String {
        // PEM has the other alphabet, and padding.
        let mut text = base64url(&self.spki()).replace('-', "+").replace('_', "/");
        while !text.len().is_multiple_of(4) {
            text.push('=');
        }
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(String::from_utf8_lossy)
            .collect();
        let lines = lines.join("\n");
        format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n")
    }

    fn jwk(&self, kid: &str) -> Value {
        let point = |key: &EcdsaKeyPair, curve: &str| {
            let point = key.public_key().as_ref()[1..].to_vec();
            let (x, y) = point.split_at(point.len() / 2);
            json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
        };
        let mut jwk = match self {
            Self::Rsa(key) => {
                let key = key.public_key();
                let n = base64url(key.modulus().big_endian_without_leading_zero());
                let e = base64url(key.exponent().big_endian_without_leading_zero());
                json!({"kty": "RSA", "n": n, "e": e})
            }
            Self::P256(key) => point(key, "P-256"),
            Self::P384(key) => point(key, "P-384"),
            Self::Ed(key) => {
                let x = base64url(key.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "x": x})
            }
            Self::Secret(secret) => json!({"kty": "oct", "k": base64url(secret)}),
        };
        jwk["kid"] = kid.into();
        jwk
    }

    fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let encoding: &'static dyn signatures::RsaEncoding = match alg {
                    "RS384" => &signatures::RSA_PKCS1_SHA384,
                    "RS512" => &signatures::RSA_PKCS1_SHA512,
                    "PS256" => &signatures::RSA_PSS_SHA256,
                    "PS384" => &signatures::RSA_PSS_SHA384,
                    "PS512" => &signatures::RSA_PSS_SHA512,
                    _ => &signatures::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::P256(key) | Self::P384(key) => {
                key.sign(&random, message).unwrap().as_ref().to_vec()
            }
            Self::Ed(key) => key.sign(message).as_ref().to_vec(),
            Self::Secret(secret) => {
                let algorithm = match alg {
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                let key = hmac::Key::new(algorithm, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }

    /// A token with this header and these claims.
    fn token_with(&self, header: &Value, claims: &Value) -> String {
        let part = |part: &Value| base64url(part.to_string().as_bytes());
        let message = format!("{}.{}", part(header), part(claims));
        let alg = header["alg"].as_str().unwrap_or_default();
        let signature = base64url(&self.sign(alg, message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn token(&self, alg: &str, claims: &Value) -> String {
        self.token_with(&json!({"alg": alg, "typ": "JWT"}), claims)
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// The claims of a good token.
fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "calculator", "sub": "alice", "exp": now() + 600})
}

/// The claims of a good token, with changes; `null` removes a claim.
fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    let Value::Object(changes) = changes else {
        unreachable!()
    };
    for (name, value) in changes {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(&name)),
            value => claims[&*name] = value,
        }
    }
    claims
}

fn jwt(keys: JwtKeys) -> Jwt {
    Jwt::new(ISSUER, "calculator", keys)
}

fn jwks(keys: &[Value]) -> String {
    json!({"keys": keys}).to_string()
}

/// The subject, `none`, `unavailable`, or the reason of a refusal.
async fn outcome(jwt: &Jwt, token: &str) -> String {
    match jwt.authenticate(&Credentials::of_token(token)).await {
        Ok(Some(identity)) => identity.subject().to_owned(),
        Ok(None) => "none".to_owned(),
        Err(error) if error.is_unavailable() => "unavailable".to_owned(),
        Err(error) => error.to_string(),
    }
}
