//! Interface between a session and its transport: whole messages in, whole messages out.
//!
//! A wire polls one socket. It has no task, no timer and no queue of calls, and does not look into
//! messages. The session drives it from one task, so nothing is shared.

use std::borrow::Cow;
use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::identity::Principal;

/// One end of a message-oriented connection.
pub(crate) trait Wire: Send + Unpin + 'static {
    /// Whether the transport has pings.
    const PINGS: bool = false;

    /// Receives the next whole message.
    ///
    /// `None` is a clean end of the stream. Nothing comes after it, nor after an error. Control
    /// frames are handled by the wire itself. Not calling this method is how backpressure works: a
    /// wire never reads ahead further than its small buffer.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, WireError>>>;

    /// Queues a message for writing. Leaves `message` empty, if possible with its capacity.
    ///
    /// It never waits and never fails: the session checks [`unwritten`](Self::unwritten) before it
    /// produces more output.
    fn send(&mut self, message: &mut Vec<u8>);

    /// Says on whose behalf the next message is sent, if not on that of this side. Only a connection
    /// inside of this process passes it on: to another one it proves nothing.
    fn set_principal(&mut self, _principal: Option<Box<Principal>>) {}

    /// On whose behalf the message that was received last was sent, if that was said.
    fn take_principal(&mut self) -> Option<Box<Principal>> {
        None
    }

    /// Writes queued messages and control frames, in as few system calls as possible.
    ///
    /// Ready when everything is written.
    ///
    /// # Errors
    ///
    /// If the connection can no longer be written to.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Bytes that are queued and not written yet. Control frames need not count.
    fn unwritten(&self) -> usize;

    /// Bytes of memory behind them: a chunk that is written in part is still there as a whole.
    fn held(&self) -> usize {
        self.unwritten()
    }

    /// Total bytes transferred so far. Only changes of these counters matter.
    fn traffic(&self) -> Traffic;

    /// Whether a message was received in part.
    fn is_partial(&self) -> bool;

    /// Whether the peer is known to have closed the connection while reading is paused. Polled now
    /// and then in that state; a wire that cannot know returns `false`.
    fn is_hung_up(&self) -> bool {
        false
    }

    /// Queues a ping; the pong counts as received traffic. Returns `false` if no ping can be sent
    /// (any more).
    fn ping(&mut self) -> bool {
        false
    }

    /// Sends a close message if the transport has one, flushes, and closes the write half.
    ///
    /// The session stops polling this after a short timeout.
    fn poll_close(&mut self, cx: &mut Context<'_>, why: CloseReason) -> Poll<io::Result<()>>;

    /// Releases buffers that only a busy connection needs. Called whenever there is nothing to read
    /// and nothing to write.
    fn rest(&mut self) {}
}

/// Bytes that a wire has transferred, control frames included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) received: u64,
    pub(crate) written: u64,
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub(crate) struct WireError {
    /// For the log and for pending calls; never contains text from the peer.
    pub(crate) reason: Cow<'static, str>,
    /// Whether to send one parse error before closing (`FramingError::is_answered`).
    pub(crate) answered: bool,
    pub(crate) close_reason: CloseReason,
}

/// The close reason sent to the peer, on transports that have one. The numbers are those of
/// WebSocket close frames (RFC 6455, section 7.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CloseReason {
    /// A normal close.
    Normal = 1000,
    /// The server is shutting down, and all calls are answered.
    GoingAway = 1001,
    /// The peer has violated the protocol of the transport.
    Protocol = 1002,
    /// A text message that is not UTF-8.
    BadText = 1007,
    /// The peer has violated a policy of this side, such as a timeout.
    Policy = 1008,
    /// A message larger than the limit.
    TooBig = 1009,
    /// The server is overloaded; the peer may try again later.
    TryAgain = 1013,
    /// The connection is lost; nothing is sent.
    Dead = 1006,
}

impl WireError {
    pub(crate) fn new(reason: impl Into<Cow<'static, str>>, close_reason: CloseReason) -> Self {
        Self {
            reason: reason.into(),
            answered: false,
            close_reason,
        }
    }
}

impl WireError {
    /// The server has no memory left for what the peer sends.
    pub(crate) fn exhausted() -> Self {
        Self::new("no memory for its message", CloseReason::TryAgain)
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string(), CloseReason::Dead)
    }
}
