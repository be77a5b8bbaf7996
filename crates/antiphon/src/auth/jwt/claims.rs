//! Claims of a verified token → identity.

use std::time::{Duration, SystemTime};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::identity::{AuthenticationError, Identity, is_scope};

/// How much the clocks of issuer and server may differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// The longest subject in bytes.
const MAX_SUBJECT: usize = 1024;

/// Who makes the tokens, and for whom.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) issuer: String,
    pub(super) audience: String,
}

impl Expected {
    /// Whether the token says that it is of another issuer. Nothing of it is verified: another
    /// authenticator may know that issuer.
    pub(super) fn is_of_another(&self, token: &str) -> bool {
        #[derive(Deserialize)]
        struct Issuer {
            iss: String,
        }
        let claims = jsonwebtoken::dangerous::insecure_decode_claims::<Issuer>(token);
        claims.is_ok_and(|claims| claims.iss != self.issuer)
    }

    /// Verifies a token with a key and this one algorithm, and checks its claims.
    ///
    /// # Errors
    ///
    /// A reason without any part of the token.
    pub(super) fn verify(
        &self,
        token: &str,
        key: &DecodingKey,
        algorithm: Algorithm,
    ) -> Result<Identity, AuthenticationError> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let verified = jsonwebtoken::decode::<Map<String, Value>>(token, key, &validation);
        let claims = verified.map_err(|error| fault(error.kind()))?.claims;
        self.identity(claims).map_err(AuthenticationError::refused)
    }

    fn identity(&self, mut claims: Map<String, Value>) -> Result<Identity, &'static str> {
        // A list of issuers is no issuer.
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err("a token of another issuer");
        }
        let exp = claims.remove("exp");
        let end = exp.as_ref().and_then(seconds);
        let end = end
            .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(seconds))
            .and_then(|end| end.checked_add(LEEWAY))
            .ok_or("a token whose expiry is no time")?;
        let subject = match claims.remove("sub") {
            Some(Value::String(subject)) if is_subject(&subject) => subject,
            _ => return Err("a token whose subject cannot be used"),
        };
        let mut scopes = Vec::new();
        for name in ["scope", "scp"] {
            scopes.extend(claims.remove(name).into_iter().flat_map(words));
        }
        Ok(Identity::new(subject)
            .scopes_from(scopes)
            .claims_from(claims)
            .until(end))
    }
}

fn is_subject(text: &str) -> bool {
    let is_bounded = !text.is_empty() && text.len() <= MAX_SUBJECT;
    is_bounded && text.chars().all(antiphon_proto::is_printable)
}

/// Seconds since 1970, which may have a fraction (RFC 7519, section 2).
fn seconds(value: &Value) -> Option<Duration> {
    match value.as_u64() {
        Some(seconds) => Some(Duration::from_secs(seconds)),
        None => Duration::try_from_secs_f64(value.as_f64()?).ok(),
    }
}

/// The scopes of a claim: words of a text, or texts of a list.
fn words(claim: Value) -> Vec<String> {
    let words: Vec<String> = match claim {
        Value::String(text) => text.split(' ').map(str::to_owned).collect(),
        Value::Array(all) => (all.iter().filter_map(Value::as_str))
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    words.into_iter().filter(|word| is_scope(word)).collect()
}

/// The reason in words of ours: those of the library may show parts of a token. It looks at claims only if
/// the signature is good.
fn fault(kind: &ErrorKind) -> AuthenticationError {
    AuthenticationError::refused(match kind {
        ErrorKind::InvalidSignature => "a token that was not signed with the key",
        ErrorKind::ExpiredSignature => {
            return AuthenticationError::expired("a token that has expired");
        }
        ErrorKind::ImmatureSignature => "a token that is not valid yet",
        ErrorKind::InvalidIssuer => "a token of another issuer",
        ErrorKind::InvalidAudience => "a token for another audience",
        ErrorKind::MissingRequiredClaim(_) => "a token without `exp`, `iss`, `aud` or `sub`",
        _ => "a token that cannot be read",
    })
}
