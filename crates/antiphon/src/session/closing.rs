//! Closing of a session: by the peer, a timeout, the server, or a handle.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::Session;
use super::wire::{CloseReason, Wire, WireError};
use crate::connection::End;
use crate::origin::Transport;

/// Timeout of the closing handshake.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long calls are still accepted after graceful shutdown has begun: the peer may have sent
/// them before it could know.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(100);

/// How long calls over standard input may go on after the input has ended: the parent process may
/// be gone.
const INPUT_END_GRACE: Duration = Duration::from_secs(1);

/// The response to input that is not a message, before the connection closes.
const PARSE_ERROR: &[u8] =
    br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#;

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
    Closing(Box<Farewell>),
}

pub(crate) struct Farewell {
    end: Arc<End>,
    goodbye: CloseReason,
    deadline: Pin<Box<Sleep>>,
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
    reason: Cow<'static, str>,
    goodbye: CloseReason,
    /// Whether a parse error is sent first.
    answered: bool,
    /// Whether this side closes on purpose.
    ours: bool,
    /// Whether the peer may have closed only its write half.
    half: bool,
}

impl StopReason {
    fn new(reason: impl Into<Cow<'static, str>>, goodbye: CloseReason) -> Self {
        Self {
            reason: reason.into(),
            goodbye,
            answered: false,
            ours: false,
            half: false,
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
    pub(super) fn late(reason: &'static str, goodbye: CloseReason) -> Self {
        Self::new(reason, goodbye)
    }

    /// The peer has violated a policy of this side.
    pub(super) fn policy(reason: &'static str) -> Self {
        Self::new(reason, CloseReason::Policy)
    }

    /// Graceful shutdown of the server is complete.
    pub(super) fn server() -> Self {
        Self {
            ours: true,
            ..Self::new("the server has stopped", CloseReason::GoingAway)
        }
    }

    /// A handle has closed the session.
    fn done() -> Self {
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
            ..Self::new(error.reason, error.goodbye)
        }
    }
}

impl From<io::Error> for StopReason {
    fn from(error: io::Error) -> Self {
        Self::from(WireError::from(error))
    }
}

impl<W: Wire> Session<W> {
    /// Begins graceful shutdown: subscriptions end, running calls are finished, later ones
    /// rejected.
    pub(crate) fn stop(&mut self) {
        if matches!(self.phase, Phase::Open) {
            self.phase = Phase::Stopping(Instant::now() + SHUTDOWN_GRACE);
            self.handle.end_subscriptions();
        }
    }

    /// Whether new calls are rejected.
    pub(super) fn refuses(&self) -> bool {
        match &self.phase {
            Phase::Stopping(late) => *late <= Instant::now(),
            _ => false,
        }
    }

    /// Why the session should close now, if it should.
    pub(super) fn wants_to_stop(&self) -> Option<StopReason> {
        let is_quiet = || {
            self.handle.running() == 0
                && self.parked.is_empty()
                && self.wire.unwritten() == 0
                && !self.handle.has_mail()
        };
        match self.phase {
            Phase::Finishing(_) if is_quiet() => Some(StopReason::gone()),
            _ if self.handle.is_closing() && self.wire.unwritten() == 0 => Some(StopReason::done()),
            _ => None,
        }
    }

    /// Ends everything that belongs to the session, and starts to close the connection.
    pub(super) fn begin_closing(&mut self, stop: StopReason) {
        // A process that pipes in all its input and closes the pipe still reads the responses.
        let pipe = self.origin.connection.transport == Transport::Stdio;
        if stop.half && pipe && !matches!(self.phase, Phase::Finishing(_)) {
            self.phase = Phase::Finishing(Instant::now() + INPUT_END_GRACE);
            return;
        }
        let id = self.origin.connection.id;
        tracing::debug!(connection = id, "a session ends: {}", stop.reason);
        if stop.answered {
            self.wire.send(&mut PARSE_ERROR.to_vec());
        }
        let end = End {
            reason: stop.reason,
            ours: stop.ours,
        };
        let end = self.handle.close(end);
        self.origin.connection.close();
        self.phase = Phase::Closing(Box::new(Farewell {
            end,
            goodbye: stop.goodbye,
            deadline: Box::pin(sleep(CLOSE_TIMEOUT)),
        }));
    }

    pub(super) fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Arc<End>> {
        let Phase::Closing(farewell) = &mut self.phase else {
            return Poll::Pending;
        };
        let closed = farewell.goodbye == CloseReason::Dead
            || self.wire.poll_close(cx, farewell.goodbye).is_ready()
            || farewell.deadline.as_mut().poll(cx).is_ready();
        match closed {
            true => Poll::Ready(Arc::clone(&farewell.end)),
            false => Poll::Pending,
        }
    }
}
