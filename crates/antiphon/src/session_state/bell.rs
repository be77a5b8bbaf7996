//! Bell of a session: wakes its task, and says for which streams.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The most woken streams for which a session keeps memory.
const KEPT: usize = 64;

/// The waker of the session's task, and the streams that want to be polled by it.
#[derive(Debug, Default)]
pub(super) struct Bell {
    /// Whether streams were woken. Can be read without the lock.
    rung: AtomicBool,
    inner: Mutex<Ringing>,
}

#[derive(Debug, Default)]
struct Ringing {
    task: Option<Waker>,
    woken: Vec<u64>,
}

impl Bell {
    /// Nothing but the task's own waker runs under this lock.
    fn lock(&self) -> MutexGuard<'_, Ringing> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the task for a stream.
    pub(super) fn ring(&self, key: u64) {
        let mut inner = self.lock();
        inner.woken.push(key);
        // If it has rung already, the task was woken before.
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Some(task) = &inner.task
        {
            task.wake_by_ref();
        }
    }

    pub(super) fn wake_task(&self) {
        if let Some(task) = &self.lock().task {
            task.wake_by_ref();
        }
    }

    pub(super) fn has_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    pub(super) fn take(&self, into: &mut VecDeque<u64>) {
        let mut inner = self.lock();
        self.rung.store(false, Ordering::Release);
        into.extend(inner.woken.drain(..));
        if inner.woken.capacity() > KEPT {
            inner.woken = Vec::new();
        }
    }

    pub(super) fn listen(&self, waker: &Waker) {
        match &mut self.lock().task {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    pub(super) fn take_task(&self) -> Option<Waker> {
        self.lock().task.take()
    }
}
