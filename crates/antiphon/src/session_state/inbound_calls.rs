//! Calls of the peer that are running: lookup by id, cancellation, and one response each.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use antiphon_proto::{ErrorCode, ErrorObject, message};
use tokio::task::AbortHandle;

use super::handle::{SessionHandle, State};
use super::inbound_table::{Cancels, Place, Task, Ticket};
use crate::memory_budget::Payload;
use crate::subscription::Opening;

impl SessionHandle {
    /// How many calls of the peer are running.
    pub(crate) fn running(&self) -> usize {
        self.0.running.load(Ordering::Relaxed)
    }

    /// Whether a call with this id is running.
    pub(crate) fn is_running(&self, id: &[u8]) -> bool {
        self.running() > 0 && self.lock().running.ids.contains_key(id)
    }

    /// Whether this task is still running.
    pub(crate) fn is_at_work(&self, ticket: Ticket) -> bool {
        self.lock().running.tasks.contains_key(&ticket.0)
    }

    /// Registers a task before it is spawned, with the ids of its calls. Calls of a batch are
    /// cancelled one by one, through its `cancels`.
    pub(crate) fn enter(
        &self,
        ids: Vec<Box<[u8]>>,
        cancels: Option<&Arc<Cancels>>,
        weight: usize,
    ) -> Ticket {
        self.0.running.fetch_add(weight, Ordering::Relaxed);
        let mut state = self.lock();
        let running = &mut state.running;
        let serial = running.next;
        running.next += 1;
        for id in &ids {
            let place = match cancels {
                Some(cancels) => Place::Batch(Arc::clone(cancels)),
                None => Place::Task(serial),
            };
            running.ids.insert(id.clone(), place);
        }
        let abort = None;
        running.tasks.insert(serial, Task { abort, weight, ids });
        Ticket(serial)
    }

    /// Stores the abort handle of a task, unless it has finished already. If the session is over,
    /// the task is aborted at once.
    pub(crate) fn attach(&self, ticket: Ticket, abort: AbortHandle) {
        let mut state = self.lock();
        let over = state.end.is_some();
        match state.running.tasks.get_mut(&ticket.0) {
            Some(task) => task.abort = Some(abort),
            None if over => abort.abort(),
            None => {}
        }
    }

    /// Finishes a task: posts its response and starts the streams that it has opened. Does nothing
    /// if the task was cancelled before.
    pub(crate) fn finish(&self, ticket: Ticket, text: Option<Payload>, streams: Vec<Opening>) {
        let late = self.change(|state| {
            if !self.leave(state, ticket.0) {
                return streams;
            }
            if let Some(text) = text {
                self.put(state, text);
            }
            self.begin_queues(state, streams)
        });
        // Outside of the lock: dropping a stream runs user code.
        drop(late);
    }

    /// Removes a task; returns `false` if it was not there.
    fn leave(&self, state: &mut State, serial: u64) -> bool {
        let Some(task) = state.running.tasks.remove(&serial) else {
            return false;
        };
        for id in &task.ids {
            state.running.ids.remove(id);
        }
        self.0.running.fetch_sub(task.weight, Ordering::Relaxed);
        true
    }

    /// Cancels a running call and answers it, unless its caller expects no answer; returns `false` if no running call has this id.
    pub(crate) fn cancel(&self, id: &[u8]) -> bool {
        let mut state = self.lock();
        let serial = match state.running.ids.get(id) {
            None => return false,
            Some(Place::Batch(cancels)) => {
                let cancels = Arc::clone(cancels);
                drop(state);
                cancels.cancel(id);
                return true;
            }
            Some(Place::Task(serial)) => *serial,
        };
        let task = state.running.tasks.get_mut(&serial);
        let abort = task.and_then(|task| task.abort.take());
        self.leave(&mut state, serial);
        drop(state);
        // Outside of the lock: dropping the method's future runs user code.
        if let Some(abort) = abort {
            abort.abort();
        }
        if self.speaks_mcp() {
            return true;
        }
        let mut text = Vec::new();
        message::write_error(&mut text, id, &ErrorObject::of(ErrorCode::CANCELLED));
        self.post(text);
        true
    }
}
