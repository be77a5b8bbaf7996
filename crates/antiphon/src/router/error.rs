//! Errors of a router: names that are used twice or cannot be used.

use std::fmt;

/// The longest name a method may have, in bytes.
pub(crate) const MAX_METHOD_LEN: usize = 256;

/// A router whose methods cannot be served as they are: all that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterError(pub(super) Vec<Problem>);

/// One thing that is wrong with a router.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Two methods have this full name.
    DuplicateMethod(String),
    /// Two routers were nested under this name; `replace` would take the place of the first.
    UsedPrefix(String),
    /// Names that begin with `rpc.` belong to the protocol (JSON-RPC 2.0, section 8).
    ReservedName(String),
    /// A name is empty, longer than 256 bytes, or has a control character in it.
    BadName(String),
}

impl RouterError {
    /// What is wrong, in the order in which it was found.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for RouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            let comma = if n > 0 { "; " } else { "" };
            match problem {
                Problem::DuplicateMethod(name) => {
                    write!(f, "{comma}two methods have the name {name:?}")?;
                }
                Problem::UsedPrefix(name) => {
                    write!(
                        f,
                        "{comma}two routers are nested under {name:?} (use `replace`?)"
                    )?;
                }
                Problem::ReservedName(name) => {
                    write!(
                        f,
                        "{comma}the name {name:?} begins with `rpc.`, which is reserved"
                    )?;
                }
                Problem::BadName(name) => write!(
                    f,
                    "{comma}{name:?} is no name: it must have 1 to {MAX_METHOD_LEN} bytes and no \
                     control characters"
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

/// Any error, as `tower` passes them on.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
