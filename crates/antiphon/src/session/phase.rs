//! Phases of a session, and the reasons why it stops.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::time::{Instant, Sleep};

use super::wire::{CloseReason, WireError};
use crate::session_state::End;

/// The state of a session's life cycle.
pub(crate) enum Phase {
    Open,
    /// Graceful shutdown: running calls are finished, calls that arrive after this instant are
    /// rejected.
    Stopping(Instant),
    /// The peer has closed its write half and still reads: its calls are finished, until this
    /// instant at the latest.
    Finishing(Instant),
    /// The connection is being closed.
    Closing(Box<ClosingState>),
}

pub(crate) struct ClosingState {
    pub(super) end: Arc<End>,
    pub(super) close_reason: CloseReason,
    pub(super) deadline: Pin<Box<Sleep>>,
}

impl Phase {
    pub(super) fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping(_))
    }

    /// The deadline of the session, if it has one.
    pub(super) fn until(&self) -> Option<Instant> {
        match self {
            Self::Finishing(until) => Some(*until),
            _ => None,
        }
    }
}

/// Why a session stops.
#[derive(Debug)]
pub(crate) struct StopReason {
    pub(super) reason: Cow<'static, str>,
    pub(super) close_reason: CloseReason,
    /// Whether a parse error is sent first.
    pub(super) answered: bool,
    /// Whether this side closes on purpose.
    pub(super) ours: bool,
    /// Whether the peer may have closed only its write half.
    pub(super) half: bool,
    /// Whether the peer has broken a rule.
    pub(super) misbehaved: bool,
    /// Whether the peer has answered all calls that it has taken.
    pub(super) drained: bool,
}

impl StopReason {
    fn new(reason: impl Into<Cow<'static, str>>, close_reason: CloseReason) -> Self {
        Self {
            reason: reason.into(),
            close_reason,
            answered: false,
            ours: false,
            half: false,
            misbehaved: false,
            drained: false,
        }
    }

    /// The peer has closed the connection.
    pub(super) fn gone() -> Self {
        Self {
            half: true,
            ..Self::new("the peer has closed the connection", CloseReason::Normal)
        }
    }

    /// A deadline has passed.
    pub(super) fn late(reason: &'static str, close_reason: CloseReason) -> Self {
        Self::new(reason, close_reason)
    }

    /// The peer has violated a policy of this side.
    pub(super) fn policy(reason: &'static str) -> Self {
        Self {
            misbehaved: true,
            ..Self::new(reason, CloseReason::Policy)
        }
    }

    /// Graceful shutdown of the server is complete.
    pub(super) fn server() -> Self {
        Self {
            ours: true,
            ..Self::new("the server has stopped", CloseReason::GoingAway)
        }
    }

    /// A handle has closed the session.
    pub(super) fn done() -> Self {
        Self {
            ours: true,
            ..Self::new("it was closed", CloseReason::Normal)
        }
    }
}

impl From<WireError> for StopReason {
    fn from(error: WireError) -> Self {
        Self {
            answered: error.answered,
            drained: error.close_reason == CloseReason::GoingAway,
            misbehaved: !matches!(
                error.close_reason,
                CloseReason::Normal | CloseReason::GoingAway | CloseReason::Dead
            ),
            ..Self::new(error.reason, error.close_reason)
        }
    }
}

impl From<io::Error> for StopReason {
    fn from(error: io::Error) -> Self {
        Self::from(WireError::from(error))
    }
}
