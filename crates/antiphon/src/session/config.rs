//! Configuration of sessions.

use std::sync::Arc;
use std::time::Duration;

use super::limits::SessionLimits;
use crate::identity::Authenticators;
use crate::session_state::{CANCELLED, ConnectionLimits};

/// The configuration that all sessions of a server, or of a client, share.
#[derive(Clone, Debug)]
pub(crate) struct SessionConfig {
    pub(crate) limits: Arc<SessionLimits>,
    pub(crate) connection: Arc<ConnectionLimits>,
    pub(crate) silence: Silence,
    /// They may turn a token of the peer into an identity.
    pub(crate) authenticators: Authenticators,
}

/// How long a peer of a server may be silent; `None` means for ever. A client is patient: its
/// server decides when to close.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Silence {
    /// From the start of the connection to the first byte of its first message.
    pub(crate) first: Option<Duration>,
    /// Between messages, while neither a call nor a subscription is open.
    pub(crate) idle: Option<Duration>,
}

impl SessionConfig {
    pub(crate) fn new(limits: SessionLimits) -> Self {
        Self {
            connection: Arc::new(limits.connection_limits()),
            limits: Arc::new(limits),
            silence: Silence::default(),
            authenticators: Authenticators::default(),
        }
    }

    /// The same for peers that speak the Model Context Protocol.
    pub(crate) fn speaking_mcp(&self) -> Self {
        let limits = SessionLimits {
            cancel_method: CANCELLED.to_owned(),
            ..(*self.limits).clone()
        };
        Self {
            limits: Arc::new(limits),
            connection: Arc::new(self.connection.speaking_mcp()),
            ..self.clone()
        }
    }

    /// Limits the silence of peers.
    pub(crate) fn silence(self, silence: Silence) -> Self {
        Self { silence, ..self }
    }

    /// Asks peers who they are.
    pub(crate) fn authenticators(self, authenticators: Authenticators) -> Self {
        Self {
            authenticators,
            ..self
        }
    }
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self::new(SessionLimits::default())
    }
}
