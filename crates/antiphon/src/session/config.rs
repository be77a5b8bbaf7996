//! Configuration of sessions.

use std::sync::Arc;

use super::limits::SessionLimits;
use crate::session_state::ConnectionLimits;

/// The configuration that all sessions of a server, or of a client, share.
#[derive(Clone, Debug)]
pub(crate) struct SessionConfig {
    pub(crate) limits: Arc<SessionLimits>,
    pub(crate) connection: Arc<ConnectionLimits>,
}

impl SessionConfig {
    pub(crate) fn new(limits: SessionLimits) -> Self {
        Self {
            connection: Arc::new(limits.connection_limits()),
            limits: Arc::new(limits),
        }
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self::new(SessionLimits::default())
    }
}
