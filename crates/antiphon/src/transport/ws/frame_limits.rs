//! Limits on incoming frames, enforced below tungstenite.
//!
//! tungstenite checks each frame by itself. This module limits what adds up over many frames, at
//! the frame header, before any payload is buffered: the size of a message over all its fragments,
//! the number of fragments, and the rate of control frames. It also tracks message boundaries, so
//! it knows when no partial message is buffered anywhere.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};

use crate::memory_budget::{Account, Direction, Exhausted, FREE, Reservation};
use crate::session::rate_budget::RateBudget;
use crate::session::{CloseReason, Traffic, WireError};

/// The bytes of a message are reserved in steps of this many.
const STEP: usize = 64 * 1024;

/// Read size between messages.
pub(super) const READ: usize = 4 * 1024;
/// Read size within a long frame. tungstenite zeroes that much before each read, so that more would cost a
/// slow sender's messages more than it saves.
const LONG_READ: usize = 32 * 1024;
/// A buffer of what has come has at most this many bytes of room behind it.
const SPARE: usize = 1024;

/// The most bytes of a frame's header, with its mask.
pub(super) const MAX_HEADER: usize = 14;

/// How many fragments a message may have, however short they are.
const MAX_FRAGMENTS: u64 = 1024;
/// A message may have one more fragment per this many bytes: a long message may be sent in small
/// fragments, but a peer may not send almost empty fragments without end.
const BYTES_PER_FRAGMENT: u64 = 64;
/// How many control frames may arrive in a burst, and how many in each second.
const BURST: usize = 100;
const PER_SECOND: usize = 10;
/// Payload limit of a control frame (RFC 6455, section 5.5).
const MAX_CONTROL: u64 = 125;

/// The byte stream below a WebSocket, with limits on its incoming frames.
#[derive(Debug)]
pub(super) struct FrameLimited<S> {
    pub(super) stream: S,
    pub(super) traffic: Traffic,
    /// Bytes that were read after the handshake.
    ahead: Bytes,
    walk: FrameWalker,
    fault: Option<Fault>,
    /// What is reserved for the message that is being received.
    held: Reservation,
    /// Whether it is read in large steps, which are reserved, too.
    is_long: bool,
}

/// A limit that the peer has exceeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    TooBig,
    TooManyFragments,
    TooManyControls,
    LongControl,
    /// There is no memory for the message.
    Exhausted,
}

impl<S: AsyncRead + Unpin> FrameLimited<S> {
    pub(super) fn new(stream: S, ahead: Bytes, max_message: usize, memory: &Arc<Account>) -> Self {
        Self {
            held: Reservation::new(memory, Direction::Request),
            stream,
            traffic: Traffic::default(),
            ahead,
            walk: FrameWalker::new(max_message),
            fault: None,
            is_long: false,
        }
    }

    /// Reads bytes up to the first frame that exceeds a limit. After that, every read fails and
    /// [`fault`](Self::fault) returns the reason.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        room: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.fault.is_some() {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let mut buffer = ReadBuf::new(room);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(self.check(buffer.filled()))
    }

    /// Reads what has come after the last message, into memory of its size; nothing is allocated while
    /// nothing has come. Empty at the end of the stream.
    ///
    /// Fails as [`poll_read`](Self::poll_read) does.
    pub(super) fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        if self.fault.is_some() {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        if !self.ahead.is_empty() {
            let ahead = std::mem::take(&mut self.ahead);
            return Poll::Ready(self.begun(&ahead));
        }
        let mut room = [const { MaybeUninit::uninit() }; READ];
        let mut buffer = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(self.begun(buffer.filled()))
    }

    /// A copy of the bytes up to the first frame that exceeds a limit.
    fn begun(&mut self, come: &[u8]) -> io::Result<Vec<u8>> {
        let good = self.check(come)?;
        let come = come.get(..good).unwrap_or_default();
        // tungstenite wants room for each message again behind what it has.
        let spare = match self.is_partial() {
            true => READ.saturating_sub(good),
            false => good.min(SPARE) + MAX_HEADER,
        };
        let mut copy = Vec::with_capacity(good + spare);
        copy.extend_from_slice(come);
        Ok(copy)
    }

    /// Counts bytes that were read. Returns how many there are before the first frame that exceeds a
    /// limit.
    fn check(&mut self, come: &[u8]) -> io::Result<usize> {
        self.traffic.received += come.len() as u64;
        match self.walk.over(come) {
            Ok(()) if self.hold().is_err() => {
                self.fault = Some(Fault::Exhausted);
                Err(io::ErrorKind::OutOfMemory.into())
            }
            Ok(()) => Ok(come.len()),
            Err((fault, good)) => {
                self.fault = Some(fault);
                match good {
                    0 => Err(io::ErrorKind::InvalidData.into()),
                    _ => Ok(good),
                }
            }
        }
    }

    /// Reads and discards bytes; 0 means end of stream.
    pub(super) fn poll_waste(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut waste = [0; 4096];
        let mut buffer = ReadBuf::new(&mut waste);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        let count = buffer.filled().len();
        self.traffic.received += count as u64;
        Poll::Ready(Ok(count))
    }
}

impl<S> FrameLimited<S> {
    /// Reserves what has arrived of a message, in steps.
    fn hold(&mut self) -> Result<(), Exhausted> {
        let received = self.walk.received();
        if received <= FREE.max(self.held.bytes()) {
            return Ok(());
        }
        self.held.set(received.next_multiple_of(STEP))
    }

    /// Returns what is reserved for messages that were handed over.
    pub(super) fn release(&mut self) {
        self.is_long &= self.is_partial();
        let is_needed = self.is_partial() && (self.is_long || self.walk.received() > FREE);
        if self.held.bytes() > 0 && !is_needed {
            self.held.shrink_to(0);
        }
    }

    /// Whether a frame or message has arrived in part.
    pub(super) fn is_partial(&self) -> bool {
        self.walk.is_partial()
    }

    /// Read size for the rest of a frame of which so many bytes have come at first. Who sends as fast as
    /// it is read gets larger steps, if there is memory for them.
    pub(super) fn read_size(&mut self, come: usize) -> usize {
        let left = usize::try_from(self.walk.left).unwrap_or(usize::MAX);
        let reserved = self.held.bytes().max(STEP);
        if come < READ || left <= READ || self.held.set(reserved).is_err() {
            return READ;
        }
        self.is_long = true;
        left.min(LONG_READ)
    }

    /// Whether all that was read has been handed over, as whole messages.
    pub(super) fn is_between(&self) -> bool {
        self.walk.begun == 0 && !self.walk.is_partial()
    }

    /// Counts a message or control frame that was handed over.
    pub(super) fn handed_over(&mut self) {
        self.walk.begun = self.walk.begun.saturating_sub(1);
    }

    /// The reason why reading has failed, if the peer has exceeded a limit.
    pub(super) fn fault(&self) -> Option<WireError> {
        let (reason, close_reason) = match self.fault? {
            Fault::TooBig => ("a message beyond the limit", CloseReason::TooBig),
            Fault::TooManyFragments => ("a message in too many fragments", CloseReason::Policy),
            Fault::Exhausted => return Some(WireError::exhausted()),
            Fault::TooManyControls => ("too many control frames", CloseReason::Policy),
            Fault::LongControl => (
                "a control frame of more than 125 bytes",
                CloseReason::Protocol,
            ),
        };
        Some(WireError::new(reason, close_reason))
    }
}

/// Position in a stream of frames. Errors within a single frame are left to tungstenite.
#[derive(Debug)]
struct FrameWalker {
    /// The header of the current frame, up to its length field, without the mask.
    head: [u8; 10],
    filled: usize,
    /// Remaining bytes of the frame, including the mask.
    left: u64,
    /// Whether the current message needs more fragments.
    open: bool,
    fragments: u64,
    size: u64,
    max_size: u64,
    controls: RateBudget,
    /// Messages whose last frame has begun, and control frames, which were not handed over yet.
    begun: u64,
}

impl FrameWalker {
    fn new(max_message: usize) -> Self {
        Self {
            head: [0; 10],
            filled: 0,
            left: 0,
            open: false,
            fragments: 0,
            size: 0,
            max_size: max_message as u64,
            controls: RateBudget::new(BURST, PER_SECOND),
            begun: 0,
        }
    }

    fn is_partial(&self) -> bool {
        self.open || self.left > 0 || self.filled > 0
    }

    /// Bytes of the current message that have arrived, without its frame headers.
    fn received(&self) -> usize {
        let received = self.size.saturating_sub(self.left);
        usize::try_from(received).unwrap_or(usize::MAX)
    }

    /// # Errors
    ///
    /// The limit that is exceeded, and the number of bytes before the frame that exceeds it.
    fn over(&mut self, mut bytes: &[u8]) -> Result<(), (Fault, usize)> {
        let all = bytes.len();
        let mut good = 0;
        loop {
            let skipped = bytes
                .len()
                .min(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= skipped as u64;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if self.filled == 0 {
                good = all - bytes.len();
            }
            loop {
                let Some((&byte, rest)) = bytes.split_first() else {
                    return Ok(());
                };
                bytes = rest;
                if let Some(place) = self.head.get_mut(self.filled) {
                    *place = byte;
                }
                self.filled += 1;
                if self.filled >= self.head_length() {
                    break;
                }
            }
            self.filled = 0;
            self.frame().map_err(|fault| (fault, good))?;
        }
    }

    /// The length of the header without the mask, as far as it is known yet.
    fn head_length(&self) -> usize {
        match self.head[1] & 0x7f {
            _ if self.filled < 2 => 2,
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    /// Handles a complete frame header.
    fn frame(&mut self) -> Result<(), Fault> {
        let [first, second, a, b, c, d, e, f, g, h] = self.head;
        let length = match second & 0x7f {
            126 => u16::from_be_bytes([a, b]).into(),
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            short => short.into(),
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        self.left = length.saturating_add(mask);
        match first & 0x0f {
            0x8.. if length > MAX_CONTROL => return Err(Fault::LongControl),
            0x9 | 0xa if self.controls.spend(1, || 0).is_err() => {
                return Err(Fault::TooManyControls);
            }
            0x8.. => {
                self.begun += 1;
                return Ok(());
            }
            0x0 => {
                self.fragments += 1;
                self.size = self.size.saturating_add(length);
            }
            _ => {
                self.fragments = 1;
                self.size = length;
            }
        }
        self.open = first & 0x80 == 0;
        self.begun += u64::from(!self.open);
        if self.size > self.max_size {
            return Err(Fault::TooBig);
        }
        if self.fragments > MAX_FRAGMENTS + self.size / BYTES_PER_FRAGMENT {
            return Err(Fault::TooManyFragments);
        }
        Ok(())
    }
}
