//! WebSocket connection that carries the messages of a session.
//!
//! tungstenite parses frames and creates control frames. It has no socket of its own, but works on
//! a bridge that exists for one call. All outgoing bytes go through one outbox, so that a pong
//! never lands inside another frame and everything leaves in one write.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tungstenite::error::{Error, ProtocolError};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, FrameHeader};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Message, Utf8Bytes};

use crate::memory_budget::Account;
use crate::session::{CloseReason, Traffic, Wire, WireError};
use crate::transport::byte_stream::Socket;
use crate::transport::ws::frame_limits::{FrameLimited, MAX_HEADER, READ};
use crate::transport::ws::outbox::Outbox;

/// What a peer that goes away says in its close frame. It has answered all calls that it has taken, and
/// takes no more: those without an answer may be sent elsewhere.
pub(super) const DRAINED: &str = "calls without an answer have not run";

/// A message is small next to one that is this many times as long.
const SMALL_PART: usize = 8;
/// How many bytes a closing connection discards: a peer that sends more does not read.
const MAX_DISCARDED: usize = 16 * 1024 * 1024;
/// How many reads discard input before the task yields.
const MAX_DISCARDED_READS: usize = 16;

/// A connection that carries WebSocket messages, after its handshake.
#[derive(Debug)]
pub(crate) struct WsWire<S> {
    socket: FrameLimited<S>,
    outbox: Outbox,
    role: Role,
    max_message: usize,
    /// State of tungstenite, with its buffers. `None` while the connection is idle.
    frames: Option<Box<WebSocketContext>>,
    /// The longest message since `frames` was created: its buffer may be shared by later ones.
    longest: usize,
    /// The kind of the last message, text or binary; responses have the same kind.
    kind: Data,
    /// Whether reading has ended.
    has_ended: bool,
    /// Whether our close frame has been put into the outbox.
    has_parted: bool,
    /// Whether the peer's close frame has arrived.
    was_dismissed: bool,
    is_shut: bool,
    /// How much was read and discarded while closing.
    discarded: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> WsWire<S> {
    /// Creates the server's end. `ahead` is what was read after the request.
    pub(crate) fn server(
        stream: S,
        ahead: Bytes,
        max_message: usize,
        memory: &Arc<Account>,
    ) -> Self {
        Self::new(Role::Server, stream, ahead, max_message, memory)
    }

    /// Creates the client's end. `ahead` is what was read after the response.
    pub(crate) fn client(stream: S, ahead: Bytes, max_message: usize) -> Self {
        Self::new(
            Role::Client,
            stream,
            ahead,
            max_message,
            &Account::unlimited(),
        )
    }

    fn new(role: Role, stream: S, ahead: Bytes, max_message: usize, memory: &Arc<Account>) -> Self {
        Self {
            socket: FrameLimited::new(stream, ahead, max_message, memory),
            outbox: Outbox::default(),
            role,
            max_message,
            frames: None,
            longest: 0,
            kind: Data::Text,
            has_ended: false,
            has_parted: false,
            was_dismissed: false,
            is_shut: false,
            discarded: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn holds_nothing(&self) -> bool {
        self.frames.is_none() && self.outbox.holds_nothing()
    }

    /// Calls tungstenite. It can only read if a task context is given.
    fn with_frames<T>(
        &mut self,
        cx: Option<&mut Context<'_>>,
        act: impl FnOnce(&mut WebSocketContext, &mut Bridge<'_, '_, S>) -> T,
    ) -> T {
        let (role, max_message) = (self.role, self.max_message);
        let longest = &mut self.longest;
        let frames = self.frames.get_or_insert_with(|| {
            *longest = 0;
            // It only writes: what is read makes a new one.
            let config = config(max_message, MAX_HEADER);
            Box::new(WebSocketContext::new(role, Some(config)))
        });
        let mut bridge = Bridge {
            socket: &mut self.socket,
            outbox: &mut self.outbox,
            cx,
        };
        act(frames, &mut bridge)
    }

    /// Hands tungstenite what has come after the last message. It has no state that goes on, and gets
    /// a buffer of this size: it would zero a large one before it reads into it.
    fn begin(&mut self, come: Vec<u8>) {
        let read = match self.socket.is_partial() {
            true => self.socket.read_size(come.len()),
            false => come.len(),
        };
        let config = Some(config(self.max_message, read));
        let frames = WebSocketContext::from_partially_read(come, self.role, config);
        self.frames = Some(Box::new(frames));
        self.longest = 0;
    }

    /// Copies a small message that may share its memory with a large one, which it would otherwise
    /// keep alive.
    fn apart(&self, message: Bytes) -> Bytes {
        match self.longest > READ && message.len() < self.longest / SMALL_PART {
            true => Bytes::copy_from_slice(&message),
            false => message,
        }
    }

    /// Puts a frame header into the outbox; without payload it is a whole frame.
    fn header(&mut self, opcode: OpCode, length: usize) {
        let header = FrameHeader {
            opcode,
            ..FrameHeader::default()
        };
        let mut bytes = [0; MAX_HEADER];
        let mut rest = bytes.as_mut_slice();
        // It is long enough.
        let _ = header.format(length as u64, &mut rest);
        let unused = rest.len();
        let used = bytes.len() - unused;
        self.outbox.append(bytes.get(..used).unwrap_or_default());
    }

    /// Answers the peer's close frame.
    fn dismissed(&mut self) {
        // On a server the flush completes the closing handshake, which tungstenite reports as an
        // error.
        let _ = self.with_frames(None, |frames, bridge| frames.flush(bridge));
        self.frames = None;
        self.has_ended = true;
        self.was_dismissed = true;
        self.has_parted = true;
    }

    /// Maps an error of tungstenite: to `None` at the end of the connection, otherwise to an error.
    fn ended(&mut self, error: Error) -> Option<WireError> {
        self.has_ended = true;
        self.frames = None;
        if let Some(error) = self.socket.fault() {
            return Some(error);
        }
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed => None,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                let reason = "the stream ended within a message";
                let is_partial = self.socket.is_partial();
                is_partial.then(|| WireError::new(reason, CloseReason::Dead))
            }
            Error::Io(error) => Some(error.into()),
            Error::Capacity(_) => Some(WireError::new(
                "a message beyond the limit",
                CloseReason::TooBig,
            )),
            Error::Utf8(_) => Some(WireError::new(
                "text that is not UTF-8",
                CloseReason::BadText,
            )),
            // The text of these errors may have numbers in it, but nothing that the peer wrote.
            Error::Protocol(error) => {
                Some(WireError::new(error.to_string(), CloseReason::Protocol))
            }
            _ => Some(WireError::new("not a WebSocket", CloseReason::Protocol)),
        }
    }

    /// Discards what the peer still sends, until it closes its end. Closing a socket with unread
    /// data sends a reset, and the peer could lose output that it has not read yet.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..MAX_DISCARDED_READS {
            match ready!(self.socket.poll_waste(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(bytes) => self.discarded += bytes,
            }
            if self.discarded >= MAX_DISCARDED {
                return Poll::Ready(());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: Socket> Wire for WsWire<S> {
    const PINGS: bool = true;

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, WireError>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        // The message before this one has an owner by now.
        self.socket.release();
        // The loop handles control frames, whose number is limited.
        loop {
            if self.socket.is_between() {
                match ready!(self.socket.poll_begin(cx)) {
                    Ok(come) if come.is_empty() => {
                        self.has_ended = true;
                        self.frames = None;
                        return Poll::Ready(None);
                    }
                    Ok(come) => self.begin(come),
                    Err(error) => return Poll::Ready(self.ended(error.into()).map(Err)),
                }
            }
            let read = self.with_frames(Some(cx), |frames, bridge| frames.read(bridge));
            let (kind, message) = match read {
                Ok(Message::Text(text)) => (Data::Text, Bytes::from(text)),
                Ok(Message::Binary(bytes)) => (Data::Binary, bytes),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                    self.socket.handed_over();
                    // This puts the pong into the outbox.
                    let _ = self.with_frames(None, |frames, bridge| frames.flush(bridge));
                    continue;
                }
                Ok(Message::Close(frame)) => {
                    self.dismissed();
                    let is_drained = frame.is_some_and(|frame| {
                        u16::from(frame.code) == CloseReason::GoingAway as u16
                            && frame.reason.as_str() == DRAINED
                    });
                    return Poll::Ready(is_drained.then(|| Err(drained())));
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(self.ended(error).map(Err)),
            };
            self.kind = kind;
            self.socket.handed_over();
            self.longest = self.longest.max(message.len());
            return Poll::Ready(Some(Ok(self.apart(message))));
        }
    }

    fn send(&mut self, message: &mut Vec<u8>) {
        if self.has_parted {
            message.clear();
            return;
        }
        let opcode = OpCode::Data(self.kind);
        if self.role == Role::Server {
            self.header(opcode, message.len());
            self.outbox.take(message);
        } else {
            // Client frames have to be masked; tungstenite does that.
            let bytes = Bytes::from(std::mem::take(message));
            let frame = Message::Frame(Frame::message(bytes, opcode, true));
            let _ = self.with_frames(None, |frames, bridge| frames.write(bridge, frame));
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let FrameLimited {
            stream, traffic, ..
        } = &mut self.socket;
        self.outbox
            .poll_write(cx, Pin::new(stream), &mut traffic.written)
    }

    fn unwritten(&self) -> usize {
        self.outbox.unwritten()
    }

    fn held(&self) -> usize {
        self.outbox.held()
    }

    fn traffic(&self) -> Traffic {
        self.socket.traffic
    }

    fn is_hung_up(&self) -> bool {
        self.socket.stream.is_hung_up()
    }

    fn is_partial(&self) -> bool {
        self.socket.is_partial()
    }

    fn ping(&mut self) -> bool {
        if self.has_parted {
            return false;
        }
        if self.role == Role::Server {
            self.header(OpCode::Control(Control::Ping), 0);
        } else {
            let ping = Message::Ping(Bytes::new());
            let _ = self.with_frames(None, |frames, bridge| frames.write(bridge, ping));
        }
        true
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, why: CloseReason) -> Poll<io::Result<()>> {
        if why != CloseReason::Dead {
            if !self.has_parted {
                self.has_parted = true;
                self.has_ended = true;
                // After the end of the stream tungstenite would send no close frame, although the
                // peer may still be reading. A new context does not have that state.
                self.frames = None;
                let reason = match why {
                    CloseReason::GoingAway => DRAINED,
                    _ => "",
                };
                let frame = CloseFrame {
                    code: (why as u16).into(),
                    reason: Utf8Bytes::from_static(reason),
                };
                let _ = self.with_frames(None, |frames, bridge| frames.close(bridge, Some(frame)));
                self.frames = None;
            }
            ready!(self.poll_flush(cx))?;
        }
        if !self.is_shut {
            ready!(Pin::new(&mut self.socket.stream).poll_shutdown(cx))?;
            self.is_shut = true;
        }
        if why != CloseReason::Dead && !self.was_dismissed {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }

    fn rest(&mut self) {
        // Between messages tungstenite has no state that has to be kept.
        if self.socket.is_between() {
            self.frames = None;
            self.outbox.rest();
        }
    }
}

/// The peer goes away, and has answered all calls.
fn drained() -> WireError {
    WireError::new("the peer has stopped", CloseReason::GoingAway)
}

fn config(max_message: usize, read: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(read)
        // Write every frame to the outbox at once; keep nothing in tungstenite's buffer.
        .write_buffer_size(0)
        .max_write_buffer_size(usize::MAX)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message))
}

/// The stream that tungstenite reads and writes. Writing never blocks; reading returns `WouldBlock`
/// if nothing is available or there is no task context.
struct Bridge<'a, 'b, S> {
    socket: &'a mut FrameLimited<S>,
    outbox: &'a mut Outbox,
    cx: Option<&'a mut Context<'b>>,
}

impl<S: AsyncRead + Unpin> Read for Bridge<'_, '_, S> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let Some(cx) = &mut self.cx else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        match self.socket.poll_read(cx, room) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S> Write for Bridge<'_, '_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outbox.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
