//! Table of the peer's calls that wait for a method, and of the tasks that run them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};

use tokio::task::AbortHandle;

/// What runs for the peer.
#[derive(Default)]
pub(super) struct Running {
    pub(super) next: u64,
    pub(super) tasks: HashMap<u64, Task>,
    /// The ids of what runs. The peer chooses them, so they are hashed with keys of our own.
    pub(super) ids: HashMap<Box<[u8]>, Place>,
}

pub(super) struct Task {
    pub(super) abort: Option<AbortHandle>,
    pub(super) weight: usize,
    pub(super) ids: Vec<Box<[u8]>>,
}

/// Where the call of an id runs.
pub(super) enum Place {
    Task(u64),
    Batch(Arc<Cancels>),
}

/// A task that runs for the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ticket(pub(super) u64);

impl Running {
    pub(super) fn abort(self) {
        for abort in self.tasks.into_values().filter_map(|task| task.abort) {
            abort.abort();
        }
    }
}

/// The calls of one batch that are to be cancelled.
#[derive(Default)]
pub(crate) struct Cancels(Mutex<Cancelled>);

#[derive(Default)]
struct Cancelled {
    pub(super) ids: Vec<Box<[u8]>>,
    /// The batch, if it waits.
    pub(super) batch: Option<Waker>,
}

impl Cancels {
    pub(crate) fn cancel(&self, id: &[u8]) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.ids.push(id.into());
        let waker = inner.batch.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The ids that were cancelled since; the batch is woken by the next one.
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
