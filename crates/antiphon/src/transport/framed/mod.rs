//! Messages on a byte stream: TCP, Unix sockets, pipes.
//!
//! Input is read into one buffer, and whole messages are split off without a copy. Output is
//! collected in another buffer, so that all waiting messages leave in one write. An idle connection
//! holds no buffers.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use antiphon_proto::framing::{Decoder, Framing, FramingError};
use bytes::{Bytes, BytesMut};
use tokio::io::ReadBuf;
use tokio_util::io::poll_read_buf;

use crate::memory_budget::{Account, Direction, Reservation};
use crate::session::{CloseReason, Traffic, Wire, WireError};
use crate::transport::byte_stream::Socket;
use crate::transport::line_breaks::join_lines;

/// Read size for small messages, and for large ones.
const READ: usize = 4 * 1024;
const READ_MORE: usize = 64 * 1024;

/// A message that is shorter than this part of its buffer is copied, since it would otherwise keep
/// the whole buffer alive.
const SMALL_PART: usize = 8;

/// How many bytes a closing connection discards: a peer that sends more does not read.
const MAX_DISCARDED: usize = 16 * 1024 * 1024;

/// The most chunks in one vectored write.
const PIECES: usize = 16;

/// Messages shorter than this are copied into a shared chunk; longer ones are written in place.
const GATHERED: usize = 16 * 1024;

/// A byte stream that carries messages.
#[derive(Debug)]
pub(crate) struct StreamWire<S> {
    stream: S,
    framing: Framing,
    decoder: Decoder,
    input: BytesMut,
    /// What is reserved for the input.
    held: Reservation,
    /// The size of the memory behind `input`, which all messages cut from it share.
    allocated: usize,
    /// Chunks that wait to be written; the last one may still grow.
    output: VecDeque<Vec<u8>>,
    /// Number of bytes of the first chunk that have been written.
    written: usize,
    unwritten: usize,
    traffic: Traffic,
    /// The decoder needs more bytes.
    hungry: bool,
    ended: bool,
    /// How much was read and discarded while closing.
    discarded: usize,
}

impl<S: Socket> StreamWire<S> {
    pub(crate) fn new(
        stream: S,
        framing: Framing,
        max_message: usize,
        memory: &Arc<Account>,
    ) -> Self {
        Self {
            held: Reservation::new(memory, Direction::Request),
            stream,
            framing,
            decoder: Decoder::new(framing, max_message),
            input: BytesMut::new(),
            allocated: 0,
            output: VecDeque::new(),
            written: 0,
            unwritten: 0,
            traffic: Traffic::default(),
            hungry: true,
            ended: false,
            discarded: 0,
        }
    }

    /// Returns the chunk for the next bytes.
    fn gather(&mut self, room: usize) -> &mut Vec<u8> {
        let fits = |piece: &Vec<u8>| piece.len() + room <= GATHERED;
        if !self.output.back().is_some_and(fits) {
            self.output.push_back(Vec::new());
        }
        let last = self.output.len().saturating_sub(1);
        // The code above ensures that there is a chunk.
        &mut self.output[last]
    }

    /// Writes as many chunks at once as the stream accepts.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stream = Pin::new(&mut self.stream);
        let mut pieces = self.output.iter();
        let first = pieces.next().and_then(|first| first.get(self.written..));
        let first = first.unwrap_or_default();
        if self.output.len() == 1 || !stream.is_write_vectored() {
            return stream.poll_write(cx, first);
        }
        let mut slices = [io::IoSlice::new(&[]); PIECES];
        slices[0] = io::IoSlice::new(first);
        for (slice, piece) in slices.iter_mut().skip(1).zip(pieces) {
            *slice = io::IoSlice::new(piece);
        }
        stream.poll_write_vectored(cx, &slices)
    }

    /// Releases what has been written. The last chunk is kept for reuse if it is small.
    fn wrote(&mut self, mut bytes: usize) {
        self.unwritten -= bytes;
        self.traffic.written += bytes as u64;
        let mut pieces = self.output.len();
        while let Some(first) = self.output.front_mut() {
            let rest = first.len() - self.written;
            if bytes < rest {
                self.written += bytes;
                return;
            }
            bytes -= rest;
            self.written = 0;
            if pieces == 1 && first.capacity() <= GATHERED {
                first.clear();
                return;
            }
            self.output.pop_front();
            pieces -= 1;
        }
    }

    /// Reads what has come after the last message, into memory of its size; nothing is allocated while
    /// nothing has come.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, WireError>> {
        let mut room = [const { MaybeUninit::uninit() }; READ];
        let mut buffer = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        self.input = BytesMut::from(buffer.filled());
        self.allocated = self.input.len();
        Poll::Ready(Ok(self.input.len()))
    }

    /// Reads more of a message that has arrived in part.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, WireError>> {
        let partial = self.input.len();
        let room = partial.clamp(READ, READ_MORE);
        if self.held.cover(partial + room).is_err() {
            return Poll::Ready(Err(WireError::exhausted()));
        }
        if self.input.capacity() - partial < room {
            self.input.reserve(room);
            // The bytes are now at the start of their memory.
            self.allocated = self.input.capacity();
        }
        let stream = Pin::new(&mut self.stream);
        let read = ready!(poll_read_buf(stream, cx, &mut self.input))?;
        Poll::Ready(Ok(read))
    }

    fn cut(&mut self) -> Result<Option<Bytes>, FramingError> {
        match self.ended {
            true => self.decoder.finish(&mut self.input),
            false => self.decoder.decode(&mut self.input),
        }
    }
}

impl<S: Socket> Wire for StreamWire<S> {
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, WireError>>> {
        // The message before this one has an owner by now.
        self.held.shrink_to(self.input.len());
        loop {
            if !self.hungry {
                match self.cut() {
                    // A message may live as long as its call, and must not keep a large buffer
                    // alive.
                    Ok(Some(message))
                        if self.allocated > READ && message.len() < self.allocated / SMALL_PART =>
                    {
                        return Poll::Ready(Some(Ok(Bytes::copy_from_slice(&message))));
                    }
                    Ok(Some(message)) => return Poll::Ready(Some(Ok(message))),
                    Ok(None) if self.ended => return Poll::Ready(None),
                    Ok(None) => self.hungry = true,
                    Err(error) => {
                        // A TLS client could not read an error response.
                        let tls = self.input.first() == Some(&0x16);
                        return Poll::Ready(Some(Err(wire_error(error, !tls))));
                    }
                }
            }
            let read = match self.input.is_empty() {
                true => ready!(self.poll_begin(cx)),
                false => ready!(self.poll_more(cx)),
            };
            match read {
                Ok(0) => self.ended = true,
                Ok(bytes) => self.traffic.received += bytes as u64,
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            self.hungry = false;
        }
    }

    fn send(&mut self, message: &mut Vec<u8>) {
        match self.framing {
            Framing::ContentLength => {
                let length = message.len();
                let piece = self.gather(32);
                let start = piece.len();
                // Writing to a `Vec` does not fail.
                let _ = write!(piece, "Content-Length: {length}\r\n\r\n");
                self.unwritten += piece.len() - start;
            }
            _ => {
                join_lines(message);
                message.push(b'\n');
            }
        }
        self.unwritten += message.len();
        if message.len() < GATHERED {
            self.gather(message.len()).extend_from_slice(message);
            message.clear();
        } else {
            // An empty chunk kept for reuse would come first.
            self.output.retain(|piece| !piece.is_empty());
            self.output.push_back(std::mem::take(message));
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unwritten > 0 {
            let bytes = ready!(self.poll_write(cx))?;
            if bytes == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.wrote(bytes);
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn unwritten(&self) -> usize {
        self.unwritten
    }

    fn held(&self) -> usize {
        self.unwritten + self.written
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn is_partial(&self) -> bool {
        self.decoder.is_partial(&self.input)
    }

    fn is_hung_up(&self) -> bool {
        self.stream.is_hung_up()
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: CloseReason) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        // Closing a socket with unread data sends a reset, and the peer could lose output that it
        // has not read yet.
        let mut rest = BytesMut::with_capacity(READ);
        while !self.ended && self.discarded < MAX_DISCARDED {
            let stream = Pin::new(&mut self.stream);
            let bytes = ready!(poll_read_buf(stream, cx, &mut rest))?;
            self.ended = bytes == 0;
            self.discarded += bytes;
            rest.clear();
        }
        Poll::Ready(Ok(()))
    }

    fn rest(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        if self.unwritten == 0 {
            self.output = VecDeque::new();
        }
    }
}

fn wire_error(error: FramingError, may_answer: bool) -> WireError {
    let close_reason = match error {
        FramingError::TooLong(_) => CloseReason::TooBig,
        _ => CloseReason::Protocol,
    };
    WireError {
        answered: error.is_answered() && may_answer,
        ..WireError::new(error.to_string(), close_reason)
    }
}
