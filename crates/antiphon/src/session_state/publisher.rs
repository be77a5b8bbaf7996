//! Subscriptions of the peer to our streams: start, end, and the tasks that fill their queues.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use antiphon_proto::ErrorObject;
use tokio::task::AbortHandle;

use super::handle::{Inner, SessionHandle, State};
use super::publisher_queues::ItemQueue;
use crate::error::{IncidentScope, guard};
use crate::memory_budget::{Exhausted, FREE, Payload};
use crate::subscription::{Ending, MessageFormat, Opening, Overflow};

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
        self.change(|state| {
            for opening in streams {
                self.begin_queue(state, opening);
            }
        });
    }

    /// Starts a subscription. Its first item follows the response: that is in the outbox already,
    /// and the task that fills the queue runs later.
    pub(super) fn begin_queue(&self, state: &mut State, mut opening: Opening) {
        if state.end.is_some() {
            return;
        }
        let id: Box<str> = opening.id.as_str().into();
        let queue = ItemQueue {
            items: VecDeque::new(),
            bytes: 0,
            has_turn: false,
            overflow: opening.overflow,
            format: opening.format.clone(),
            made: 0,
            over: false,
            room: None,
            pump: None,
            _place: std::mem::replace(&mut opening.place, Box::new(())),
        };
        state.queues.table.insert(id.clone(), queue);
        let pump = tokio::spawn(pump(self.clone(), id.clone(), opening));
        if let Some(queue) = state.queues.table.get_mut(&id) {
            queue.pump = Some(pump.abort_handle());
        }
    }

    /// Ends a subscription at the peer's request; returns `false` if none has this id.
    pub(crate) fn unsubscribe(&self, id: &str) -> bool {
        let pump = self.change(|state| {
            let mut queue = state.queues.remove(id)?;
            if !queue.over
                && let Some(text) = queue.format.end(queue.made + 1, &Ending::Unsubscribed)
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
            let ids: Vec<_> = state.queues.table.keys().cloned().collect();
            ids.iter()
                .filter_map(|id| state.queues.end(id, &Ending::Shutdown))
                .collect()
        });
        pumps.iter().for_each(AbortHandle::abort);
    }

    /// Queues an item; returns `false` if the subscription is over.
    fn offer(&self, id: &str, seq: u64, item: Payload) -> bool {
        let Inner { limits, memory, .. } = &*self.0;
        self.change(|state| state.queues.offer(id, seq, item, limits, memory))
    }

    fn end_queue(&self, id: &str, ending: &Ending) {
        self.change(|state| {
            let queues = &mut state.queues;
            let size = match ending {
                Ending::Error(error) => error.message().len() + error.data().map_or(0, str::len),
                _ => 0,
            };
            let held = match size > FREE {
                true => queues.hold(queues.bytes + size + FREE, &self.0.memory),
                false => Ok(()),
            };
            match held {
                Ok(()) => queues.end(id, ending),
                Err(Exhausted) => queues.end(id, &Ending::Lagged),
            }
        });
    }

    /// Waits until a stream may be asked for an item. `false` if its subscription is over.
    ///
    /// A stream with [`Overflow::Block`] waits until its queue has room. Any other waits, while it
    /// has nothing queued, until the connection has room: else each of many subscriptions could
    /// add one item to a connection that is full.
    fn poll_queue(&self, id: &str, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        let queues = &mut state.queues;
        let all = queues.bytes;
        let is_full = all.saturating_add(self.unwritten()) > self.0.limits.max_unwritten;
        let Some(queue) = queues.table.get_mut(id) else {
            return Poll::Ready(false);
        };
        if queue.over {
            return Poll::Ready(false);
        }
        if queue.items.is_empty() && is_full {
            queues.wait_for_room(cx.waker());
            return Poll::Pending;
        }
        if queue.overflow != Overflow::Block || !queue.is_full(all, 0, &self.0.limits) {
            return Poll::Ready(true);
        }
        queue.room = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The permit of a subscription that is open, or about to be.
struct Permit(SessionHandle);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.0.subscriptions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What polling a stream has brought.
enum Polled {
    /// An item, an error, or the end of the stream.
    Item(Option<Result<(), ErrorObject>>),
    /// The subscription is over.
    Over,
}

/// The log message for a panic in a stream.
const PANICKED: &str = "a stream panicked";

/// Polls a stream and queues its items, until the stream or its subscription ends.
async fn pump(handle: SessionHandle, id: Box<str>, opening: Opening) {
    let Opening {
        format,
        mut items,
        room,
        current,
        method,
        caller,
        ..
    } = opening;
    let working = async {
        for seq in 1.. {
            let mut payload = Payload::from(format.begin(seq));
            let item = poll_fn(|cx| {
                // Asked before each poll: room may have gone since the last one.
                if !ready!(handle.poll_queue(&id, cx)) {
                    return Poll::Ready(Polled::Over);
                }
                let scope = IncidentScope::enter();
                let polled = guard(PANICKED, || {
                    items.as_mut().poll_write(cx, &mut payload, &room)
                });
                scope.log(|| (method.clone(), &caller));
                match polled {
                    Ok(poll) => poll.map(Polled::Item),
                    Err(error) => Poll::Ready(Polled::Item(Some(Err(error)))),
                }
            });
            let ending = match item.await {
                Polled::Item(Some(Ok(()))) => {
                    payload.extend_anyway(MessageFormat::TAIL);
                    if !handle.offer(&id, seq, payload) {
                        return;
                    }
                    // A stream that is always ready must not starve other tasks.
                    tokio::task::consume_budget().await;
                    continue;
                }
                Polled::Item(Some(Err(error))) => Ending::Error(error),
                Polled::Item(None) => Ending::Complete,
                Polled::Over => return,
            };
            return handle.end_queue(&id, &ending);
        }
    };
    current.scope(working).await;
    // A stream that panics in its `Drop` must not take anything else down.
    let scope = IncidentScope::enter();
    let _ = guard(PANICKED, || drop(items));
    scope.log(|| (method, caller));
}
