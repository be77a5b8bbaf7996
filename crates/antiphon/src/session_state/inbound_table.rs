//! Table of the peer's running calls, and of the tasks that run them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use tokio::task::AbortHandle;

/// The running tasks of the peer's calls.
#[derive(Default)]
pub(super) struct Running {
    pub(super) next: u64,
    pub(super) tasks: HashMap<u64, Task>,
    /// The ids of running calls. The peer chooses them, so the map uses the randomly keyed default
    /// hasher.
    pub(super) ids: HashMap<Box<[u8]>, Place>,
}

pub(super) struct Task {
    pub(super) abort: Option<AbortHandle>,
    pub(super) weight: usize,
    pub(super) ids: Vec<Box<[u8]>>,
}

/// Where the call with a given id runs.
pub(super) enum Place {
    Task(u64),
    Batch(Arc<Cancels>),
}

/// The key of a task that runs a call of the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ticket(pub(super) u64);

impl Running {
    pub(super) fn abort(self) {
        for abort in self.tasks.into_values().filter_map(|task| task.abort) {
            abort.abort();
        }
    }
}

/// The calls of one batch that the peer has cancelled.
#[derive(Default)]
pub(crate) struct Cancels(Mutex<Cancelled>);

#[derive(Default)]
struct Cancelled {
    pub(super) ids: Vec<Box<[u8]>>,
    /// The waker of the batch, if it is pending.
    pub(super) batch: Option<Waker>,
}

impl Cancels {
    pub(crate) fn cancel(&self, id: &[u8]) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A peer may say it again and again, while nobody takes it.
        if !inner.ids.iter().any(|known| **known == *id) {
            inner.ids.push(id.into());
        }
        let waker = inner.batch.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the ids cancelled since the last call, and registers the batch to be woken by the
    /// next.
    pub(crate) fn take(&self, cx: &Context<'_>) -> Vec<Box<[u8]>> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.batch = Some(cx.waker().clone());
        std::mem::take(&mut inner.ids)
    }
}

impl fmt::Debug for Cancels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancels")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_cancelled_again_and_again_is_held_once() {
        let cancels = Cancels::default();
        for _ in 0..1000 {
            cancels.cancel(b"1");
            cancels.cancel(b"2");
        }
        let ids = cancels.take(&Context::from_waker(Waker::noop()));
        assert_eq!(ids, [Box::from(&b"1"[..]), Box::from(&b"2"[..])]);
    }
}
