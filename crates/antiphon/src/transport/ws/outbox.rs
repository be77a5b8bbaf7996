//! Outgoing frames of one connection, collected so that many leave in one system call.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// Small frames share a chunk of about this many bytes. Larger messages are not copied.
const PIECE: usize = 16 * 1024;
/// Initial capacity of a chunk.
const FIRST: usize = 1024;
/// The most chunks in one vectored write.
const AT_ONCE: usize = 16;
/// A written chunk is kept for reuse up to this capacity.
const KEPT: usize = 8 * 1024;

/// Buffer of whole frames, in chunks. The session bounds its length: it stops producing responses
/// while too much is unwritten.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that have been written.
    gone: usize,
    /// Bytes that have not been written.
    left: usize,
    unflushed: bool,
}

impl Outbox {
    pub(super) fn unwritten(&self) -> usize {
        self.left
    }

    /// Bytes of the chunks that hold them.
    pub(super) fn held(&self) -> usize {
        self.left + self.gone
    }

    #[cfg(test)]
    pub(super) fn holds_nothing(&self) -> bool {
        self.pieces.capacity() == 0
    }

    /// Appends a copy of the bytes.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.left += bytes.len();
        match self.pieces.back_mut() {
            Some(last) if last.len() + bytes.len() <= PIECE => last.extend_from_slice(bytes),
            _ => {
                let mut piece = Vec::with_capacity(bytes.len().max(FIRST));
                piece.extend_from_slice(bytes);
                self.pieces.push_back(piece);
            }
        }
    }

    /// Takes the bytes of a message; those of a large message are moved, not copied.
    pub(super) fn take(&mut self, message: &mut Vec<u8>) {
        if message.len() < PIECE {
            self.append(message);
            message.clear();
        } else {
            self.left += message.len();
            self.pieces.push_back(std::mem::take(message));
        }
    }

    /// Writes and flushes everything. Adds the number of written bytes to `written`, also when it
    /// returns `Pending`.
    pub(super) fn poll_write<S>(
        &mut self,
        cx: &mut Context<'_>,
        mut stream: Pin<&mut S>,
        written: &mut u64,
    ) -> Poll<io::Result<()>>
    where
        S: AsyncWrite,
    {
        while self.left > 0 {
            let count = ready!(self.poll_some(cx, stream.as_mut()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *written += count as u64;
            self.unflushed = true;
            self.forget(count);
        }
        if self.unflushed {
            ready!(stream.poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_some<S: AsyncWrite>(
        &self,
        cx: &mut Context<'_>,
        stream: Pin<&mut S>,
    ) -> Poll<io::Result<usize>> {
        let mut pieces = self.pieces.iter();
        let first = pieces.next().map_or(&[][..], Vec::as_slice);
        let first = first.get(self.gone..).unwrap_or_default();
        if self.pieces.len() == 1 || !stream.is_write_vectored() {
            return stream.poll_write(cx, first);
        }
        let mut slices = [IoSlice::new(&[]); AT_ONCE];
        let bytes = std::iter::once(first).chain(pieces.map(Vec::as_slice));
        let mut used = 0;
        for (slice, bytes) in slices.iter_mut().zip(bytes) {
            *slice = IoSlice::new(bytes);
            used += 1;
        }
        stream.poll_write_vectored(cx, slices.get(..used).unwrap_or_default())
    }

    /// Removes what has been written. The last chunk is kept empty for reuse.
    fn forget(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
        self.gone += count;
        loop {
            let is_last = self.pieces.len() == 1;
            let Some(first) = self.pieces.front_mut() else {
                return;
            };
            if self.gone < first.len() {
                return;
            }
            self.gone -= first.len();
            if is_last && first.capacity() <= KEPT {
                first.clear();
                return;
            }
            self.pieces.pop_front();
        }
    }

    /// Frees the memory if nothing is unwritten.
    pub(super) fn rest(&mut self) {
        if self.left == 0 {
            self.pieces = VecDeque::new();
            self.gone = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn everything_leaves_in_order_whatever_its_size() {
        let mut outbox = Outbox::default();
        let mut expected = Vec::new();
        for (at, size) in [3, 0, 16_383, 10, 16_384, 1, 200_000, 70, 16_000, 900]
            .into_iter()
            .enumerate()
        {
            let mut message = vec![at as u8; size];
            expected.extend_from_slice(&message);
            outbox.take(&mut message);
            assert!(message.is_empty());
        }
        assert_eq!(outbox.unwritten(), expected.len());

        let (mut near, mut far) = tokio::io::duplex(1000);
        let reading = tokio::spawn(async move {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            all
        });
        let mut written = 0;
        poll_fn(|cx| outbox.poll_write(cx, Pin::new(&mut near), &mut written))
            .await
            .unwrap();
        drop(near);
        assert!(reading.await.unwrap() == expected);
        assert_eq!(written, expected.len() as u64);
        assert_eq!(outbox.unwritten(), 0);
        let kept: usize = outbox.pieces.iter().map(Vec::capacity).sum();
        assert!(kept <= KEPT, "{kept}");
    }

    #[tokio::test]
    async fn a_piece_that_was_written_is_used_again() {
        let mut outbox = Outbox::default();
        let mut sink = tokio::io::sink();
        let mut written = 0;
        for round in 1..=3 {
            outbox.take(&mut vec![7; 100]);
            outbox.take(&mut vec![7; 100]);
            poll_fn(|cx| outbox.poll_write(cx, Pin::new(&mut sink), &mut written))
                .await
                .unwrap();
            assert_eq!(written, round * 200);
            assert_eq!(outbox.pieces.len(), 1);
            assert_eq!(outbox.gone, 0);
        }
        outbox.rest();
        assert_eq!(outbox.pieces.capacity(), 0);
    }
}
