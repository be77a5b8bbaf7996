//! Text of an identity, for another process that has a reason to believe it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::subject::Identity;

/// What somebody says of a caller.
#[derive(Serialize, Deserialize)]
pub(crate) struct Statement {
    /// When it was said, in milliseconds since 1970.
    pub(crate) at: u64,
    /// Who says it, and its number there.
    pub(crate) from: u64,
    pub(crate) number: u64,
    subject: String,
    scopes: Vec<String>,
    claims: Map<String, Value>,
    /// When the identity ends, in milliseconds since 1970.
    pub(crate) until: Option<u64>,
}

impl Statement {
    pub(crate) fn new(identity: &Identity, at: u64, from: u64, number: u64) -> Self {
        Self {
            at,
            from,
            number,
            subject: identity.subject().to_owned(),
            scopes: identity.scopes().map(str::to_owned).collect(),
            claims: identity.claims().clone(),
            until: identity.expires_at().map(milliseconds),
        }
    }

    /// Its text, without line breaks; `None` if it has none.
    pub(crate) fn to_text(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The identity; `None` if its end is no time.
    pub(crate) fn identity(self) -> Option<Identity> {
        let identity = Identity::new(self.subject)
            .scopes_from(self.scopes)
            .claims_from(self.claims);
        match self.until {
            None => Some(identity),
            Some(until) => {
                let end = UNIX_EPOCH.checked_add(Duration::from_millis(until))?;
                Some(identity.until(end))
            }
        }
    }
}

/// A time in milliseconds since 1970.
pub(crate) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_the_same_behind_its_text() {
        let claims = Map::from_iter([("team".to_owned(), Value::from("a\nb"))]);
        let end = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        let alice = Identity::new("alice\n")
            .scope("a")
            .claims_from(claims)
            .until(end);
        let text = Statement::new(&alice, 1, 2, 3).to_text().unwrap();
        assert!(!text.contains('\n'));
        let again = Statement::parse(&text).unwrap();
        assert_eq!((again.at, again.from, again.number), (1, 2, 3));
        assert!(again.identity().unwrap() == alice);
        assert!(Statement::parse("{}").is_none());
    }
}
