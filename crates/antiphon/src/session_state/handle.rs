//! Handle of a session: the outbox, backpressure, and the end.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use super::bell::Bell;
use super::end::End;
use super::inbound_table::Running;
use super::limits::{ConnectionLimits, Dialect};
use super::outbound_table::Calls;
use super::publisher_queues::{Arrivals, ItemQueues, Outgoing};
use super::subscriber_queues::Inboxes;
use crate::identity::Principal;
use crate::memory_budget::{Account, Payload};
use crate::subscription::unguessable;

/// A handle of a session. Cheap to clone; it does not keep the session alive.
#[derive(Clone)]
pub(crate) struct SessionHandle(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) limits: Arc<ConnectionLimits>,
    /// What is held for the peer.
    pub(super) memory: Arc<Account>,
    /// Whether it is a connection on which both sides send messages at any time. If not, it is one
    /// response, and what follows it.
    pub(super) duplex: bool,
    /// What the ids of our calls begin with, where nobody may guess them.
    pub(super) prefix: OnceLock<String>,
    pub(super) state: Mutex<State>,
    /// Whether the task has something to fetch. Can be read without the lock.
    pub(super) mail: AtomicBool,
    /// What wakes the task. It has a lock of its own, because streams are woken at any time, also while
    /// the state is locked.
    pub(super) bell: Arc<Bell>,
    /// Bytes in the outbox.
    pub(super) posted: AtomicUsize,
    /// Bytes that the task has taken and not written yet, as of its last report.
    pub(super) taken: AtomicUsize,
    /// Running calls of the peer; a batch counts as the number of calls that it may run
    /// concurrently.
    pub(super) running: AtomicUsize,
    /// Subscriptions of the peer, including those that are about to begin.
    pub(super) subscriptions: AtomicUsize,
    /// Whether the session is to end when everything is written.
    pub(super) closing: AtomicBool,
    /// Whether a task waits for room.
    pub(super) crowded: AtomicBool,
    /// Whether a task waits for its message to be written.
    pub(super) watched: AtomicBool,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) outbox: VecDeque<Outgoing>,
    /// Wakers of tasks that wait for room.
    pub(super) room: Vec<Waker>,
    /// How many messages were posted, taken by the session's task, and written, in total.
    pub(super) serial: Serial,
    /// Wakers of tasks that wait until everything up to a message is written.
    pub(super) flushed: Vec<(u64, Waker)>,
    pub(super) calls: Calls,
    pub(super) running: Running,
    pub(super) queues: ItemQueues,
    pub(super) inboxes: Inboxes,
    pub(super) end: Option<Arc<End>>,
}

impl State {
    pub(super) fn waits_for_room(&mut self, cx: &Context<'_>) {
        let waker = cx.waker();
        if !self.room.iter().any(|known| known.will_wake(waker)) {
            self.room.push(waker.clone());
        }
    }
}

#[derive(Default)]
pub(super) struct Serial {
    pub(super) posted: u64,
    pub(super) taken: u64,
    pub(super) written: u64,
}

impl SessionHandle {
    pub(crate) fn new(limits: Arc<ConnectionLimits>, memory: &Arc<Account>, duplex: bool) -> Self {
        Self(Arc::new(Inner {
            limits,
            memory: Arc::clone(memory),
            duplex,
            prefix: OnceLock::new(),
            state: Mutex::default(),
            mail: AtomicBool::new(false),
            bell: Arc::default(),
            posted: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            subscriptions: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            crowded: AtomicBool::new(false),
            watched: AtomicBool::new(false),
        }))
    }

    /// Whether both are handles of one session.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether the peer can be called: on a connection of both, or if it answers with requests of its
    /// own.
    pub(crate) fn can_be_called(&self) -> bool {
        self.0.duplex || self.0.limits.unguessable_ids
    }

    /// Whether it is a connection on which both sides send messages at any time.
    pub(crate) fn is_duplex(&self) -> bool {
        self.0.duplex
    }

    /// Whether the peer speaks the Model Context Protocol.
    pub(crate) fn speaks_mcp(&self) -> bool {
        self.0.limits.dialect == Dialect::Mcp
    }

    /// What the ids of our calls begin with, where nobody may guess them.
    pub(crate) fn call_prefix(&self) -> &str {
        self.0.prefix.get_or_init(unguessable)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the session's task.
    pub(super) fn change<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let result = f(&mut self.lock());
        self.notify();
        result
    }

    /// Wakes the session's task. If there was mail already, it was woken before.
    pub(super) fn notify(&self) {
        if !self.0.mail.swap(true, Ordering::AcqRel) {
            self.0.bell.wake_task();
        }
    }

    pub(super) fn put(&self, state: &mut State, payload: impl Into<Payload>) -> u64 {
        self.put_for(None, state, payload)
    }

    /// Puts a message into the outbox that is sent on behalf of somebody else.
    pub(super) fn put_for(
        &self,
        principal: Option<Box<Principal>>,
        state: &mut State,
        payload: impl Into<Payload>,
    ) -> u64 {
        state.serial.posted += 1;
        if state.end.is_none() {
            let payload = payload.into();
            self.0.posted.fetch_add(payload.len(), Ordering::Relaxed);
            state.outbox.push_back(Outgoing {
                payload,
                event: None,
                principal,
            });
        }
        state.serial.posted
    }

    /// Puts a message into the outbox. If the session is over, the message is dropped.
    pub(crate) fn post(&self, message: impl Into<Payload>) {
        self.change(|state| self.put(state, message));
    }

    /// Why the session is over, if it is.
    pub(crate) fn end(&self) -> Option<Arc<End>> {
        self.lock().end.clone()
    }

    /// How many messages were handed to the transport.
    pub(crate) fn sent(&self) -> u64 {
        self.lock().serial.taken
    }

    /// Bytes that are posted or taken, and not written yet.
    pub(super) fn unwritten(&self) -> usize {
        let posted = self.0.posted.load(Ordering::Relaxed);
        posted.saturating_add(self.0.taken.load(Ordering::Relaxed))
    }

    /// Whether the unwritten bytes are within the limit.
    pub(super) fn has_room(&self) -> bool {
        self.unwritten() <= self.0.limits.max_unwritten
    }

    /// Waits until more output may be produced. Also ready when the session is over.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.has_room() {
            return Poll::Ready(());
        }
        let mut state = self.lock();
        if state.end.is_some() {
            return Poll::Ready(());
        }
        self.0.crowded.store(true, Ordering::Release);
        state.waits_for_room(cx);
        // Check again: the task may have flushed just before `crowded` was set.
        match self.has_room() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Waits until a message is written to the socket. `false` if it never will be.
    pub(crate) fn poll_written(&self, serial: u64, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        if state.serial.written >= serial {
            return Poll::Ready(true);
        }
        if state.end.is_some() {
            return Poll::Ready(false);
        }
        state
            .flushed
            .retain(|(_, waker)| !waker.will_wake(cx.waker()));
        state.flushed.push((serial, cx.waker().clone()));
        self.0.watched.store(true, Ordering::Release);
        Poll::Pending
    }

    /// Closes the session when everything posted is written.
    pub(crate) fn shut_down(&self) {
        self.0.closing.store(true, Ordering::Release);
        self.notify();
    }

    /// Ends the session: pending calls fail, tasks are aborted, and all waiting tasks are woken.
    /// The first reason wins.
    pub(crate) fn close(&self, end: End) -> Arc<End> {
        let mut state = self.lock();
        if let Some(end) = &state.end {
            return Arc::clone(end);
        }
        let end = Arc::new(end);
        state.end = Some(Arc::clone(&end));
        state.outbox = VecDeque::new();
        self.0.posted.store(0, Ordering::Relaxed);
        self.0.taken.store(0, Ordering::Relaxed);
        let sent = state.serial.taken;
        let calls = std::mem::take(&mut state.calls);
        let running = std::mem::take(&mut state.running);
        let queues = std::mem::take(&mut state.queues);
        let inboxes = std::mem::take(&mut state.inboxes);
        let mut wake = std::mem::take(&mut state.room);
        wake.extend(state.flushed.drain(..).map(|(_, waker)| waker));
        drop(state);
        wake.extend(self.0.bell.take_task());
        // Outside of the lock: what is dropped here may hold handles of this session.
        calls.lose(sent, &end);
        running.abort();
        queues.abort();
        inboxes.lose(&end);
        self.0.running.store(0, Ordering::Relaxed);
        wake.into_iter().for_each(Waker::wake);
        end
    }
}

/// Methods for the session's task only.
impl SessionHandle {
    /// Registers the waker of the task, which is woken when there is something to fetch.
    pub(crate) fn listen(&self, waker: &Waker) {
        self.0.bell.listen(waker);
    }

    /// Whether there is something to fetch, or a stream to be polled.
    pub(crate) fn has_news(&self) -> bool {
        self.has_mail() || self.0.bell.has_rung()
    }

    /// Whether there is something to fetch.
    pub(crate) fn has_mail(&self) -> bool {
        self.0.mail.load(Ordering::Acquire)
    }

    /// Takes the keys of the streams that were woken.
    pub(crate) fn take_woken(&self, into: &mut VecDeque<u64>) {
        if self.0.bell.has_rung() {
            self.0.bell.take(into);
        }
    }

    /// Takes the posted messages, items of subscriptions up to about `room` bytes, and the streams that
    /// have come and gone. Returns whether more items are queued.
    pub(crate) fn fetch(
        &self,
        room: usize,
        into: &mut VecDeque<Outgoing>,
        arrivals: &mut Arrivals,
    ) -> bool {
        self.0.mail.store(false, Ordering::Release);
        let mut state = self.lock();
        let state = &mut *state;
        arrivals.append(&mut state.queues.arrivals);
        into.append(&mut state.outbox);
        self.0.posted.store(0, Ordering::Relaxed);
        state.serial.taken = state.serial.posted;
        state.queues.take(room, into)
    }

    /// Reports how many of the fetched bytes are still unwritten.
    pub(crate) fn wrote(&self, left: usize) {
        self.0.taken.store(left, Ordering::Relaxed);
        if self.0.crowded.load(Ordering::Acquire) && self.has_room() {
            self.0.crowded.store(false, Ordering::Release);
            let waiting = std::mem::take(&mut self.lock().room);
            waiting.into_iter().for_each(Waker::wake);
        }
        if left == 0 && self.0.watched.load(Ordering::Acquire) {
            let mut state = self.lock();
            state.serial.written = state.serial.taken;
            let written = state.serial.written;
            let (done, waiting) = std::mem::take(&mut state.flushed)
                .into_iter()
                .partition::<Vec<_>, _>(|(serial, _)| *serial <= written);
            state.flushed = waiting;
            if state.flushed.is_empty() {
                self.0.watched.store(false, Ordering::Release);
            }
            drop(state);
            done.into_iter().for_each(|(_, waker)| waker.wake());
        }
    }

    /// Whether the session is to end when everything is written, and nothing new was posted.
    pub(crate) fn is_closing(&self) -> bool {
        self.0.closing.load(Ordering::Acquire) && !self.has_mail()
    }

    /// Whether calls of ours are pending, or subscriptions of either side are open.
    pub(crate) fn is_busy(&self) -> bool {
        if self.0.subscriptions.load(Ordering::Relaxed) > 0 {
            return true;
        }
        let state = self.lock();
        !state.calls.is_empty() || !state.queues.is_empty() || !state.inboxes.is_empty()
    }

    /// Whether a subscription of the peer has come to its end by itself.
    pub(crate) fn has_completed(&self) -> bool {
        self.lock().queues.has_completed
    }

    /// The most responses that one message of the peer may hold.
    pub(crate) fn largest_batch(&self) -> usize {
        self.lock().calls.largest()
    }

    /// Whether calls to this peer are pending.
    pub(crate) fn awaits_answers(&self) -> bool {
        !self.lock().calls.is_empty()
    }
}

impl fmt::Debug for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionHandle")
            .field("duplex", &self.0.duplex)
            .finish_non_exhaustive()
    }
}
