//! Stub for builds without feature `auth`, whose settings name no authenticators.

use crate::server::builder::Server;
use crate::server::error::ServeError;

/// No authenticators.
pub(crate) struct NamedAuthenticators;

impl NamedAuthenticators {
    /// Adds nothing. The check of the settings has refused those that name any.
    #[allow(
        clippy::unnecessary_wraps,
        reason = "the signature is that of `authentication.rs`"
    )]
    pub(crate) fn add_to(_: &mut Server) -> Result<Self, ServeError> {
        Ok(Self)
    }

    pub(crate) fn reload(&self) {}
}
