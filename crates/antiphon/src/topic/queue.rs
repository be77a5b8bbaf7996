//! Queue of one subscriber: what its topic puts there, and what it takes.

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use super::filter::Filter;
use super::gaps::{Behind, Missed};
use super::item::Item;
use super::memory::HeldQueue;
use super::overflow::Overflow;
use super::waiting::Queue;

pub(super) use super::waiting::ENTRY;
pub(crate) use super::waiting::{Over, QueueLimits};

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
        /// As with an item: what is missing behind the last one, and was not told.
        missed: Option<Missed>,
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
                return Next::Over {
                    why,
                    seq: queue.seq,
                    missed: queue.missed_before(u64::MAX),
                };
            }
            queue.sleeps = true;
            return Next::Empty;
        };
        if queue.extra > 0 {
            queue.extra -= 1;
            queue.extra_bytes = match queue.extra {
                0 => 0,
                _ => queue.extra_bytes.saturating_sub(entry.item.bytes()),
            };
        }
        let is_empty = queue.entries.is_empty();
        if is_empty {
            queue.clear();
            queue.sleeps = queue.over.is_none();
        }
        Next::Item {
            missed: queue.missed_before(entry.seq),
            seq: entry.seq,
            item: entry.item,
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

    /// Nobody knows whether it has missed items since it has begun. Who goes on behind a cursor, now or
    /// later, is told what is behind that instead.
    pub(super) fn miss_at_start(&self) {
        let mut queue = self.lock();
        if queue.is_paused {
            return;
        }
        if queue.seq == 0 {
            queue.missed = Some(Missed::Unknown);
            return;
        }
        drop(queue);
        self.miss(Missed::Unknown);
    }

    /// Nothing is taken until it is told what to begin with. Returns `false` if it is over: then nothing
    /// comes, and nobody knows what is missing.
    pub(super) fn pause(&self) -> bool {
        let mut queue = self.lock();
        queue.is_paused = queue.over.is_none();
        if !queue.is_paused {
            queue.clear();
            queue.missed = Some(Missed::Unknown);
        }
        queue.is_paused
    }

    /// Ends it, because there is no memory for what it was to begin with.
    pub(super) fn give_up(&self) {
        self.end(Over::Lagged);
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

    /// Ends it behind what waits. If it is not known where it begins, nobody knows what of that it has seen
    /// elsewhere.
    pub(super) fn end(&self, why: Over) {
        let mut queue = self.lock();
        if std::mem::take(&mut queue.is_paused) {
            queue.clear();
            queue.missed = Some(Missed::Unknown);
        } else if queue.over.is_some() {
            return;
        }
        queue.over.get_or_insert(why);
        queue.wake();
    }

    /// Drops items that came up to a stamp, but for those that a history keeps anyway. Returns how many.
    pub(super) fn shed(&self, stamp: u64, is_of_all: bool) -> usize {
        let mut queue = self.lock();
        let costs = |item: &Item| item.stamp <= stamp && !item.held.is_kept();
        let until = match is_of_all {
            true => queue
                .entries
                .partition_point(|entry| entry.item.stamp <= stamp),
            // What comes behind an item of the same key that is kept, is kept as well.
            false => queue.entries.len().min(1),
        };
        if !queue.entries.range(..until).any(|entry| costs(&entry.item)) {
            return 0;
        }
        if matches!(queue.overflow, Overflow::Disconnect | Overflow::Block) {
            let count = queue.clear();
            queue.over.get_or_insert(Over::Lagged);
            queue.wake();
            return count;
        }
        let count = queue.drop_if(costs);
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
