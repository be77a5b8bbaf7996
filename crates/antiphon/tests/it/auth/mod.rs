//! Tests of the authenticators that are ready to use, on servers.

mod certificates;
mod refusals;
#[cfg(unix)]
mod unix;

use std::time::{SystemTime, UNIX_EPOCH};

use antiphon::{Context, Identity, Jwt, JwtKeys, Router};
use rcgen::{KeyPair, SigningKey as _};
use serde_json::{Value, json};

use crate::support::counter::Counter;

/// The method `who`, which answers with the subject and the scopes of its caller.
fn router(ran: &Counter) -> Router {
    let ran = ran.clone();
    Router::new().method_fn("who", move |ctx: Context| {
        ran.add();
        let identity: Identity = ctx.identity().unwrap();
        let scopes: Vec<_> = identity.scopes().map(str::to_owned).collect();
        json!([identity.subject(), scopes])
    })
}

/// An issuer of JSON Web Tokens.
pub(crate) struct Issuer(KeyPair);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap())
    }

    pub(crate) fn authenticator(&self) -> Jwt {
        let keys = JwtKeys::text(&self.0.public_key_pem()).unwrap();
        Jwt::new("https://issuer.example/", "calculator", keys)
    }

    /// A token with changes to the claims of a good one; `null` removes a claim.
    pub(crate) fn token(&self, changes: &Value) -> String {
        self.token_with(&json!({"alg": "EdDSA"}), changes)
    }

    fn token_with(&self, header: &Value, changes: &Value) -> String {
        let mut claims = json!({
            "iss": "https://issuer.example/", "aud": "calculator", "sub": "alice",
            "exp": now() + 600, "scope": "a b",
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
            .as_object_mut()
            .unwrap()
            .retain(|_, value| !value.is_null());
        let part = |part: &Value| base64url(part.to_string().as_bytes());
        let message = format!("{}.{}", part(header), part(&claims));
        let signature = self.0.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", base64url(&signature))
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs()
}

fn base64url(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for piece in bytes.chunks(3) {
        let byte = |at: usize| piece.get(at).map_or(0, |byte| usize::from(*byte));
        let all = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..=piece.len() {
            text.push(char::from(digits[all >> (18 - 6 * at) & 63]));
        }
    }
    text
}
