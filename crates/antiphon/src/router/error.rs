//! Errors of a router: names that are used twice or cannot be used.

use std::fmt;

/// The longest name a method may have, in bytes.
pub(crate) const MAX_METHOD_LEN: usize = 256;

/// The error of building a [`Router`](crate::Router). It lists all problems with its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterError(pub(super) Vec<RouterProblem>);

/// A problem with a name in a router.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouterProblem {
    /// Two methods have this full name.
    DuplicateMethod(String),
    /// Two routers are nested under this name; see [`Router::replace`](crate::Router::replace).
    UsedPrefix(String),
    /// The name begins with `rpc.`, which is reserved for the protocol (JSON-RPC 2.0, section 8).
    ReservedName(String),
    /// The name is empty, is longer than 256 bytes, or contains a control character or U+FFFD.
    BadName(String),
    /// The text is no scope: it is empty, or has spaces, quotation marks, backslashes or characters
    /// beyond ASCII (RFC 6749, section 3.3).
    BadScope(String),
    /// The method is public, and it or its router needs a scope.
    PublicWithScope(String),
}

impl RouterError {
    /// The problems, in the order in which they were found.
    #[must_use]
    pub fn problems(&self) -> &[RouterProblem] {
        &self.0
    }
}

impl fmt::Display for RouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            let comma = if n > 0 { "; " } else { "" };
            match problem {
                RouterProblem::DuplicateMethod(name) => {
                    write!(f, "{comma}two methods have the name {name:?}")?;
                }
                RouterProblem::UsedPrefix(name) => {
                    write!(
                        f,
                        "{comma}two routers are nested under {name:?} (use `replace`?)"
                    )?;
                }
                RouterProblem::ReservedName(name) => {
                    write!(
                        f,
                        "{comma}the name {name:?} begins with `rpc.`, which is reserved"
                    )?;
                }
                RouterProblem::BadName(name) => write!(
                    f,
                    "{comma}{name:?} is no name: it must have 1 to {MAX_METHOD_LEN} bytes and no \
                     control characters"
                )?,
                RouterProblem::BadScope(scope) => write!(
                    f,
                    "{comma}{scope:?} is no scope: it must be printable ASCII without spaces, \
                     quotation marks and backslashes"
                )?,
                RouterProblem::PublicWithScope(name) => write!(
                    f,
                    "{comma}{name:?} is public, but needs a scope, or its router does"
                )?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for RouterError {}

/// Whether methods and namespaces may be called so.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER)
}

/// An error of any type, as `tower` uses it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
