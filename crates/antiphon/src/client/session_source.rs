//! Source of sessions: the client's own connection, or the session of the call that a method is answering.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::connection_state::{ConnectionWatch, State};
use super::driver::{Driver, SessionError};
use super::session_authentication::AuthenticationFault;
use crate::session_state::SessionHandle;

/// Where a client gets its session from.
pub(super) enum SessionSource {
    /// The client's own connection.
    Own(Driver),
    /// The session of the call that a method is answering.
    Peer(SessionHandle),
}

impl SessionSource {
    pub(super) async fn handle(&self) -> Result<SessionHandle, SessionError> {
        match self {
            Self::Own(driver) => driver.handle().await,
            Self::Peer(handle) => match handle.end() {
                Some(end) => Err(SessionError::Over(end)),
                None => Ok(handle.clone()),
            },
        }
    }

    /// The session, if it is open and need not be waited for.
    pub(super) fn open_handle(&self) -> Option<SessionHandle> {
        match self {
            Self::Own(driver) => match &*driver.core.state.borrow() {
                State::Open(handle) => Some(handle.clone()),
                _ => None,
            },
            Self::Peer(handle) => Some(handle.clone()),
        }
    }

    pub(super) fn reconnects(&self) -> bool {
        match self {
            Self::Own(driver) => driver.core.reconnect().is_some(),
            Self::Peer(_) => false,
        }
    }

    /// From now on a call does not wait while the connection is lost: it connects, and fails if that
    /// fails. For a client that is one of several, whose calls can go elsewhere.
    pub(super) fn connect_on_demand(&self) {
        if let Self::Own(driver) = self {
            driver.core.on_demand.store(true, Ordering::Relaxed);
        }
    }

    /// The pause before another attempt at what has failed so often; `None` if the client does not try
    /// again.
    pub(super) fn pause(&self, attempt: u32) -> Option<Duration> {
        let Self::Own(driver) = self else {
            return None;
        };
        let reconnect = driver.core.reconnect()?;
        let may = reconnect
            .max_attempts
            .is_none_or(|max| attempt.saturating_add(1) < max);
        may.then(|| reconnect.pause(attempt))
    }

    /// Opens another connection in the place of one whose server stops. Returns false if it cannot.
    pub(super) fn retire(&self, handle: &SessionHandle) -> bool {
        match self {
            Self::Own(driver) => driver.core.retire(handle),
            Self::Peer(_) => true,
        }
    }

    /// Waits until a session of the client's own connection is over.
    pub(super) async fn until_over(&self, handle: &SessionHandle) {
        let Self::Own(driver) = self else {
            return;
        };
        let mut states = driver.core.state.subscribe();
        // The session ends first, and then the state changes.
        while handle.end().is_none() {
            // This cannot fail: the sender is in `core`.
            let _ = states.changed().await;
        }
    }

    /// Whether a message may have members beyond the specification.
    pub(super) fn takes_extras(&self) -> bool {
        match self {
            Self::Own(_) => true,
            Self::Peer(handle) => !handle.speaks_mcp(),
        }
    }

    pub(super) fn tells_deadlines(&self) -> bool {
        match self {
            Self::Own(driver) => driver.core.tells_deadlines,
            Self::Peer(_) => true,
        }
    }

    /// Whether messages are sent on behalf of the caller of the method that sends them.
    pub(super) fn forwards_identity(&self) -> bool {
        match self {
            Self::Own(driver) => driver.core.connector.forwards_identity(),
            Self::Peer(_) => false,
        }
    }

    /// The number of the token of this session, if a refused one can be replaced.
    pub(super) fn token_number(&self) -> Option<u64> {
        match self {
            Self::Own(driver) => driver.core.authentication.as_ref()?.number(),
            Self::Peer(_) => None,
        }
    }

    /// Replaces a token that was refused.
    pub(super) async fn renew_token(
        &self,
        handle: &SessionHandle,
        number: u64,
    ) -> Result<(), AuthenticationFault> {
        match self {
            Self::Own(Driver { core }) => match &core.authentication {
                Some(authentication) => authentication.renew(handle, number).await,
                None => Ok(()),
            },
            Self::Peer(_) => Ok(()),
        }
    }

    pub(super) fn watch(&self) -> ConnectionWatch {
        match self {
            Self::Own(driver) => ConnectionWatch(driver.core.state.subscribe()),
            Self::Peer(_) => ConnectionWatch::none(),
        }
    }
}
