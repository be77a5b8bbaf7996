//! Subscriptions of the peer to our streams: start, end, and what fills their queues.
//!
//! The task of a session polls the streams of its peer itself, so that an item wakes one task. Only the
//! streams of a response have tasks of their own.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use tokio::task::AbortHandle;

use super::handle::{Inner, SessionHandle, State};
use super::publisher_queues::ItemQueue;
use super::source::Source;
use crate::memory_budget::{Exhausted, FREE, Payload};
use crate::subscription::{Ending, Items, Opening};
use crate::topic::{Overflow, QueueLimits};

/// From this many bytes of a topic's items on that were copied for a response, the others wait in the
/// topic.
const COPIED: usize = 16 * 1024;

impl SessionHandle {
    /// Whether the limit allows one more subscription.
    pub(crate) fn may_subscribe(&self) -> bool {
        self.0.subscriptions.load(Ordering::Relaxed) < self.0.limits.max_subscriptions
    }

    /// A permit for one subscription, if the limit allows it; released when dropped.
    pub(crate) fn take_place(&self) -> Option<Box<dyn Send + Sync>> {
        let max = self.0.limits.max_subscriptions;
        let one_more = |held: usize| (held < max).then_some(held + 1);
        self.0
            .subscriptions
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(Box::new(Permit(self.clone())))
    }

    /// Starts the subscriptions that a call without a task has opened. Its response was sent
    /// before.
    pub(crate) fn open(&self, streams: Vec<Opening>) {
        let late = self.change(|state| self.begin_queues(state, streams));
        // Outside of the lock: dropping a stream runs user code.
        drop(late);
    }

    /// Starts subscriptions. Returns those that come too late, because the session is over.
    #[must_use]
    pub(super) fn begin_queues(&self, state: &mut State, streams: Vec<Opening>) -> Vec<Opening> {
        let begun = streams.into_iter();
        begun
            .filter_map(|opening| self.begin_queue(state, opening))
            .collect()
    }

    /// Starts a subscription. Its first item follows the response: that is in the outbox already, and
    /// the stream is polled later.
    ///
    /// Returns it if the session is over; then it is to be dropped outside of the lock.
    fn begin_queue(&self, state: &mut State, mut opening: Opening) -> Option<Opening> {
        if state.end.is_some() {
            return Some(opening);
        }
        let of_topic = match &opening.items {
            Items::Topic(feed) => {
                let limits = QueueLimits {
                    items: self.0.limits.max_queued,
                    bytes: self.0.limits.max_queued_bytes,
                };
                feed.begin(limits, opening.overflow, &self.0.memory);
                true
            }
            Items::Stream(_) => false,
        };
        let key = state.queues.insert(ItemQueue {
            id: opening.id.as_str().into(),
            items: VecDeque::new(),
            bytes: 0,
            has_turn: false,
            overflow: match of_topic {
                true => Overflow::Block,
                false => opening.overflow.unwrap_or_default(),
            },
            of_topic,
            format: opening.format.clone(),
            made: 0,
            missed: None,
            over: false,
            room: None,
            pump: None,
            _place: std::mem::replace(&mut opening.place, Box::new(())),
        });
        let source = Source::new(key, opening, &self.0.bell);
        if self.0.duplex {
            state.queues.arrivals.opened.push(source);
            return None;
        }
        let pump = tokio::spawn(pump(self.clone(), source));
        if let Some(queue) = state.queues.table.get_mut(&key) {
            queue.pump = Some(pump.abort_handle());
        }
        None
    }

    /// Ends a subscription at the peer's request; returns `false` if none has this id.
    pub(crate) fn unsubscribe(&self, id: &str) -> bool {
        let pump = self.change(|state| {
            let mut queue = state.queues.remove(id)?;
            if !queue.over
                && let Some(text) = queue
                    .format
                    .end(queue.made + 1, None, &Ending::Unsubscribed)
            {
                self.put(state, text);
            }
            Some(queue.pump.take())
        });
        if let Some(Some(pump)) = &pump {
            pump.abort();
        }
        pump.is_some()
    }

    /// Ends all subscriptions for graceful shutdown.
    pub(crate) fn end_subscriptions(&self) {
        let pumps: Vec<_> = self.change(|state| {
            let keys: Vec<_> = state.queues.table.keys().copied().collect();
            keys.into_iter()
                .filter_map(|key| state.queues.end(key, &Ending::Shutdown))
                .collect()
        });
        pumps.iter().for_each(AbortHandle::abort);
    }

    /// Takes an item of a stream. If it may be written `now`, and nothing is queued before it, it stays
    /// with the caller, who writes it. Otherwise it is queued.
    pub(crate) fn offer(&self, key: u64, seq: u64, item: &mut Payload, now: bool) -> Offered {
        self.offer_with(key, seq, None, item, now)
    }

    fn offer_with(
        &self,
        key: u64,
        seq: u64,
        cursor: Option<Box<str>>,
        item: &mut Payload,
        now: bool,
    ) -> Offered {
        let Inner { limits, memory, .. } = &*self.0;
        let queues = &mut self.lock().queues;
        match queues.table.get_mut(&key) {
            Some(queue) if now && queue.items.is_empty() && !queue.over => {
                queue.made = seq;
                return Offered::Write;
            }
            _ => {}
        }
        // The buffer may be much longer than the item; what is queued is not.
        let item = match item.held {
            None => item.text.as_slice().to_vec().into(),
            Some(_) => std::mem::take(item),
        };
        match queues.offer(key, seq, cursor, item, limits, memory) {
            true => Offered::Queued,
            false => Offered::Over,
        }
    }

    /// Takes note of a message of a topic that is about to be written. Returns `false` if its
    /// subscription is over.
    pub(crate) fn writes(&self, key: u64, seq: u64) -> bool {
        match self.lock().queues.table.get_mut(&key) {
            Some(queue) if !queue.over => {
                queue.made = seq;
                true
            }
            _ => false,
        }
    }

    /// Queues the last message of a subscription, behind what its source has made.
    pub(crate) fn end_queue(&self, source: &Source, ending: &Ending) {
        let key = source.key();
        self.change(|state| {
            let queues = &mut state.queues;
            if let Some(queue) = queues.table.get_mut(&key).filter(|queue| !queue.over) {
                (queue.made, queue.missed) = (source.made(), source.missed());
            }
            let size = match ending {
                Ending::Error(error) => error.message().len() + error.data().map_or(0, str::len),
                _ => 0,
            };
            let held = match size > FREE {
                true => queues.hold(queues.bytes + size + FREE, &self.0.memory),
                false => Ok(()),
            };
            match held {
                Ok(()) => queues.end(key, ending),
                Err(Exhausted) => queues.end(key, &Ending::Lagged),
            }
        });
    }

    /// Waits until a stream may be asked for an item. `false` if its subscription is over.
    ///
    /// A stream with [`Overflow::Block`] waits until its queue has room. Any other waits, while it
    /// has nothing queued, until the connection has room: else each of many subscriptions could
    /// add one item to a connection that is full.
    ///
    /// Nothing is registered without a context: the session's task asks again when it has written.
    pub(crate) fn poll_queue(&self, key: u64, cx: Option<&Context<'_>>) -> Poll<bool> {
        let mut state = self.lock();
        let queues = &mut state.queues;
        let all = queues.bytes;
        let is_full = all.saturating_add(self.unwritten()) > self.0.limits.max_unwritten;
        let Some(queue) = queues.table.get_mut(&key) else {
            return Poll::Ready(false);
        };
        if queue.over {
            return Poll::Ready(false);
        }
        if queue.items.is_empty() && is_full {
            if let Some(cx) = cx {
                queues.wait_for_room(cx.waker());
            }
            return Poll::Pending;
        }
        let is_full = match queue.of_topic {
            true => queue.bytes >= COPIED,
            false => queue.overflow == Overflow::Block && queue.is_full(all, 0, &self.0.limits),
        };
        if !is_full {
            return Poll::Ready(true);
        }
        queue.room = cx.map(|cx| cx.waker().clone());
        Poll::Pending
    }
}

/// What became of an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Offered {
    /// It is to be written now.
    Write,
    /// It is queued, or was dropped because the subscriber does not keep up.
    Queued,
    /// The subscription is over.
    Over,
}

/// The permit of a subscription that is open, or about to be.
struct Permit(SessionHandle);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.0.subscriptions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Polls a stream and queues its items, until the stream or its subscription ends: for a response that
/// is an event stream, which is not polled while its connection is busy.
async fn pump(handle: SessionHandle, mut source: Source) {
    let key = source.key();
    loop {
        let mut payload = Payload::default();
        let item = poll_fn(|cx| {
            // Asked before each poll: room may have gone since the last one.
            match ready!(handle.poll_queue(key, Some(cx))) {
                true => source.poll(cx, &mut payload).map(Some),
                false => Poll::Ready(None),
            }
        });
        let Some(item) = item.await else {
            return;
        };
        if let Err(ending) = item {
            return handle.end_queue(&source, &ending);
        }
        let (seq, cursor) = (source.made(), source.take_cursor());
        let offered = handle.offer_with(key, seq, cursor, &mut payload, false);
        // The body is woken, also if this item has ended the subscription.
        handle.notify();
        if offered == Offered::Over {
            return;
        }
        // A stream that is always ready must not starve other tasks.
        tokio::task::consume_budget().await;
    }
}
