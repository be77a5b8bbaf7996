//! Channel for topics between a worker and its supervisor: bytes in both directions on a socket pair.
//!
//! It is not the control channel, whose heartbeats and commands would wait behind items.

use std::io;
use std::os::unix::net::UnixStream as Socket;
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::net::UnixStream;

use crate::topic::link::buffer::{Frames, Malformed};
use crate::topic::link::worker_end::Link;

/// How often a task reads or writes without letting others run.
const STEPS: usize = 8;

/// How many messages it takes note of before others run. Each may put an item into the queues of all
/// subscribers, which have to take them out before these are full, at 256 items by default.
const MESSAGES: usize = 64;

/// The capacity beyond which an empty buffer gives its memory back.
const KEPT: usize = 256 * 1024;

/// What speaks over a channel.
pub(super) trait End {
    /// Writes what is to be sent, or wakes the task when there is something.
    fn poll_write(&self, cx: &Context<'_>, out: &mut Vec<u8>);

    /// Takes note of a message.
    ///
    /// # Errors
    ///
    /// If it is none. The channel ends.
    fn receive(&self, message: &[u8]) -> Result<(), Malformed>;
}

impl End for Link {
    fn poll_write(&self, cx: &Context<'_>, out: &mut Vec<u8>) {
        Self::poll_write(self, cx, out);
    }

    fn receive(&self, message: &[u8]) -> Result<(), Malformed> {
        Self::receive(self, message)
    }
}

/// A socket, and what is on its way in it.
struct Channel {
    stream: UnixStream,
    input: Frames,
    output: Vec<u8>,
    /// The part of the output that is sent.
    sent: usize,
    /// Whether the other end takes anything. What it has sent before is read to the end.
    is_open: bool,
}

/// Carries messages in both directions until the other end closes the channel.
///
/// # Errors
///
/// Those of the socket, or `InvalidData` if the other end sends what is no message.
pub(super) async fn carry(stream: Socket, end: &impl End) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let channel = Channel {
        stream: UnixStream::from_std(stream)?,
        input: Frames::default(),
        output: Vec::new(),
        sent: 0,
        is_open: true,
    };
    let mut channel = pin!(channel);
    std::future::poll_fn(|cx| channel.poll(cx, end)).await
}

impl Channel {
    fn poll(&mut self, cx: &mut Context<'_>, end: &impl End) -> Poll<io::Result<()>> {
        let mut left = MESSAGES;
        for _ in 0..STEPS {
            let has_written = self.poll_write(cx, end);
            if !self.take(&mut left, end)? {
                break;
            }
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if has_written => {}
                Poll::Pending => return Poll::Pending,
            }
        }
        // The runtime polls what was woken before this again.
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes note of the messages that were read, up to `left`. Returns whether these were all.
    fn take(&mut self, left: &mut usize, end: &impl End) -> io::Result<bool> {
        while *left > 0 {
            let Some(message) = self.input.next().map_err(invalid)? else {
                return Ok(true);
            };
            end.receive(message).map_err(invalid)?;
            *left -= 1;
        }
        Ok(false)
    }

    /// Returns whether something was sent; if not, the task is woken when it can be.
    fn poll_write(&mut self, cx: &mut Context<'_>, end: &impl End) -> bool {
        let mut has_written = false;
        while self.is_open {
            if self.output.len() == self.sent {
                self.sent = 0;
                self.output.clear();
                if self.output.capacity() > KEPT {
                    self.output = Vec::new();
                }
                end.poll_write(cx, &mut self.output);
            }
            let rest = self.output.get(self.sent..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            match self.stream.poll_write_ready(cx) {
                Poll::Pending => break,
                Poll::Ready(Err(_)) => self.close(),
                Poll::Ready(Ok(())) => match self.stream.try_write(rest) {
                    Ok(count) => {
                        self.sent += count;
                        has_written = true;
                        if count == rest.len() {
                            // What comes in has its turn.
                            break;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => self.close(),
                },
            }
        }
        has_written
    }

    fn close(&mut self) {
        self.is_open = false;
        self.output = Vec::new();
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            std::task::ready!(self.stream.poll_read_ready(cx))?;
            let count = match self.stream.try_read(self.input.room()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                count => count?,
            };
            self.input.filled(count);
            return Poll::Ready(Ok(count));
        }
    }
}

fn invalid(_: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "that is no message")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write as _;

    use super::*;

    /// Counts messages.
    #[derive(Default)]
    struct Counting(Cell<usize>);

    impl End for Counting {
        fn poll_write(&self, _: &Context<'_>, _: &mut Vec<u8>) {}

        fn receive(&self, _: &[u8]) -> Result<(), Malformed> {
            self.0.set(self.0.get() + 1);
            Ok(())
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn others_run_after_a_few_messages_however_many_were_read() {
        const ALL: usize = 5000;
        let (mut ours, theirs) = Socket::pair().unwrap();
        ours.write_all(&[1, 0, 0, 0, 7].repeat(ALL)).unwrap();
        drop(ours);
        let end = Counting::default();
        let mut carried = pin!(carry(theirs, &end));
        let mut counts = Vec::new();
        let one_by_one = std::future::poll_fn(|cx| {
            let polled = carried.as_mut().poll(cx);
            counts.push(end.0.replace(0));
            polled
        });
        one_by_one.await.unwrap();
        assert_eq!(counts.iter().sum::<usize>(), ALL);
        let most = counts.iter().max();
        assert_eq!(most, Some(&MESSAGES), "{counts:?}");
    }
}
