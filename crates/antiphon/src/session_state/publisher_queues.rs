//! Queues of outgoing items: one bounded queue for each of the peer's subscriptions.
//!
//! The session's task drains the queues round-robin when it has room to write, so that a busy
//! stream does not starve others. The method chooses what happens when a queue is full
//! ([`Overflow`]).

use std::collections::{HashMap, VecDeque};
use std::task::Waker;

use tokio::task::AbortHandle;

use super::limits::ConnectionLimits;
use crate::subscription::{Ending, MessageFormat, Overflow};

/// An outgoing message.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) text: Vec<u8>,
    /// The sequence number, if this is a message of a subscription.
    pub(crate) seq: Option<u64>,
}

/// The queues of all subscriptions of one peer.
#[derive(Default)]
pub(super) struct ItemQueues {
    pub(super) table: HashMap<Box<str>, ItemQueue>,
    /// The subscriptions that have items, each once, in round-robin order.
    pub(super) turns: VecDeque<Box<str>>,
    /// Bytes in all queues.
    pub(super) bytes: usize,
}

pub(super) struct ItemQueue {
    pub(super) items: VecDeque<Outgoing>,
    pub(super) bytes: usize,
    /// Whether this queue is in `turns`.
    pub(super) has_turn: bool,
    pub(super) overflow: Overflow,
    pub(super) format: MessageFormat,
    /// The sequence number of the last item that the stream has produced.
    pub(super) made: u64,
    /// Whether the subscription has ended, and its last message is queued.
    pub(super) over: bool,
    /// The waker of the task that fills the queue, if it waits for room.
    pub(super) room: Option<Waker>,
    pub(super) pump: Option<AbortHandle>,
    pub(super) _place: Box<dyn Send + Sync>,
}

impl ItemQueues {
    /// Moves items, one of each subscription in turn, up to about `room` bytes. Returns whether
    /// more are queued.
    pub(super) fn take(&mut self, room: usize, into: &mut VecDeque<Outgoing>) -> bool {
        let mut taken = 0;
        while taken < room {
            let Some(id) = self.turns.pop_front() else {
                return false;
            };
            let Some(queue) = self.table.get_mut(&id) else {
                continue;
            };
            if let Some(item) = queue.items.pop_front() {
                taken += item.text.len();
                queue.bytes -= item.text.len();
                self.bytes -= item.text.len();
                into.push_back(item);
            }
            if let Some(waker) = queue.room.take() {
                waker.wake();
            }
            queue.has_turn = !queue.items.is_empty();
            if queue.has_turn {
                self.turns.push_back(id);
            } else if queue.over {
                self.table.remove(&id);
            } else if queue.items.capacity() > 32 {
                queue.items = VecDeque::new();
            }
        }
        !self.turns.is_empty()
    }

    pub(super) fn offer(
        &mut self,
        id: &str,
        seq: u64,
        text: Vec<u8>,
        limits: &ConnectionLimits,
    ) -> bool {
        let Some(queue) = self.table.get_mut(id).filter(|queue| !queue.over) else {
            return false;
        };
        queue.made = seq;
        if queue.overflow == Overflow::LatestOnly {
            self.bytes -= queue.clear();
        }
        while queue.is_full(self.bytes, text.len(), limits) {
            match queue.overflow {
                Overflow::Disconnect => {
                    self.end(id, &Ending::Lagged);
                    return false;
                }
                // The stream has waited for room, so this exceeds the limit by one item at most.
                Overflow::Block => break,
                Overflow::DropOldest | Overflow::LatestOnly => match queue.items.pop_front() {
                    None => break,
                    Some(oldest) => {
                        queue.bytes -= oldest.text.len();
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

    pub(super) fn push(&mut self, id: &str, item: Outgoing) {
        let Some(queue) = self.table.get_mut(id) else {
            return;
        };
        if !queue.has_turn {
            queue.has_turn = true;
            self.turns.push_back(id.into());
        }
        queue.bytes += item.text.len();
        self.bytes += item.text.len();
        queue.items.push_back(item);
    }

    /// Appends the last message. Returns the abort handle of the task that fills the queue, which
    /// is no longer needed.
    pub(super) fn end(&mut self, id: &str, ending: &Ending) -> Option<AbortHandle> {
        let queue = self.table.get_mut(id).filter(|queue| !queue.over)?;
        queue.over = true;
        let pump = queue.pump.take();
        let seq = queue.made + 1;
        match queue.format.end(seq, ending) {
            Some(text) => self.push(
                id,
                Outgoing {
                    text,
                    seq: Some(seq),
                },
            ),
            None if queue.items.is_empty() => {
                self.table.remove(id);
            }
            None => {}
        }
        pump
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<ItemQueue> {
        let queue = self.table.remove(id)?;
        self.bytes -= queue.bytes;
        self.turns.retain(|turn| **turn != *id);
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
    /// Whether `more` bytes would exceed a limit. An empty queue takes one item of any size.
    pub(super) fn is_full(&self, all: usize, more: usize, limits: &ConnectionLimits) -> bool {
        !self.items.is_empty()
            && (self.items.len() >= limits.max_queued
                || self.bytes + more > limits.max_queued_bytes
                || all + more > limits.max_unwritten)
    }

    /// Drops all items; returns their size in bytes.
    pub(super) fn clear(&mut self) -> usize {
        self.items.clear();
        std::mem::take(&mut self.bytes)
    }
}
