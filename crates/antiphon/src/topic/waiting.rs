//! Items that wait for one subscriber, with their numbers, limits and gaps.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use super::gaps::{Gaps, Missed};
use super::item::Item;
use super::memory::HeldQueue;
use super::overflow::Overflow;

/// The capacity beyond which an empty queue gives its memory back.
const KEPT: usize = 32;

/// What an item takes in a queue.
pub(super) const ENTRY: usize = size_of::<Entry>();

/// What may wait for a subscriber.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            items: 256,
            bytes: 1024 * 1024,
        }
    }
}

/// Why a subscriber gets no more items, once it has taken those that wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Over {
    /// It did not keep up.
    Lagged,
    /// The topic is gone.
    Closed,
    /// This worker hears nothing of the topic any more; another one does.
    CutOff,
}

/// What waits for a subscriber, and what is missing there.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) entries: VecDeque<Entry>,
    pub(super) bytes: usize,
    pub(super) limits: QueueLimits,
    /// The number of the last item that was kept before the subscription began.
    pub(super) replayed: u64,
    /// By how much the limits are exceeded for such items, until that many were taken.
    pub(super) extra: usize,
    pub(super) extra_bytes: usize,
    /// The memory of a queue with many of them.
    pub(super) held: Option<HeldQueue>,
    pub(super) overflow: Overflow,
    /// The number of the last item, whether it was dropped or not.
    pub(super) seq: u64,
    pub(super) missed: Option<Missed>,
    pub(super) gaps: Gaps,
    /// Whether nothing is taken yet, because it is not known where it begins.
    pub(super) is_paused: bool,
    pub(super) over: Option<Over>,
    pub(super) waker: Option<Waker>,
    /// Whether the next item has to wake it.
    pub(super) sleeps: bool,
}

/// An item with its number for this subscriber.
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) item: Arc<Item>,
}

impl Queue {
    pub(super) fn push(&mut self, item: &Arc<Item>) -> (bool, usize) {
        let mut dropped = 0;
        match self.overflow {
            Overflow::LatestOnly => dropped = self.clear(),
            Overflow::Conflate => dropped = self.conflate(item),
            _ => {}
        }
        while self.is_full(item.bytes()) {
            match self.overflow {
                Overflow::Disconnect | Overflow::Block => {
                    self.over = Some(Over::Lagged);
                    return (false, 1);
                }
                Overflow::DropNewest => return (true, 1),
                Overflow::DropOldest | Overflow::LatestOnly | Overflow::Conflate => {
                    self.drop_front();
                    dropped += 1;
                }
            }
        }
        self.add(Arc::clone(item));
        (true, dropped)
    }

    fn add(&mut self, item: Arc<Item>) {
        self.bytes += item.bytes();
        let seq = self.seq;
        self.entries.push_back(Entry { seq, item });
    }

    /// Drops the item that waits of the same key, if it is not of the history. The new one goes to the
    /// end, so that cursors only grow.
    fn conflate(&mut self, item: &Item) -> usize {
        let replayed = |entry: &Entry| entry.seq <= self.replayed;
        let start = self.entries.partition_point(replayed);
        let mut newer = self.entries.range(start..);
        let same = newer.position(|entry| entry.item.key == item.key);
        let entry = same.and_then(|at| self.entries.remove(start + at));
        self.bytes -= entry.as_ref().map_or(0, |entry| entry.item.bytes());
        usize::from(entry.is_some())
    }

    /// Whether `more` bytes would exceed a limit. If nothing waits, an item may have any size.
    fn is_full(&self, more: usize) -> bool {
        let count = self.entries.len().saturating_sub(self.extra);
        let bytes = self.bytes.saturating_sub(self.extra_bytes);
        count > 0 && (count >= self.limits.items || bytes + more > self.limits.bytes)
    }

    /// Takes out what is to be told as missing before this item.
    pub(super) fn missed_before(&mut self, seq: u64) -> Option<Missed> {
        if self.missed.is_none() && self.gaps.is_empty() {
            return None;
        }
        Missed::sum(self.missed.take(), self.gaps.take(seq))
    }

    pub(super) fn drop_front(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.item.bytes();
        Some(entry)
    }

    /// Drops the items of which this is true. Returns how many.
    pub(super) fn drop_if(&mut self, goes: impl Fn(&Item) -> bool) -> usize {
        let (count, mut bytes) = (self.entries.len(), 0);
        self.entries.retain(|entry| {
            let goes = goes(&entry.item);
            bytes += if goes { entry.item.bytes() } else { 0 };
            !goes
        });
        self.bytes -= bytes;
        count - self.entries.len()
    }

    /// Drops all that waits. Returns how many items.
    pub(super) fn clear(&mut self) -> usize {
        let count = self.entries.len();
        self.entries.clear();
        if self.entries.capacity() > KEPT {
            self.entries = VecDeque::new();
        }
        (self.bytes, self.extra, self.extra_bytes) = (0, 0, 0);
        self.held = None;
        count
    }

    /// Takes out all that waits.
    pub(super) fn take_all(&mut self) -> VecDeque<Entry> {
        let entries = std::mem::take(&mut self.entries);
        self.clear();
        entries
    }

    /// Numbers items anew, some of the history and those behind it, in an empty queue, and tells the gaps
    /// between the latter. Those that were dropped before the subscription began show up behind them.
    pub(super) fn fill(
        &mut self,
        replayed: Vec<Arc<Item>>,
        behind: impl IntoIterator<Item = Entry>,
        mut gaps: Gaps,
        dropped: u64,
    ) {
        self.seq = 0;
        self.entries.reserve_exact(replayed.len());
        self.replayed = replayed.len() as u64;
        self.extra = replayed.len();
        self.extra_bytes = replayed.iter().map(|item| item.bytes()).sum();
        for item in replayed {
            self.seq += 1;
            self.add(item);
        }
        for entry in behind {
            self.seq += 1;
            self.gaps.put(self.seq, gaps.take(entry.seq));
            self.add(entry.item);
        }
        self.gaps.put(self.seq + 1, gaps.take(u64::MAX));
        self.seq += dropped;
    }

    pub(super) fn wake(&mut self) {
        self.sleeps = false;
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}
