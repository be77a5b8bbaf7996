//! Admin token: a user who can read its file has the owner's rights on the server.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`AdminToken`]: checks the token of a caller |
//! | `file.rs` | [`PreparedToken`], [`TokenFile`]: the file, for as long as the server runs |
//! | `no_file.rs` | stub for systems without file modes, where no file is written |

#[cfg_attr(not(unix), path = "no_file.rs")]
mod file;

use std::fmt;
use std::sync::Arc;

pub(crate) use file::{PreparedToken, TokenFile};

/// A token that authenticates a caller as admin: `Authorization: Bearer TOKEN`.
#[derive(Clone)]
pub(crate) struct AdminToken(Arc<str>);

impl AdminToken {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Whether this value of `Authorization` contains the token. The comparison takes constant
    /// time.
    pub(crate) fn is_shown_by(&self, authorization: &[u8]) -> bool {
        let Some((scheme, shown)) = authorization.split_at_checked(7) else {
            return false;
        };
        let shown = shown.trim_ascii();
        let token = self.0.as_bytes();
        if !scheme.eq_ignore_ascii_case(b"bearer ") || shown.len() != token.len() {
            return false;
        }
        let difference = shown.iter().zip(token).fold(0, |all, (a, b)| all | (a ^ b));
        std::hint::black_box(difference) == 0
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_token_shows_nothing() {
        let token = AdminToken::new("00ff");
        assert!(token.is_shown_by(b"Bearer 00ff"));
        assert!(token.is_shown_by(b"bearer  00ff"));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "00ff",
            "Bearer 00f",
            "Bearer 00fF",
            "Bearer 00ff0",
            "Basic  00ff",
            "Bearer00ff",
            "Bearer 00fe",
        ] {
            assert!(!token.is_shown_by(wrong.as_bytes()), "{wrong:?}");
        }
    }
}
