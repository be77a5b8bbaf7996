//! Queue of one subscriber: references to the items that it has not taken yet.

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use super::filter::Filter;
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
}

/// Items before the first one that a resumed subscriber does not get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missed {
    Some(u64),
    /// Nobody knows how many.
    Unknown,
}

/// What a subscriber finds in its queue.
#[derive(Debug)]
pub(crate) enum Next {
    Item {
        /// Its number for this subscriber. Gaps are items that were dropped.
        seq: u64,
        item: Arc<Item>,
        /// With the first item of a subscription that was resumed.
        missed: Option<Missed>,
        /// Whether more wait.
        more: bool,
    },
    /// The waker will be woken.
    Empty,
    Over {
        why: Over,
        /// The number of the last item, whether it was dropped or not.
        seq: u64,
    },
}

/// What a subscriber shares with its topic.
pub(super) struct Subscriber {
    /// Where it stands in the list of its key, under the lock of the topic.
    pub(super) at: AtomicUsize,
    pub(super) filter: OnceLock<Box<Filter>>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    bytes: usize,
    limits: QueueLimits,
    /// The number of the last item that was kept before the subscription began.
    replayed: u64,
    /// By how much the limits are exceeded for such items, until that many were taken.
    extra: usize,
    extra_bytes: usize,
    /// The memory of a queue with many of them.
    held: Option<HeldQueue>,
    overflow: Overflow,
    /// The number of the last item, whether it was dropped or not.
    seq: u64,
    missed: Option<Missed>,
    over: Option<Over>,
    waker: Option<Waker>,
    /// Whether the next item has to wake it.
    sleeps: bool,
}

struct Entry {
    seq: u64,
    item: Arc<Item>,
}

impl Subscriber {
    pub(super) fn new(overflow: Overflow) -> Arc<Self> {
        let queue = Queue {
            overflow,
            sleeps: true,
            ..Queue::default()
        };
        Arc::new(Self {
            at: AtomicUsize::new(0),
            filter: OnceLock::new(),
            queue: Mutex::new(queue),
        })
    }

    /// No code of the program's runs under this lock but that of a waker.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets what may wait, and the policy beyond it.
    pub(super) fn set_limits(&self, limits: QueueLimits, overflow: Overflow) {
        let mut queue = self.lock();
        (queue.limits, queue.overflow) = (limits, overflow);
    }

    /// Queues an item and wakes the subscriber. Returns whether it is queued, and how many were dropped.
    pub(super) fn push(&self, item: &Arc<Item>) -> (bool, usize) {
        let mut queue = self.lock();
        if queue.over.is_some() {
            return (false, 0);
        }
        queue.seq += 1;
        let (queued, dropped) = queue.push(item);
        if queue.sleeps {
            queue.wake();
        }
        (queued, dropped)
    }

    /// Takes the next item; if there is none, the waker is woken when one comes.
    pub(super) fn next(&self) -> Next {
        let mut queue = self.lock();
        let Some(entry) = queue.drop_front() else {
            if let Some(why) = queue.over {
                let seq = queue.seq;
                return Next::Over { why, seq };
            }
            queue.sleeps = true;
            return Next::Empty;
        };
        queue.extra = queue.extra.saturating_sub(1);
        queue.extra_bytes = queue.extra_bytes.saturating_sub(entry.item.bytes());
        let is_empty = queue.entries.is_empty();
        if is_empty {
            queue.clear();
            queue.sleeps = queue.over.is_none();
        }
        Next::Item {
            seq: entry.seq,
            item: entry.item,
            missed: queue.missed.take(),
            more: !is_empty || queue.over.is_some(),
        }
    }

    /// What was to be said with an item that is left out comes with the next one. Returns whether the
    /// policy allows to leave items out.
    pub(super) fn left_out(&self, missed: Option<Missed>) -> bool {
        let mut queue = self.lock();
        queue.missed = missed.or(queue.missed);
        !matches!(queue.overflow, Overflow::Disconnect | Overflow::Block)
    }

    /// Sets what is woken when an item comes.
    pub(super) fn listen(&self, waker: &Waker) {
        let mut queue = self.lock();
        let known = queue.waker.as_ref();
        if known.is_none_or(|known| !known.will_wake(waker)) {
            let old = queue.waker.replace(waker.clone());
            // Unlocked first: with its last waker a task may go, and with that another subscription.
            drop(queue);
            drop(old);
        }
    }

    /// Ends it behind what waits.
    pub(super) fn end(&self, why: Over) {
        let mut queue = self.lock();
        if queue.over.is_none() {
            queue.over = Some(why);
            queue.wake();
        }
    }

    /// Drops items that came up to a stamp. Returns how many.
    pub(super) fn shed(&self, stamp: u64) -> usize {
        let mut queue = self.lock();
        let is_old = |queue: &Queue| {
            let front = queue.entries.front();
            front.is_some_and(|entry| entry.item.stamp <= stamp)
        };
        if !is_old(&queue) {
            return 0;
        }
        if matches!(queue.overflow, Overflow::Disconnect | Overflow::Block) {
            let count = queue.clear();
            queue.over.get_or_insert(Over::Lagged);
            queue.wake();
            return count;
        }
        let mut count = 0;
        while is_old(&queue) && queue.drop_front().is_some() {
            count += 1;
        }
        if queue.entries.is_empty() {
            queue.clear();
        }
        count
    }

    /// Puts items before those that wait, except those that the filter does not pass, and says what is
    /// missing before them. Items that wait are only kept if `keeps` says so.
    pub(super) fn replay(
        &self,
        items: Vec<Arc<Item>>,
        missed: Option<Missed>,
        held: Option<HeldQueue>,
        keeps: impl Fn(&Item) -> bool,
    ) {
        let passes = |item: &Arc<Item>| match self.filter.get() {
            Some(filter) => filter.passes_text(item.json()),
            None => true,
        };
        let items: Vec<_> = items.into_iter().filter(passes).collect();
        let held = held.and_then(|held| held.shortened(items.len() * ENTRY));
        let mut queue = self.lock();
        queue.missed = missed;
        let waiting = queue.take_all();
        let gaps = queue.seq - waiting.len() as u64;
        queue.held = held;
        let waiting = waiting.into_iter().map(|entry| entry.item);
        queue.fill(items, waiting.filter(|item| keeps(item)), gaps);
    }

    /// Drops those that wait and do not pass the filter.
    pub(super) fn apply_filter(&self) {
        let Some(filter) = self.filter.get() else {
            return;
        };
        let mut queue = self.lock();
        let (replayed, held) = (queue.replayed, queue.held.take());
        let mut waiting = queue.take_all();
        drop(queue);
        let all = waiting.len();
        // Outside of the lock: it runs code of the program's.
        waiting.retain(|entry| filter.passes_text(entry.item.json()));
        let behind = waiting.split_off(waiting.partition_point(|entry| entry.seq <= replayed));
        let before: Vec<_> = waiting.into_iter().map(|entry| entry.item).collect();
        let held = held.and_then(|held| held.shortened(before.len() * ENTRY));
        let mut queue = self.lock();
        let newer = queue.take_all();
        let gaps = queue.seq - (all + newer.len()) as u64;
        queue.held = held;
        let behind = behind.into_iter().chain(newer).map(|entry| entry.item);
        queue.fill(before, behind, gaps);
    }
}

impl Queue {
    fn push(&mut self, item: &Arc<Item>) -> (bool, usize) {
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

    fn drop_front(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.item.bytes();
        Some(entry)
    }

    /// Drops all that waits. Returns how many items.
    fn clear(&mut self) -> usize {
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
    fn take_all(&mut self) -> VecDeque<Entry> {
        let entries = std::mem::take(&mut self.entries);
        self.clear();
        entries
    }

    /// Numbers items anew, some of the history and those behind it, in an empty queue. Those that were
    /// dropped before the subscription began show up behind them.
    fn fill(
        &mut self,
        replayed: Vec<Arc<Item>>,
        behind: impl Iterator<Item = Arc<Item>>,
        gaps: u64,
    ) {
        self.seq = 0;
        self.entries.reserve_exact(replayed.len());
        self.replayed = replayed.len() as u64;
        self.extra = replayed.len();
        self.extra_bytes = replayed.iter().map(|item| item.bytes()).sum();
        for item in replayed.into_iter().chain(behind) {
            self.seq += 1;
            self.add(item);
        }
        self.seq += gaps;
    }

    fn wake(&mut self) {
        self.sleeps = false;
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}
