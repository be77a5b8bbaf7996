//! Standard input and output of this process, as one byte stream.
//!
//! The rest of the program loses access to them: from then on standard output is redirected to
//! standard error, so that a stray `println!` cannot corrupt a message, and standard input is
//! empty.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::thread;

use bytes::{Buf as _, Bytes};
use rustix::io::fcntl_dupfd_cloexec;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

use crate::transport::byte_stream::Socket;

/// The size of a read, and how many chunks may wait in the channel.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 2;

/// Standard input and output.
#[derive(Debug)]
pub(crate) struct Stdio {
    input: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
    /// Written in blocking threads, since it may be a regular file.
    output: tokio::fs::File,
}

impl Socket for Stdio {}

/// Takes over both. Works once per process.
pub(crate) fn take() -> io::Result<Stdio> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::SeqCst) {
        let text = "standard input and output are served already";
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, text));
    }
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let (input, output) = (private(stdin.as_fd())?, private(stdout.as_fd())?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    join(input, output)
}

/// Duplicates a descriptor with `CLOEXEC`, so that child processes do not inherit it.
fn private(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(fcntl_dupfd_cloexec(fd, 3)?)
}

fn join(input: OwnedFd, output: OwnedFd) -> io::Result<Stdio> {
    let (pieces, received) = mpsc::channel(PIECES);
    // A detached thread: a blocking read from a terminal or pipe cannot be cancelled, and in a
    // thread of the runtime it would delay the exit of the program.
    thread::Builder::new()
        .name("antiphon-stdin".to_owned())
        .spawn(move || read(File::from(input), &pieces))?;
    Ok(Stdio {
        input: received,
        rest: Bytes::new(),
        output: File::from(output).into(),
    })
}

fn read(mut input: File, pieces: &mpsc::Sender<io::Result<Bytes>>) {
    let mut buffer = vec![0; PIECE];
    loop {
        let piece = match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => Ok(Bytes::copy_from_slice(&buffer[..length])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
        let last = piece.is_err();
        if pieces.blocking_send(piece).is_err() || last {
            return;
        }
    }
}

impl AsyncRead for Stdio {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.input.poll_recv(cx)) {
                Some(piece) => self.rest = piece?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..length]);
        self.rest.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stdio {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.output).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.output).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn pipes_and_files_are_read_and_written() {
        let (from, mut to_us) = io::pipe().unwrap();
        let (mut to, ours) = io::pipe().unwrap();
        let mut stdio = join(from.into(), ours.into()).unwrap();
        to_us.write_all(b"ping").unwrap();
        let mut said = [0; 4];
        stdio.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"ping");
        stdio.write_all(b"pong").await.unwrap();
        stdio.flush().await.unwrap();
        to.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"pong");
        drop(to_us);
        assert_eq!(stdio.read(&mut said).await.unwrap(), 0);
    }
}
