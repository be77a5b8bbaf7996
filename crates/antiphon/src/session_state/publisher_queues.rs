//! Queues of outgoing items: one bounded queue for each of the peer's subscriptions.
//!
//! An item that finds its queue empty and room on the connection does not pass the queue.
//! The session's task drains the queues round-robin when it has room to write, so that a busy
//! stream does not starve others. The method chooses what happens when a queue is full
//! ([`Overflow`]).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use tokio::task::AbortHandle;

use super::limits::ConnectionLimits;
use super::source::Source;
use crate::identity::Principal;
use crate::memory_budget::{Account, Direction, Exhausted, FREE, Payload, Reservation};
use crate::subscription::{Ending, MessageFormat};
use crate::topic::{Missed, Overflow};

/// Items are reserved in steps of this many bytes.
const STEP: usize = 64 * 1024;

/// An outgoing message.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) payload: Payload,
    /// The id of its event, if this is a message of a subscription.
    pub(super) event: Option<EventId>,
    /// On whose behalf it is sent, if it is not on behalf of this side of the connection.
    pub(crate) principal: Option<Box<Principal>>,
}

/// What the subscriber of an event stream has seen last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum EventId {
    /// The sequence number of a message.
    Seq(u64),
    /// The cursor of an item of a topic, with which a subscription can be resumed.
    Cursor(Box<str>),
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seq(seq) => seq.fmt(f),
            Self::Cursor(cursor) => f.write_str(cursor),
        }
    }
}

impl Outgoing {
    /// The id of its event, if it has one.
    pub(crate) fn event_id(&self) -> Option<&dyn fmt::Display> {
        self.event.as_ref().map(|id| id as &dyn fmt::Display)
    }
}

/// The queues of all subscriptions of one peer.
#[derive(Default)]
pub(super) struct ItemQueues {
    pub(super) table: BTreeMap<u64, Box<ItemQueue>>,
    /// The key in `table` of each subscription's id.
    pub(super) keys: HashMap<Box<str>, u64>,
    /// The last key that was given.
    last: u64,
    /// The subscriptions that have items, each once, in round-robin order.
    pub(super) turns: VecDeque<u64>,
    /// Streams that the session's task has to take or to drop.
    pub(super) arrivals: Arrivals,
    /// Bytes in all queues.
    pub(super) bytes: usize,
    /// What is reserved for them.
    held: Option<Reservation>,
    /// Wakers of tasks that have nothing queued and wait for room on the connection.
    room: Vec<Waker>,
    /// Whether a subscription has come to its end by itself.
    pub(super) has_completed: bool,
}

/// Streams that have come and gone since the session's task looked.
#[derive(Default)]
pub(crate) struct Arrivals {
    pub(crate) opened: Vec<Source>,
    /// The keys of those whose subscriptions are over.
    pub(crate) gone: Vec<u64>,
}

impl Arrivals {
    pub(super) fn append(&mut self, more: &mut Self) {
        self.opened.append(&mut more.opened);
        self.gone.append(&mut more.gone);
    }
}

pub(super) struct ItemQueue {
    pub(super) id: Box<str>,
    pub(super) items: VecDeque<Outgoing>,
    pub(super) bytes: usize,
    /// Whether this queue is in `turns`.
    pub(super) has_turn: bool,
    pub(super) overflow: Overflow,
    /// Whether its items wait in a topic, whose policy applies. Only a few bytes of them are here.
    pub(super) of_topic: bool,
    pub(super) format: MessageFormat,
    /// The sequence number of the last item that the stream has produced.
    pub(super) made: u64,
    /// What the last message has to tell as missing before it.
    pub(super) missed: Option<Missed>,
    /// Whether the subscription has ended, and its last message is queued.
    pub(super) over: bool,
    /// The waker of the task that fills the queue, if it waits for room.
    pub(super) room: Option<Waker>,
    /// The task that polls the stream, if the session's task does not do that.
    pub(super) pump: Option<AbortHandle>,
    pub(super) _place: Box<dyn Send + Sync>,
}

impl ItemQueues {
    /// Moves items, one of each subscription in turn, up to about `room` bytes. Returns whether
    /// more are queued.
    pub(super) fn take(&mut self, room: usize, into: &mut VecDeque<Outgoing>) -> bool {
        let mut taken = 0;
        while taken < room {
            let Some(key) = self.turns.pop_front() else {
                break;
            };
            let Some(queue) = self.table.get_mut(&key) else {
                continue;
            };
            if let Some(mut item) = queue.items.pop_front() {
                // A large item goes on with what is reserved for it.
                let held = self.held.as_mut().filter(|_| item.payload.len() > FREE);
                item.payload.held = held.map(|held| Box::new(held.split(item.payload.len())));
                taken += item.payload.len();
                queue.bytes -= item.payload.len();
                self.bytes -= item.payload.len();
                into.push_back(item);
            }
            if let Some(waker) = queue.room.take() {
                waker.wake();
            }
            queue.has_turn = !queue.items.is_empty();
            if queue.has_turn {
                self.turns.push_back(key);
            } else if queue.over {
                self.forget(key);
            } else if queue.items.capacity() > 32 {
                queue.items = VecDeque::new();
            }
        }
        self.less();
        !self.turns.is_empty()
    }

    /// Returns what is reserved for items that have left.
    fn less(&mut self) {
        if let Some(held) = &mut self.held {
            held.shrink_to(match self.bytes {
                0 => 0,
                bytes => bytes.next_multiple_of(STEP),
            });
        }
        self.room.drain(..).for_each(Waker::wake);
    }

    /// Wakes the task when there may be room on the connection.
    pub(super) fn wait_for_room(&mut self, waker: &Waker) {
        if !self.room.iter().any(|known| known.will_wake(waker)) {
            self.room.push(waker.clone());
        }
    }

    pub(super) fn offer(
        &mut self,
        key: u64,
        seq: u64,
        cursor: Option<Box<str>>,
        payload: Payload,
        limits: &ConnectionLimits,
        memory: &Arc<Account>,
    ) -> bool {
        let Some(queue) = self.table.get_mut(&key).filter(|queue| !queue.over) else {
            return false;
        };
        queue.made = seq;
        if matches!(queue.overflow, Overflow::LatestOnly | Overflow::Conflate) {
            self.bytes -= queue.clear();
        }
        while queue.is_full(self.bytes, payload.len(), limits) {
            match queue.overflow {
                Overflow::Disconnect => {
                    self.end(key, &Ending::Lagged);
                    return false;
                }
                // The stream has waited for room, so this exceeds the limit by one item at most.
                Overflow::Block => break,
                Overflow::DropNewest => return true,
                Overflow::DropOldest | Overflow::LatestOnly | Overflow::Conflate => {
                    match queue.items.pop_front() {
                        // The other queues have filled the connection: this item is dropped.
                        None => return true,
                        Some(oldest) => {
                            queue.bytes -= oldest.payload.len();
                            self.bytes -= oldest.payload.len();
                        }
                    }
                }
            }
        }
        let overflow = queue.overflow;
        if self.hold(self.bytes + payload.len(), memory).is_err() {
            // There is no memory for it.
            return match overflow {
                Overflow::Disconnect | Overflow::Block => {
                    self.end(key, &Ending::Lagged);
                    false
                }
                _ => true,
            };
        }
        self.push(
            key,
            Outgoing {
                payload,
                event: Some(cursor.map_or(EventId::Seq(seq), EventId::Cursor)),
                principal: None,
            },
        );
        true
    }

    /// Reserves what all queues hold, in steps, so that a small item costs nothing.
    pub(super) fn hold(&mut self, bytes: usize, memory: &Arc<Account>) -> Result<(), Exhausted> {
        let none = || Reservation::new(memory, Direction::Response);
        let held = self.held.get_or_insert_with(none);
        match bytes > held.bytes() {
            true if bytes > FREE => held.set(bytes.next_multiple_of(STEP)),
            _ => Ok(()),
        }
    }

    pub(super) fn push(&mut self, key: u64, item: Outgoing) {
        let Some(queue) = self.table.get_mut(&key) else {
            return;
        };
        if !queue.has_turn {
            queue.has_turn = true;
            self.turns.push_back(key);
        }
        queue.bytes += item.payload.len();
        self.bytes += item.payload.len();
        // From here on it is part of what all queues hold.
        queue.items.push_back(Outgoing {
            payload: item.payload.text.into(),
            ..item
        });
    }

    /// Appends the last message. Returns the abort handle of the task that fills the queue, which
    /// is no longer needed.
    pub(super) fn end(&mut self, key: u64, ending: &Ending) -> Option<AbortHandle> {
        let queue = self.table.get_mut(&key).filter(|queue| !queue.over)?;
        queue.over = true;
        self.has_completed |= ending.is_complete();
        let pump = queue.pump.take();
        if pump.is_none() {
            self.arrivals.gone.push(key);
        }
        let seq = queue.made + 1;
        let of_topic = queue.of_topic;
        match queue.format.end(seq, queue.missed, ending) {
            Some(text) => self.push(
                key,
                Outgoing {
                    payload: text.into(),
                    // The end is no place from which a subscriber of a topic could go on.
                    event: (!of_topic).then_some(EventId::Seq(seq)),
                    principal: None,
                },
            ),
            None if queue.items.is_empty() => {
                self.forget(key);
            }
            None => {}
        }
        pump
    }

    /// Adds an empty queue; returns its key.
    pub(super) fn insert(&mut self, queue: ItemQueue) -> u64 {
        self.last += 1;
        self.keys.insert(queue.id.clone(), self.last);
        self.table.insert(self.last, Box::new(queue));
        self.last
    }

    /// Removes a queue with all that is in it.
    pub(super) fn remove(&mut self, id: &str) -> Option<Box<ItemQueue>> {
        let key = *self.keys.get(id)?;
        let queue = self.forget(key)?;
        if queue.pump.is_none() {
            self.arrivals.gone.push(key);
        }
        self.bytes -= queue.bytes;
        self.turns.retain(|turn| *turn != key);
        self.less();
        Some(queue)
    }

    fn forget(&mut self, key: u64) -> Option<Box<ItemQueue>> {
        let queue = self.table.remove(&key)?;
        self.keys.remove(&queue.id);
        Some(queue)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn abort(self) {
        for pump in self.table.into_values().filter_map(|queue| queue.pump) {
            pump.abort();
        }
    }
}

impl ItemQueue {
    /// Whether `more` bytes would exceed a limit, with `all` bytes in all queues. If nothing at all
    /// is queued, an item may have any size.
    pub(super) fn is_full(&self, all: usize, more: usize, limits: &ConnectionLimits) -> bool {
        let own = !self.items.is_empty()
            && (self.items.len() >= limits.max_queued
                || self.bytes + more > limits.max_queued_bytes);
        own || (all > 0 && all + more > limits.max_unwritten)
    }

    /// Drops all items; returns their size in bytes.
    pub(super) fn clear(&mut self) -> usize {
        self.items.clear();
        std::mem::take(&mut self.bytes)
    }
}
