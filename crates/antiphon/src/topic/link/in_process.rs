//! Both ends of the channel of topics in one process.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use super::super::hub::exchange::Hub;
use super::buffer::{Frames, Malformed};
use super::worker_end::Link;

/// A hub for several tasks.
pub(crate) type SharedHub = Arc<Mutex<Hub>>;

/// How often both ends have their turn before others run.
const STEPS: usize = 8;

/// Carries messages between topics and their hub, as long as it runs. Then the topics are cut off.
///
/// # Errors
///
/// If one end does not understand the other, which is a fault of this program.
pub(crate) async fn join(link: &Link, hub: &SharedHub) -> Malformed {
    let peer = lock(hub).connect();
    let mut channel = Channel {
        link,
        hub,
        peer,
        output: Vec::new(),
        to_hub: Frames::default(),
        to_link: Frames::default(),
    };
    let fault = poll_fn(|cx| channel.poll(cx)).await;
    lock(hub).disconnect(peer);
    fault
}

/// The hub, also after a panic under its lock.
pub(crate) fn lock(hub: &SharedHub) -> std::sync::MutexGuard<'_, Hub> {
    hub.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Channel<'a> {
    link: &'a Link,
    hub: &'a SharedHub,
    peer: u64,
    output: Vec<u8>,
    to_hub: Frames,
    to_link: Frames,
}

impl Channel<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Malformed> {
        for _ in 0..STEPS {
            match self.step(cx) {
                Ok(true) => {}
                Ok(false) => return Poll::Pending,
                Err(fault) => return Poll::Ready(fault),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Carries what both ends have to say. Returns whether there was anything; if not, the task is woken
    /// when there is.
    fn step(&mut self, cx: &Context<'_>) -> Result<bool, Malformed> {
        self.output.clear();
        self.link.poll_write(cx, &mut self.output);
        let has_asked = !self.output.is_empty();
        self.to_hub.add(&self.output);
        while let Some(message) = self.to_hub.next()? {
            lock(self.hub).receive(self.peer, message)?;
        }
        self.output.clear();
        lock(self.hub).poll_write(self.peer, cx, &mut self.output);
        let has_answered = !self.output.is_empty();
        self.to_link.add(&self.output);
        while let Some(message) = self.to_link.next()? {
            self.link.receive(message)?;
        }
        Ok(has_asked || has_answered)
    }
}
