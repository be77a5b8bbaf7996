//! In-memory connection: messages are passed whole and without a copy.
//!
//! Like a socket it has a limited capacity. What the peer does not read waits on the sending side,
//! where the session counts it, so backpressure works as on a socket.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::identity::Principal;
use crate::session::{CloseReason, Traffic, Wire, WireError};

/// The most bytes in one direction; a longer message is accepted when the pipe is empty.
const CAPACITY: usize = 64 * 1024;

/// Creates two wires that are connected to each other.
pub(crate) fn pair() -> (MemoryWire, MemoryWire) {
    let (one, other) = (Arc::<Pipe>::default(), Arc::<Pipe>::default());
    let wire = |incoming: &Arc<Pipe>, outgoing: &Arc<Pipe>| MemoryWire {
        incoming: Arc::clone(incoming),
        outgoing: Arc::clone(outgoing),
        waiting: VecDeque::new(),
        unwritten: 0,
        next: None,
        last: None,
        traffic: Traffic::default(),
    };
    (wire(&one, &other), wire(&other, &one))
}

/// One end of an in-memory connection.
#[derive(Debug)]
pub(crate) struct MemoryWire {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    waiting: VecDeque<Message>,
    unwritten: usize,
    /// On whose behalf the next message is sent.
    next: Option<Box<Principal>>,
    /// On whose behalf the last message was received.
    last: Option<Box<Principal>>,
    traffic: Traffic,
}

/// A message, and on whose behalf it is sent if that was said.
#[derive(Debug)]
struct Message {
    text: Bytes,
    principal: Option<Box<Principal>>,
}

/// One direction of the connection.
#[derive(Debug, Default)]
struct Pipe(Mutex<Flow>);

#[derive(Debug, Default)]
struct Flow {
    messages: VecDeque<Message>,
    bytes: usize,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the pipe; messages already in it can still be received.
    fn close(&self) {
        let mut flow = self.lock();
        flow.closed = true;
        let wake = [flow.reader.take(), flow.writer.take()];
        drop(flow);
        wake.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Wire for MemoryWire {
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, WireError>>> {
        let mut flow = self.incoming.lock();
        let Some(message) = flow.messages.pop_front() else {
            if flow.closed {
                return Poll::Ready(None);
            }
            flow.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let Message { text, principal } = message;
        flow.bytes -= text.len();
        self.traffic.received += text.len() as u64;
        let writer = flow.writer.take();
        drop(flow);
        if let Some(writer) = writer {
            writer.wake();
        }
        self.last = principal;
        Poll::Ready(Some(Ok(text)))
    }

    fn set_principal(&mut self, principal: Option<Box<Principal>>) {
        self.next = principal;
    }

    fn take_principal(&mut self) -> Option<Box<Principal>> {
        self.last.take()
    }

    fn send(&mut self, message: &mut Vec<u8>) {
        self.unwritten += message.len();
        self.waiting.push_back(Message {
            text: std::mem::take(message).into(),
            principal: self.next.take(),
        });
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waiting.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut flow = self.outgoing.lock();
        if flow.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        while let Some(message) = self.waiting.front() {
            let length = message.text.len();
            if flow.bytes > 0 && flow.bytes + length > CAPACITY {
                break;
            }
            flow.bytes += length;
            self.unwritten -= length;
            self.traffic.written += length as u64;
            flow.messages.extend(self.waiting.pop_front());
        }
        let done = self.waiting.is_empty();
        if !done {
            flow.writer = Some(cx.waker().clone());
        }
        let reader = flow.reader.take();
        drop(flow);
        if let Some(reader) = reader {
            reader.wake();
        }
        match done {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn unwritten(&self) -> usize {
        self.unwritten
    }

    fn traffic(&self) -> Traffic {
        self.traffic
    }

    fn is_partial(&self) -> bool {
        false
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: CloseReason) -> Poll<io::Result<()>> {
        let flushed = self.poll_flush(cx);
        if flushed.is_ready() {
            self.outgoing.close();
        }
        flushed
    }
}

impl Drop for MemoryWire {
    fn drop(&mut self) {
        self.incoming.close();
        self.outgoing.close();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn what_is_not_taken_waits_on_the_side_that_sent_it() {
        let (mut one, mut other) = pair();
        for _ in 0..10 {
            one.send(&mut vec![b'x'; CAPACITY / 4]);
        }
        let flushed = poll_fn(|cx| Poll::Ready(one.poll_flush(cx).is_ready())).await;
        assert!(!flushed);
        assert_eq!(one.unwritten(), 6 * CAPACITY / 4);
        for left in (0..6).rev() {
            let message = poll_fn(|cx| other.poll_receive(cx)).await.unwrap().unwrap();
            assert_eq!(message.len(), CAPACITY / 4);
            let _ = poll_fn(|cx| Poll::Ready(one.poll_flush(cx).is_ready())).await;
            assert_eq!(one.unwritten(), left * CAPACITY / 4);
        }
        drop(one);
        for _ in 0..4 {
            assert!(poll_fn(|cx| other.poll_receive(cx)).await.is_some());
        }
        assert!(poll_fn(|cx| other.poll_receive(cx)).await.is_none());
        other.send(&mut vec![1]);
        assert!(poll_fn(|cx| other.poll_flush(cx)).await.is_err());
    }
}
