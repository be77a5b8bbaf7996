//! Subscriptions of the peer's: a bounded queue for each, and the task that fills it.
//!
//! The session's task empties the queues when what it writes has gone, one item of each in turn, so
//! that a busy stream does not keep others waiting. What happens to a queue that runs full is the
//! method's to say.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use antiphon_proto::{ErrorCode, ErrorObject};
use tokio::task::AbortHandle;

use super::{Outgoing, SessionHandle, SessionHandleLimits, State};
use crate::error::{guard, in_call};
use crate::subscription::{Ending, Opening, Overflow, Wording};

/// All subscriptions of one peer.
#[derive(Default)]
pub(super) struct Feeds {
    table: HashMap<Box<str>, Feed>,
    /// The feeds that have items, each once, in the order of their turns.
    turns: VecDeque<Box<str>>,
    /// Bytes in all queues.
    bytes: usize,
}

struct Feed {
    queue: VecDeque<Outgoing>,
    bytes: usize,
    /// Whether it is among the turns.
    has_turn: bool,
    overflow: Overflow,
    wording: Wording,
    /// The number of the last item that the stream has made.
    made: u64,
    /// Whether the last message is in the queue.
    over: bool,
    /// The task that fills the queue, if it waits for room.
    room: Option<Waker>,
    pump: Option<AbortHandle>,
    _place: Box<dyn Send + Sync>,
}

impl SessionHandle {
    /// Whether one more subscription may begin.
    pub(crate) fn may_subscribe(&self) -> bool {
        self.0.subscriptions.load(Ordering::Relaxed) < self.0.limits.max_subscriptions
    }

    /// Room for one subscription, if there is any, until it is dropped.
    pub(crate) fn take_place(&self) -> Option<Box<dyn Send + Sync>> {
        let max = self.0.limits.max_subscriptions;
        let one_more = |held: usize| (held < max).then_some(held + 1);
        self.0
            .subscriptions
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .ok()?;
        Some(Box::new(Place(self.clone())))
    }

    /// Begins the subscriptions that a call without a task has opened; its answer was sent before.
    pub(crate) fn open(&self, streams: Vec<Opening>) {
        self.change(|state| {
            for opening in streams {
                self.begin_feed(state, opening);
            }
        });
    }

    /// The first item comes behind the answer: that is in the outbox already, and the pump runs
    /// later.
    pub(super) fn begin_feed(&self, state: &mut State, mut opening: Opening) {
        if state.end.is_some() {
            return;
        }
        let id: Box<str> = opening.id.as_str().into();
        let feed = Feed {
            queue: VecDeque::new(),
            bytes: 0,
            has_turn: false,
            overflow: opening.overflow,
            wording: opening.wording.clone(),
            made: 0,
            over: false,
            room: None,
            pump: None,
            _place: std::mem::replace(&mut opening.place, Box::new(())),
        };
        state.feeds.table.insert(id.clone(), feed);
        let pump = tokio::spawn(pump(self.clone(), id.clone(), opening));
        if let Some(feed) = state.feeds.table.get_mut(&id) {
            feed.pump = Some(pump.abort_handle());
        }
    }

    /// Ends a subscription at the peer's wish; false if there is none of this id.
    pub(crate) fn unsubscribe(&self, id: &str) -> bool {
        let pump = self.change(|state| {
            let mut feed = state.feeds.remove(id)?;
            if !feed.over
                && let Some(text) = feed.wording.end(feed.made + 1, &Ending::Unsubscribed)
            {
                self.put(state, text);
            }
            Some(feed.pump.take())
        });
        if let Some(Some(pump)) = &pump {
            pump.abort();
        }
        pump.is_some()
    }

    /// Ends all subscriptions because the server stops.
    pub(crate) fn end_feeds(&self) {
        let pumps: Vec<_> = self.change(|state| {
            let ids: Vec<_> = state.feeds.table.keys().cloned().collect();
            ids.iter()
                .filter_map(|id| state.feeds.end(id, &Ending::Shutdown))
                .collect()
        });
        pumps.iter().for_each(AbortHandle::abort);
    }

    /// Offers an item; false if the subscription is over.
    fn offer(&self, id: &str, seq: u64, text: Vec<u8>) -> bool {
        self.change(|state| state.feeds.offer(id, seq, text, &self.0.limits))
    }

    fn end_feed(&self, id: &str, ending: &Ending) {
        self.change(|state| state.feeds.end(id, ending));
    }

    /// Waits until a subscription that blocks has room. False if it is over.
    fn poll_feed(&self, id: &str, cx: &mut Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        let feeds = &mut state.feeds;
        let all = feeds.bytes;
        let Some(feed) = feeds.table.get_mut(id) else {
            return Poll::Ready(false);
        };
        if feed.over {
            return Poll::Ready(false);
        }
        if feed.overflow != Overflow::Block || !feed.is_full(all, 0, &self.0.limits) {
            return Poll::Ready(true);
        }
        feed.room = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// A subscription that is open, or about to be.
struct Place(SessionHandle);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.subscriptions.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Feeds {
    /// Moves items, one of each feed in turn, until about `room` bytes have gone. True if more wait.
    pub(super) fn take(&mut self, room: usize, into: &mut VecDeque<Outgoing>) -> bool {
        let mut taken = 0;
        while taken < room {
            let Some(id) = self.turns.pop_front() else {
                return false;
            };
            let Some(feed) = self.table.get_mut(&id) else {
                continue;
            };
            if let Some(item) = feed.queue.pop_front() {
                taken += item.text.len();
                feed.bytes -= item.text.len();
                self.bytes -= item.text.len();
                into.push_back(item);
            }
            if let Some(waker) = feed.room.take() {
                waker.wake();
            }
            feed.has_turn = !feed.queue.is_empty();
            if feed.has_turn {
                self.turns.push_back(id);
            } else if feed.over {
                self.table.remove(&id);
            } else if feed.queue.capacity() > 32 {
                feed.queue = VecDeque::new();
            }
        }
        !self.turns.is_empty()
    }

    fn offer(&mut self, id: &str, seq: u64, text: Vec<u8>, limits: &SessionHandleLimits) -> bool {
        let Some(feed) = self.table.get_mut(id).filter(|feed| !feed.over) else {
            return false;
        };
        feed.made = seq;
        if feed.overflow == Overflow::LatestOnly {
            self.bytes -= feed.clear();
        }
        while feed.is_full(self.bytes, text.len(), limits) {
            match feed.overflow {
                Overflow::Disconnect => {
                    self.end(id, &Ending::Lagged);
                    return false;
                }
                // It has waited for room, so this is one item beyond the bound at most.
                Overflow::Block => break,
                Overflow::DropOldest | Overflow::LatestOnly => match feed.queue.pop_front() {
                    None => break,
                    Some(oldest) => {
                        feed.bytes -= oldest.text.len();
                        self.bytes -= oldest.text.len();
                    }
                },
            }
        }
        self.push(
            id,
            Outgoing {
                text,
                seq: Some(seq),
            },
        );
        true
    }

    fn push(&mut self, id: &str, item: Outgoing) {
        let Some(feed) = self.table.get_mut(id) else {
            return;
        };
        if !feed.has_turn {
            feed.has_turn = true;
            self.turns.push_back(id.into());
        }
        feed.bytes += item.text.len();
        self.bytes += item.text.len();
        feed.queue.push_back(item);
    }

    /// Puts the last message behind what waits. Gives the pump, which is of no more use.
    fn end(&mut self, id: &str, ending: &Ending) -> Option<AbortHandle> {
        let feed = self.table.get_mut(id).filter(|feed| !feed.over)?;
        feed.over = true;
        let pump = feed.pump.take();
        let seq = feed.made + 1;
        match feed.wording.end(seq, ending) {
            Some(text) => self.push(
                id,
                Outgoing {
                    text,
                    seq: Some(seq),
                },
            ),
            None if feed.queue.is_empty() => {
                self.table.remove(id);
            }
            None => {}
        }
        pump
    }

    fn remove(&mut self, id: &str) -> Option<Feed> {
        let feed = self.table.remove(id)?;
        self.bytes -= feed.bytes;
        self.turns.retain(|turn| **turn != *id);
        Some(feed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn abort(self) {
        for pump in self.table.into_values().filter_map(|feed| feed.pump) {
            pump.abort();
        }
    }
}

impl Feed {
    /// Whether `more` bytes are too many. One item always fits, however long it is.
    fn is_full(&self, all: usize, more: usize, limits: &SessionHandleLimits) -> bool {
        !self.queue.is_empty()
            && (self.queue.len() >= limits.max_queued
                || self.bytes + more > limits.max_queued_bytes
                || all + more > limits.max_unwritten)
    }

    /// Drops what waits; gives its bytes.
    fn clear(&mut self) -> usize {
        self.queue.clear();
        std::mem::take(&mut self.bytes)
    }
}

/// What the log says of a stream that panicked.
const PANICKED: &str = "a stream panicked";

/// Asks a stream for items until it, or its subscription, ends.
async fn pump(session_handle: SessionHandle, id: Box<str>, opening: Opening) {
    let Opening {
        wording,
        mut items,
        max_item,
        current,
        method,
        caller,
        ..
    } = opening;
    let working = async {
        for seq in 1.. {
            if !poll_fn(|cx| session_handle.poll_feed(&id, cx)).await {
                return;
            }
            let mut text = wording.begin(seq);
            let start = text.len();
            let item = poll_fn(|cx| {
                let (polled, incidents) =
                    in_call(|| guard(PANICKED, || items.as_mut().poll_write(cx, &mut text)));
                incidents.log(|| (method.clone(), &caller));
                match polled {
                    Ok(poll) => poll,
                    Err(error) => Poll::Ready(Some(Err(error))),
                }
            });
            let ending = match item.await {
                Some(Ok(())) if text.len() - start <= max_item => {
                    text.extend_from_slice(Wording::TAIL);
                    if !session_handle.offer(&id, seq, text) {
                        return;
                    }
                    // A stream that never waits must not keep others from running.
                    tokio::task::consume_budget().await;
                    continue;
                }
                Some(Ok(())) => Ending::Error(ErrorObject::of(ErrorCode::RESPONSE_TOO_LARGE)),
                Some(Err(error)) => Ending::Error(error),
                None => Ending::Complete,
            };
            return session_handle.end_feed(&id, &ending);
        }
    };
    current.scope(working).await;
    // A stream that panics when it is dropped must not be heard of by anybody else.
    let (_, incidents) = in_call(|| guard(PANICKED, || drop(items)));
    incidents.log(|| (method, caller));
}
