//! Requirement of a method: which callers may call it.

use antiphon_proto::{ErrorCode, ErrorObject};
use serde::Serialize;

use super::subject::Identity;

/// What a method asks of its callers, once a server has authenticators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// Anybody may call it.
    pub(crate) public: bool,
    /// The scopes that a caller needs, all of them.
    pub(crate) scopes: Vec<Box<str>>,
}

/// The data of error −32007: the scopes that are missing, as OAuth writes them.
/// [`ErrorObject::missing_scope`] reads it.
#[derive(Serialize)]
struct Missing {
    scope: String,
}

impl Requirement {
    /// Adds a scope, once.
    pub(crate) fn add(&mut self, scope: &str) {
        if !self.scopes.iter().any(|known| &**known == scope) {
            self.scopes.push(scope.into());
        }
    }

    /// Checks a caller who was asked who it is.
    ///
    /// # Errors
    ///
    /// −32006 if the caller is not known, −32007 with the missing scopes if it lacks some.
    pub(crate) fn check(&self, caller: Option<&Identity>) -> Result<(), ErrorObject> {
        if self.public {
            return Ok(());
        }
        let Some(identity) = caller else {
            return Err(ErrorObject::of(ErrorCode::UNAUTHENTICATED));
        };
        let missing: Vec<_> = (self.scopes.iter())
            .map(|scope| &**scope)
            .filter(|scope| !identity.has_scope(scope))
            .collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(ErrorObject::of(ErrorCode::FORBIDDEN).with_data(&Missing {
                scope: missing.join(" "),
            })),
        }
    }
}

/// Whether a text can be a scope: it stands in headers and in lists that spaces separate (RFC 6749,
/// section 3.3).
pub(crate) fn is_scope(text: &str) -> bool {
    let allowed = |byte| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_something_is_told_what() {
        let known = |scopes: &[&str]| {
            let scopes = scopes.iter().copied();
            Some(Identity::new("s").scopes_from(scopes))
        };
        let requires = |public, scopes: &[&str]| Requirement {
            public,
            scopes: scopes.iter().map(|&scope| scope.into()).collect(),
        };
        for (requirement, caller, expected) in [
            (requires(true, &[]), None, ""),
            (requires(false, &[]), None, "-32006"),
            (requires(false, &["a"]), None, "-32006"),
            (requires(false, &[]), known(&[]), ""),
            (requires(false, &["a"]), known(&["a"]), ""),
            (requires(false, &["a", "b"]), known(&["b", "a"]), ""),
            (
                requires(false, &["a", "b", "c"]),
                known(&["b"]),
                "-32007 {\"scope\":\"a c\"}",
            ),
            (
                requires(false, &["a"]),
                known(&["aa", "A", ""]),
                "-32007 {\"scope\":\"a\"}",
            ),
        ] {
            let found = match requirement.check(caller.as_ref()) {
                Ok(()) => String::new(),
                Err(error) => match error.data() {
                    Some(data) => format!("{} {}", error.code().0, data),
                    None => error.code().0.to_string(),
                },
            };
            assert_eq!(found, expected, "{requirement:?} {caller:?}");
        }
    }

    #[test]
    fn scopes_are_what_oauth_allows() {
        for (text, expected) in [
            ("calc:random", true),
            ("a.b/c-d_e~!", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("a\\b", false),
            ("ä", false),
            ("a\n", false),
        ] {
            assert_eq!(is_scope(text), expected, "{text:?}");
        }
    }
}
