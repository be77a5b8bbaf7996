//! Socket of an HTTP client, which limits what a server sends beside content.
//!
//! hyper has no bound on informational responses, on zeros and spaces in the size of a chunk, or on
//! control frames of HTTP/2. A server could keep a client busy with them until the call's deadline.
//! So all bytes are counted where they are read, and have to be earned by responses.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::client::response_meter::ResponseMeter;
use crate::session::rate_budget::RateBudget;

/// Bytes without content that may come at once. More than what hyper reads ahead of the body's
/// reader, whose content is counted only when it is taken.
const BURST: usize = 256 * 1024;

/// Bytes without content that may come in each second beyond that: pings of idle connections, and
/// interim responses.
const PER_SECOND: usize = 16 * 1024;

/// The error of a server that sends too much beside content. Errors of HTTP/2 keep only the text.
const TOO_MUCH: &str = "it sends too much that is no content";

/// The HTTP version that a connection speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// A socket that fails when its server has sent too much beside content.
pub(super) struct MeteredSocket<S> {
    socket: S,
    meter: ResponseMeter,
    budget: RateBudget,
    /// The position in HTTP/2 frames; `None` for HTTP/1.
    frames: Option<FrameWalker>,
}

impl<S> MeteredSocket<S> {
    pub(super) fn new(socket: S, version: Version) -> Self {
        Self {
            socket,
            meter: ResponseMeter::default(),
            budget: RateBudget::new(BURST, PER_SECOND),
            frames: (version == Version::Http2).then(FrameWalker::default),
        }
    }

    /// The meter of this connection, for whoever reads its responses.
    pub(super) fn meter(&self) -> ResponseMeter {
        self.meter.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.socket).poll_read(cx, buffer))?;
        let come = buffer.filled().get(before..).unwrap_or_default();
        let cost = match &mut this.frames {
            // Content is earned back when it is taken.
            None => come.len(),
            // A stream may be reset before its content is taken, so content must not cost anything.
            Some(frames) => frames.cost(come),
        };
        let spent = this.budget.spend(cost, || this.meter.take());
        Poll::Ready(spent.map_err(|_| io::Error::new(io::ErrorKind::InvalidData, TOO_MUCH)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Why the connection was ended, if that is because the server has sent too much beside content.
pub(in crate::client) fn misbehaviour(
    error: &(dyn std::error::Error + 'static),
) -> Option<&'static str> {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.to_string() == TOO_MUCH)
        .then_some(TOO_MUCH)
}

/// The length of a frame's header (RFC 9113, section 4.1).
const HEADER: usize = 9;
/// The most padding of a frame, with its length.
const PADDING: usize = 256;
/// The type of frames with content, and the flag of padding.
const DATA: u8 = 0;
const PADDED: u8 = 8;

/// The position in a stream of HTTP/2 frames.
#[derive(Debug, Default)]
struct FrameWalker {
    header: [u8; HEADER],
    filled: usize,
    /// Remaining bytes of the payload.
    left: usize,
    is_data: bool,
}

impl FrameWalker {
    /// Counts the bytes that are no content.
    fn cost(&mut self, mut bytes: &[u8]) -> usize {
        let mut cost = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let count = bytes.len().min(self.left);
                self.left -= count;
                bytes = bytes.get(count..).unwrap_or_default();
                cost += if self.is_data { 0 } else { count };
                continue;
            }
            let room = self.header.get_mut(self.filled..).unwrap_or_default();
            let count = bytes.len().min(room.len());
            let (now, rest) = bytes.split_at(count);
            if let Some(room) = room.get_mut(..count) {
                room.copy_from_slice(now);
            }
            bytes = rest;
            cost += count;
            self.filled += count;
            if self.filled == HEADER {
                let [a, b, c, kind, flags, ..] = self.header;
                self.filled = 0;
                self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.is_data = kind == DATA;
                if self.is_data && flags & PADDED != 0 {
                    cost += PADDING.min(self.left);
                }
            }
        }
        cost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, 1];
        frame.resize(HEADER + payload, 0xff);
        frame
    }

    #[test]
    fn frames_cost_what_is_no_content_in_whatever_pieces_they_come() {
        let table = [
            (frame(DATA, 0, 70_000), 9),
            (frame(DATA, 0, 0), 9),
            (frame(DATA, PADDED, 10_000), 9 + 256),
            (frame(DATA, PADDED, 5), 9 + 5),
            // HEADERS, PING and one that nobody knows.
            (frame(1, 4, 300), 309),
            (frame(6, 0, 8), 17),
            (frame(0xee, 0xff, 1000), 1009),
        ];
        let (stream, costs): (Vec<_>, Vec<_>) = table.into_iter().unzip();
        let (stream, expected) = (stream.concat(), costs.iter().sum::<usize>());
        for piece in [1, 2, 7, 9, 10, 4096, stream.len()] {
            let mut walker = FrameWalker::default();
            let cost: usize = stream.chunks(piece).map(|part| walker.cost(part)).sum();
            assert_eq!(cost, expected, "in pieces of {piece}");
        }
    }

    /// Writes without end; returns how many bytes are read before the error.
    async fn read_all(piece: &[u8], version: Version, earn: impl Fn(&ResponseMeter)) -> usize {
        let (mut server, client) = tokio::io::duplex(4096);
        let piece = piece.to_vec();
        let flood = tokio::spawn(async move { while server.write_all(&piece).await.is_ok() {} });
        let mut socket = MeteredSocket::new(client, version);
        let mut read = 0;
        let mut room = [0; 4096];
        while read < 10 * BURST {
            match socket.read(&mut room).await {
                Ok(count) => read += count,
                Err(error) => {
                    assert_eq!(misbehaviour(&error), Some(TOO_MUCH));
                    break;
                }
            }
            earn(&socket.meter);
        }
        drop(socket);
        flood.await.unwrap();
        read
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_has_to_earn_its_bytes() {
        let data = frame(DATA, 0, 16_384);
        let small = frame(DATA, 0, 1);
        let ping = frame(6, 0, 8);
        let nothing = |_: &ResponseMeter| {};
        // The last column is the fewest and the most bytes.
        let all = 10 * BURST..10 * BURST + 4096;
        let burst = BURST - 4096..BURST + 1;
        let small_frames = BURST..BURST + BURST / 4;
        let table = [
            (
                &b"x"[..],
                Version::Http1,
                nothing as fn(&ResponseMeter),
                burst.clone(),
            ),
            (
                b"x",
                Version::Http1,
                |meter| meter.content(4096),
                all.clone(),
            ),
            (b"x", Version::Http1, |meter| meter.began(), all.clone()),
            (&ping, Version::Http2, nothing, burst),
            (&small, Version::Http2, nothing, small_frames),
            (&data, Version::Http2, nothing, all),
        ];
        for (row, (piece, version, earn, expected)) in table.into_iter().enumerate() {
            let read = read_all(piece, version, earn).await;
            assert!(expected.contains(&read), "row {row}: {read}");
        }
    }
}
