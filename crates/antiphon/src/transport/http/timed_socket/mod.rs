//! Socket of an HTTP connection, which enforces the connection's deadlines.
//!
//! There is only one timer per connection. It is reset only if the new deadline is *earlier* than
//! the armed one. If the deadline has moved to a later time, this is noticed when the timer fires.
//! So a busy connection touches its timer once in ten seconds, not once per request.

#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::session::last_look::LastLook;
use crate::session::pace::Pace;
use crate::transport::http::deadlines::Clock;
use crate::transport::http::http2_streams::NEVER;

/// How long a closing connection shuts down, and discards what the peer still sends, so that the
/// peer can read the last response.
const LINGER: Duration = Duration::from_secs(1);

/// A socket whose operations fail with `TimedOut` when a deadline of the [`Clock`] has passed.
#[derive(Debug)]
pub(crate) struct TimedSocket<S> {
    socket: S,
    clock: Arc<Clock>,
    /// The deadline of a peer that reads slowly. Something waits from a write that blocks until
    /// everything is flushed.
    pace: Pace,
    /// Whether the last read has found nothing. Then hyper reads no more before bytes arrive.
    is_dry: bool,
    timer: Option<Pin<Box<Sleep>>>,
    armed: u64,
    /// Whom the timer wakes.
    waker: Option<Waker>,
    last_look: LastLook,
    /// Bytes that were read to detect the protocol; hyper reads them first.
    prefix: Prefix,
    /// The time limit for shutting down, and for discarding input after that.
    linger: Option<Pin<Box<Sleep>>>,
    /// Whether the sending side is shut down.
    is_shut: bool,
}

#[derive(Debug, Default)]
struct Prefix {
    bytes: [u8; PREFACE.len()],
    filled: usize,
    given: usize,
}

/// The HTTP/2 connection preface (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The first byte of a TLS client: content type of a handshake record.
const TLS: u8 = 0x16;

/// The protocol version of a connection, as detected from its first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Version {
    Http1,
    Http2,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TimedSocket<S> {
    pub(crate) fn new(socket: S, clock: Arc<Clock>) -> Self {
        Self {
            socket,
            pace: clock.pace(),
            clock,
            is_dry: false,
            timer: None,
            armed: NEVER,
            waker: None,
            last_look: LastLook::default(),
            prefix: Prefix::default(),
            linger: None,
            is_shut: false,
        }
    }

    /// Returns the inner socket, after an upgrade. hyper has consumed the prefix by then.
    pub(super) fn into_inner(self) -> S {
        self.socket
    }

    /// Reads until the protocol version is known. The bytes are kept for hyper. Cancel safe: a
    /// dropped call can be repeated.
    pub(crate) async fn sniff(&mut self) -> io::Result<Version> {
        loop {
            let read = self
                .prefix
                .bytes
                .get(..self.prefix.filled)
                .unwrap_or_default();
            if read.first() == Some(&TLS) {
                // A TLS client could not read an HTTP response.
                return Err(io::ErrorKind::InvalidData.into());
            }
            if !PREFACE.starts_with(read) {
                return Ok(Version::Http1);
            }
            if read.len() == PREFACE.len() {
                return Ok(Version::Http2);
            }
            if poll_fn(|cx| self.poll_prefix(cx)).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Whether any bytes have arrived.
    pub(super) fn has_begun(&self) -> bool {
        self.prefix.filled > 0
    }

    /// Reads more bytes of the prefix; 0 means end of stream.
    fn poll_prefix(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Prefix { bytes, filled, .. } = &mut self.prefix;
        let mut buffer = ReadBuf::new(bytes.get_mut(*filled..).unwrap_or_default());
        match Pin::new(&mut self.socket).poll_read(cx, &mut buffer) {
            Poll::Ready(result) => {
                let more = buffer.filled().len();
                *filled += more;
                Poll::Ready(result.map(|()| more))
            }
            Poll::Pending => match self.poll_deadline(cx) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
        }
    }

    /// Fails if a deadline has passed; otherwise wakes the task at the next deadline.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            let by = self.clock.due(self.pace.deadline());
            if by == NEVER || self.is_woken_before(by, cx) {
                return Ok(());
            }
            if self.clock.has_passed(by) {
                return match self.last_look.poll(cx) {
                    Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
                    Poll::Pending => Ok(()),
                };
            }
            let at = self.clock.instant(by);
            let timer = match &mut self.timer {
                Some(timer) if self.armed <= by => timer,
                Some(timer) => {
                    timer.as_mut().reset(at);
                    self.armed = by;
                    timer
                }
                None => {
                    self.armed = by;
                    self.timer.insert(Box::pin(sleep_until(at)))
                }
            };
            if timer.as_mut().poll(cx).is_pending() {
                self.waker = Some(cx.waker().clone());
                return Ok(());
            }
            // The timer was armed for a deadline that has moved to a later time: check again and
            // re-arm.
            self.timer = None;
        }
    }

    /// Whether the timer will wake this task, and not later than the deadline. Then the deadline has not
    /// passed, and neither the clock nor the timer need be asked.
    fn is_woken_before(&self, by: u64, cx: &Context<'_>) -> bool {
        let is_armed = |timer: &Pin<Box<Sleep>>| self.armed <= by && !timer.is_elapsed();
        let wakes = |waker: &Waker| waker.will_wake(cx.waker());
        self.timer.as_ref().is_some_and(is_armed) && self.waker.as_ref().is_some_and(wakes)
    }

    /// Whether the timer has fired, or would fire only after the deadline.
    fn is_timer_late(&self) -> bool {
        let has_fired = self.timer.as_ref().is_some_and(|timer| timer.is_elapsed());
        has_fired || self.clock.due(self.pace.deadline()) < self.armed
    }

    /// Applies the deadline of a slow reader to the result of a write.
    fn timed_write(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(bytes)) => {
                self.pace.moved(bytes as u64, Instant::now);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.blocked(cx),
        }
    }

    /// Waits until the peer reads, or until its deadline.
    fn blocked<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.pace.waits(Instant::now);
        match self.poll_deadline(cx) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TimedSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Prefix {
            bytes,
            filled,
            given,
        } = &mut this.prefix;
        if given < filled {
            let waiting = bytes.get(*given..*filled).unwrap_or_default();
            let length = waiting.len().min(buffer.remaining());
            buffer.put_slice(waiting.get(..length).unwrap_or_default());
            *given += length;
            return Poll::Ready(Ok(()));
        }
        if this.clock.is_flooded() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.socket).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                let bytes = buffer.filled().len() - before;
                if bytes > 0 {
                    this.clock.received(bytes);
                    this.last_look.reset();
                }
                this.is_dry = false;
                Poll::Ready(result)
            }
            Poll::Pending => {
                let in_time = this.poll_deadline(cx);
                this.is_dry = in_time.is_ok();
                match in_time {
                    Ok(()) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TimedSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.timed_write(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        self.timed_write(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Poll::Ready(result) = Pin::new(&mut self.socket).poll_flush(cx) else {
            return self.blocked(cx);
        };
        if self.pace.is_waiting() {
            self.pace.rests(Instant::now);
            self.clock.written();
        }
        if self.is_dry && self.is_timer_late() {
            // The response may have begun the idle time, and no read would notice.
            self.poll_deadline(cx)?;
        }
        Poll::Ready(result)
    }

    /// Shuts down the sending side, then discards what the peer still sends for up to [`LINGER`].
    /// Closing a socket with unread data sends a reset, and the peer could lose a response that it
    /// has not read yet.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let until = this
            .linger
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        let mut discarded = [0; 4096];
        loop {
            if until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            if !this.is_shut {
                // With TLS this is a write, which may block.
                ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
                this.is_shut = true;
            }
            let mut buffer = ReadBuf::new(&mut discarded);
            match ready!(Pin::new(&mut this.socket).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
