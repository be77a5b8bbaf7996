//! Close of a session: because of the peer, a deadline, the server, or a handle.

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

/// How long saying goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long after a server was told to stop calls are still begun: what the peer sent before it
/// could know.
const LATE_CALLS: Duration = Duration::from_millis(100);

/// How long a program's calls may go on when its input has ended: who has started it may be gone.
const INPUT_END_GRACE: Duration = Duration::from_secs(1);

/// The answer to what is no message, before the connection closes.
const PARSE_ERROR: &[u8] =
    br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#;

/// Where a session is in its life.
pub(crate) enum Phase {
    Open,
    /// The server stops: what has been asked is finished; what is asked later than a moment is not.
    Stopping(Instant),
    /// The peer has said all it has to say, and still listens: what it has asked is finished, if
    /// that takes no longer than to this moment.
    Finishing(Instant),
    /// Goodbye is being said.
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

    /// When it is over at the latest.
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
    /// Whether the peer gets a parse error first.
    answered: bool,
    /// Whether this side wants it.
    ours: bool,
    /// Whether the peer has only stopped to talk.
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

    /// The peer has broken a rule of ours.
    pub(super) fn policy(reason: &'static str) -> Self {
        Self::new(reason, CloseReason::Policy)
    }

    /// The server stops, and all is done.
    pub(super) fn server() -> Self {
        Self {
            ours: true,
            ..Self::new("the server has stopped", CloseReason::GoingAway)
        }
    }

    /// Nobody here needs the session any more.
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
    /// The server stops: subscriptions end, calls are finished, later ones refused.
    pub(crate) fn stop(&mut self) {
        if matches!(self.phase, Phase::Open) {
            self.phase = Phase::Stopping(Instant::now() + LATE_CALLS);
            self.handle.end_subscriptions();
        }
    }

    /// Whether calls that come now are too late.
    pub(super) fn refuses(&self) -> bool {
        match &self.phase {
            Phase::Stopping(late) => *late <= Instant::now(),
            _ => false,
        }
    }

    /// Whether the session has nothing left to do for which it was kept.
    pub(super) fn wants_to_stop(&self) -> Option<StopReason> {
        let quiet = || {
            self.handle.running() == 0
                && self.parked.is_empty()
                && self.wire.unwritten() == 0
                && !self.handle.has_mail()
        };
        match self.phase {
            Phase::Finishing(_) if quiet() => Some(StopReason::gone()),
            _ if self.handle.is_closing() && self.wire.unwritten() == 0 => Some(StopReason::done()),
            _ => None,
        }
    }

    /// Ends everything that belongs to the session, and begins to say goodbye.
    pub(super) fn begin_closing(&mut self, stop: StopReason) {
        // A program that has been given all its input on a pipe still wants the answers.
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
        let said = farewell.goodbye == CloseReason::Dead
            || self.wire.poll_close(cx, farewell.goodbye).is_ready()
            || farewell.deadline.as_mut().poll(cx).is_ready();
        match said {
            true => Poll::Ready(Arc::clone(&farewell.end)),
            false => Poll::Pending,
        }
    }
}
