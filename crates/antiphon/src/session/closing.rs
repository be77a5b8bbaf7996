//! Closing of a session: by the peer, a timeout, the server, or a handle.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::event_loop::Session;
use super::phase::{ClosingState, Phase, StopReason};
use super::wire::{CloseReason, Wire};
use crate::call_origin::Transport;
use crate::error::Printable;
use crate::session_state::End;

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
            Phase::Open if self.origin.identification.is_guessing() && is_quiet() => {
                Some(StopReason::policy("too many tokens were refused"))
            }
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
        tracing::debug!(
            connection = id,
            "a session ends: {}",
            Printable(&stop.reason)
        );
        if stop.answered {
            self.wire.send(&mut PARSE_ERROR.to_vec());
        }
        let end = End {
            reason: stop.reason,
            ours: stop.ours,
            misbehaved: stop.misbehaved,
            drained: stop.drained,
        };
        let end = self.handle.close(end);
        self.streams.clear();
        self.origin.connection.close();
        self.phase = Phase::Closing(Box::new(ClosingState {
            end,
            close_reason: stop.close_reason,
            deadline: Box::pin(sleep(CLOSE_TIMEOUT)),
        }));
    }

    pub(super) fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Arc<End>> {
        let Phase::Closing(closing) = &mut self.phase else {
            return Poll::Pending;
        };
        let closed = closing.close_reason == CloseReason::Dead
            || self.wire.poll_close(cx, closing.close_reason).is_ready()
            || closing.deadline.as_mut().poll(cx).is_ready();
        match closed {
            true => Poll::Ready(Arc::clone(&closing.end)),
            false => Poll::Pending,
        }
    }
}
