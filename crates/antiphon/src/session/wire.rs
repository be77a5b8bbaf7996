//! Interface of a session to its connection: whole messages in, whole messages out.
//!
//! A wire is plain polling over one socket. It has no task, no timer and no queue of calls; it does
//! not look into messages. The engine drives it from one task, so nothing of it is shared.

use std::borrow::Cow;
use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;

/// One end of a connection that carries messages.
pub(crate) trait Wire: Send + Unpin + 'static {
    /// Whether the transport can ask for a sign of life.
    const PINGS: bool = false;

    /// Takes the next whole message.
    ///
    /// `None` is the end of the stream in good order; nothing comes after it, nor after an error.
    /// Bytes that are no message of their own (control frames) are dealt with inside. Reading stops
    /// when this is not called: a wire never reads ahead further than its small buffer.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, WireError>>>;

    /// Takes a message to be written, and leaves the buffer empty, if possible with its capacity.
    ///
    /// It never waits and never fails: the engine looks at [`unwritten`](Self::unwritten) before it
    /// lets anything be made that is written here.
    fn send(&mut self, message: &mut Vec<u8>);

    /// Writes what has been sent and what control frames need, in as few system calls as possible.
    ///
    /// Ready when nothing is left to be written.
    ///
    /// # Errors
    ///
    /// When the peer cannot be written to any more.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Bytes that were sent and are not written yet; control frames need not count.
    fn unwritten(&self) -> usize;

    /// How much has moved so far. The engine compares, it does not add up.
    fn traffic(&self) -> Traffic;

    /// Whether a message has begun to come and is not complete.
    fn is_partial(&self) -> bool;

    /// Whether the peer is known to have gone while what it sent is not read. Asked now and then when
    /// reading has paused; a wire that cannot know says no.
    fn is_hung_up(&self) -> bool {
        false
    }

    /// Queues a question for a sign of life, which counts as received when it comes. `false` if
    /// nothing can be asked (any more).
    fn ping(&mut self) -> bool {
        false
    }

    /// Says goodbye if the transport has a way to, writes what is left and closes the writing half.
    ///
    /// The engine stops asking after a short time.
    fn poll_close(&mut self, cx: &mut Context<'_>, why: CloseReason) -> Poll<io::Result<()>>;

    /// Gives memory back that only a busy connection needs. Called whenever there is nothing to read
    /// and nothing to write.
    fn rest(&mut self) {}
}

/// Bytes that have passed a wire, control frames included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) received: u64,
    pub(crate) written: u64,
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub(crate) struct WireError {
    /// For the log and for calls that wait; no text of the peer's.
    pub(crate) reason: Cow<'static, str>,
    /// Whether the peer is due one parse error before the end (`FramingError::is_answered`).
    pub(crate) answered: bool,
    pub(crate) goodbye: CloseReason,
}

/// What the other end is told when a connection ends, on transports that have a way to say it. The
/// numbers are those of WebSocket close frames (RFC 6455, section 7.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CloseReason {
    /// All is said.
    Normal = 1000,
    /// The server stops.
    GoingAway = 1001,
    /// The peer has broken the rules of the transport.
    Protocol = 1002,
    /// Text that is not UTF-8.
    BadText = 1007,
    /// The peer has broken a rule of ours, a bound of time among them.
    Policy = 1008,
    /// A message beyond the limit.
    TooBig = 1009,
    /// The connection is dead; there is nobody to tell.
    Dead = 1006,
}

impl WireError {
    pub(crate) fn new(reason: impl Into<Cow<'static, str>>, goodbye: CloseReason) -> Self {
        Self {
            reason: reason.into(),
            answered: false,
            goodbye,
        }
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string(), CloseReason::Dead)
    }
}
