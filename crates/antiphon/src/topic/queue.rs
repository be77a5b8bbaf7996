//! Queue of one subscriber: references to the items that it has not taken yet.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use super::filter::Filter;
use super::gaps::{Behind, Gaps, Missed};
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

/// What a subscriber finds in its queue.
#[derive(Debug)]
pub(crate) enum Next {
    Item {
        /// Its number for this subscriber. Gaps are items that were dropped.
        seq: u64,
        item: Arc<Item>,
        /// With the first item of a subscription that was resumed, and where the worker has lost items.
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
    /// The number of the last item before its first one, set under the lock of the topic.
    pub(super) from: AtomicU64,
    pub(super) filter: OnceLock<Box<Filter>>,
    /// Held while what waits is changed in several steps.
    editing: Mutex<()>,
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
    gaps: Gaps,
    /// Whether nothing is taken yet, because it is not known where it begins.
    is_paused: bool,
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
            from: AtomicU64::new(0),
            filter: OnceLock::new(),
            editing: Mutex::new(()),
            queue: Mutex::new(queue),
        })
    }

    /// No code of the program's runs under this lock but that of a waker.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets nobody else change what waits in several steps. It comes before the lock of the topic, and code
    /// of the program's may run under it.
    pub(super) fn edit(&self) -> MutexGuard<'_, ()> {
        self.editing.lock().unwrap_or_else(PoisonError::into_inner)
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
        if queue.is_paused {
            queue.sleeps = true;
            return Next::Empty;
        }
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
        let gap = queue.gaps.take(entry.seq);
        Next::Item {
            seq: entry.seq,
            item: entry.item,
            missed: Missed::sum(queue.missed.take(), gap),
            more: !is_empty || queue.over.is_some(),
        }
    }

    /// Takes note of items that it does not get, which the next one is told with.
    pub(super) fn miss(&self, missed: Missed) {
        let mut queue = self.lock();
        let next = queue.seq + 1;
        let first = queue.entries.front().map_or(next, |entry| entry.seq);
        queue.gaps.add(missed, first, next);
    }

    /// Nothing is taken until it is told what to begin with.
    pub(super) fn pause(&self) {
        self.lock().is_paused = true;
    }

    /// Ends it, because there is no memory for what it was to begin with.
    pub(super) fn give_up(&self) {
        let mut queue = self.lock();
        queue.is_paused = false;
        queue.clear();
        queue.over.get_or_insert(Over::Lagged);
        queue.wake();
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

    /// Those of the items that pass the filter.
    pub(super) fn passing(&self, items: Vec<Arc<Item>>) -> Vec<Arc<Item>> {
        let passes = |item: &Arc<Item>| match self.filter.get() {
            Some(filter) => filter.passes_text(item.json()),
            None => true,
        };
        items.into_iter().filter(passes).collect()
    }

    /// Puts items that pass the filter before those that wait, and says what is missing before them. Items
    /// that wait are only kept if they were not seen.
    pub(super) fn replay(
        &self,
        items: Vec<Arc<Item>>,
        missed: Option<Missed>,
        held: Option<HeldQueue>,
        behind: &Behind,
    ) {
        let held = held.and_then(|held| held.shortened(items.len() * ENTRY));
        let mut queue = self.lock();
        queue.missed = missed;
        let mut waiting = queue.take_all();
        let dropped = queue.seq - waiting.len() as u64;
        waiting.retain(|entry| (behind.number)(&entry.item) > behind.seen);
        let first = waiting.front();
        let first = first.map(|entry| (entry.seq, (behind.number)(&entry.item)));
        let mut gaps = std::mem::take(&mut queue.gaps);
        gaps.go_on(behind, first);
        queue.held = held;
        queue.fill(items, waiting, gaps, dropped);
        let has_news = !queue.entries.is_empty() || queue.over.is_some();
        if std::mem::take(&mut queue.is_paused) && has_news {
            queue.wake();
        }
    }

    /// Drops those that wait and do not pass the filter.
    pub(super) fn apply_filter(&self) {
        let Some(filter) = self.filter.get() else {
            return;
        };
        let mut queue = self.lock();
        let (replayed, held) = (queue.replayed, queue.held.take());
        let mut waiting = queue.take_all();
        let mut gaps = std::mem::take(&mut queue.gaps);
        drop(queue);
        let all = waiting.len();
        // Outside of the lock: it runs code of the program's.
        waiting.retain(|entry| filter.passes_text(entry.item.json()));
        let behind = waiting.split_off(waiting.partition_point(|entry| entry.seq <= replayed));
        let before: Vec<_> = waiting.into_iter().map(|entry| entry.item).collect();
        let held = held.and_then(|held| held.shortened(before.len() * ENTRY));
        let mut queue = self.lock();
        let newer = queue.take_all();
        let dropped = queue.seq - (all + newer.len()) as u64;
        gaps.append(std::mem::take(&mut queue.gaps));
        queue.held = held;
        queue.fill(before, behind.into_iter().chain(newer), gaps, dropped);
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

    /// Numbers items anew, some of the history and those behind it, in an empty queue, and tells the gaps
    /// between the latter. Those that were dropped before the subscription began show up behind them.
    fn fill(
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

    fn wake(&mut self) {
        self.sleeps = false;
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}
