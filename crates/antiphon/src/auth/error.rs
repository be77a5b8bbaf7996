//! Error in the set-up of an authenticator.

use std::fmt;
use std::path::Path;

/// Why an authenticator cannot be made, or its files not be read again. The text names the file and
/// the line, and shows nothing of their content.
///
/// ```
/// use antiphon::BearerTokens;
///
/// let error = BearerTokens::from_lines("alice secret").unwrap_err();
/// assert_eq!(error.to_string(), "line 1: the second word is no SHA-256 hash of 64 hexadecimal digits");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthSetupError(String);

impl AuthSetupError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Names the file.
    pub(super) fn of(path: &Path, reason: impl fmt::Display) -> Self {
        Self(format!("{}: {reason}", path.display()))
    }
}

impl fmt::Display for AuthSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AuthSetupError {}
