//! Queue of one subscriber: references to the items that it has not taken yet.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use super::filter::Filter;
use super::item::Item;
use super::overflow::Overflow;

/// The capacity beyond which an empty queue gives its memory back.
const KEPT: usize = 32;

/// How many gaps are told where they are. More of them are told together, behind what waits.
const MAX_GAPS: usize = 64;

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

/// Items before this one that a subscriber does not get: because they are not kept any more, or because
/// its worker has not followed the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missed {
    Some(u64),
    /// Nobody knows how many.
    Unknown,
}

impl Missed {
    fn and(before: Option<Self>, more: Self) -> Self {
        match (before, more) {
            (None, more) => more,
            (Some(Self::Some(before)), Self::Some(more)) => Self::Some(before + more),
            _ => Self::Unknown,
        }
    }
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

/// Where a subscriber goes on.
pub(super) struct Behind {
    /// The number of an item, of those that the subscriber gets.
    pub(super) number: fn(&Item) -> u64,
    /// That of the last one that it has seen.
    pub(super) seen: u64,
    /// That of the last one of all.
    pub(super) last: u64,
}

/// What a subscriber shares with its topic.
pub(super) struct Subscriber {
    /// Where it stands in the list of its key, under the lock of the topic.
    pub(super) at: AtomicUsize,
    /// The number of the last item before its first one, set under the lock of the topic.
    pub(super) from: AtomicU64,
    pub(super) filter: OnceLock<Box<Filter>>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<Entry>,
    bytes: usize,
    limits: QueueLimits,
    /// Items that were kept before the subscription began count to no limit, until they are taken.
    replayed: usize,
    replayed_bytes: usize,
    overflow: Overflow,
    /// The number of the last item, whether it was dropped or not.
    seq: u64,
    missed: Option<Missed>,
    /// What is missing before the items that have these numbers, or did have them before they were
    /// dropped.
    gaps: VecDeque<(u64, Missed)>,
    /// Whether nothing is taken yet, because it is not known where it begins.
    is_held: bool,
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
        if queue.is_held {
            queue.sleeps = true;
            return Next::Empty;
        }
        let Some(entry) = queue.entries.pop_front() else {
            if let Some(why) = queue.over {
                let seq = queue.seq;
                return Next::Over { why, seq };
            }
            queue.sleeps = true;
            return Next::Empty;
        };
        queue.bytes -= entry.item.bytes();
        queue.tell_gaps(entry.seq);
        let is_empty = queue.entries.is_empty();
        if is_empty {
            (queue.replayed, queue.replayed_bytes) = (0, 0);
            queue.sleeps = queue.over.is_none();
            if queue.entries.capacity() > KEPT {
                queue.entries = VecDeque::new();
            }
        }
        Next::Item {
            seq: entry.seq,
            item: entry.item,
            missed: queue.missed.take(),
            more: !is_empty || queue.over.is_some(),
        }
    }

    /// Takes note of items that it does not get, which the next one is told with.
    pub(super) fn miss(&self, missed: Missed) {
        let mut queue = self.lock();
        let next = queue.seq + 1;
        match queue.gaps.back_mut() {
            Some((seq, before)) if *seq == next => *before = Missed::and(Some(*before), missed),
            _ => queue.gaps.push_back((next, missed)),
        }
        // Those before items that were dropped are told together.
        let first = queue.entries.front().map_or(next, |entry| entry.seq);
        while queue.gaps.get(1).is_some_and(|(seq, _)| *seq <= first)
            && let Some((_, before)) = queue.gaps.pop_front()
            && let Some((_, missed)) = queue.gaps.front_mut()
        {
            *missed = Missed::and(Some(before), *missed);
        }
        if queue.gaps.len() > MAX_GAPS {
            queue.move_gaps();
        }
    }

    /// Nothing is taken until it is told what to begin with.
    pub(super) fn hold(&self) {
        self.lock().is_held = true;
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
        match &mut queue.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
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
            let count = queue.entries.len();
            queue.entries = VecDeque::new();
            queue.bytes = 0;
            queue.over.get_or_insert(Over::Lagged);
            queue.wake();
            return count;
        }
        let mut count = 0;
        while is_old(&queue) && queue.drop_front() {
            count += 1;
        }
        count
    }

    /// Puts items before those that wait, except those that the filter does not pass, and says what is
    /// missing before them. Items that wait are only kept if they were not seen.
    pub(super) fn replay(&self, items: Vec<Arc<Item>>, missed: Option<Missed>, behind: &Behind) {
        let passes = |item: &Arc<Item>| match self.filter.get() {
            Some(filter) => filter.passes_text(item.json()),
            None => true,
        };
        let items: Vec<_> = items.into_iter().filter(passes).collect();
        let mut queue = self.lock();
        queue.missed = missed;
        let mut waiting = std::mem::take(&mut queue.entries);
        let gaps = queue.seq - waiting.len() as u64;
        waiting.retain(|entry| (behind.number)(&entry.item) > behind.seen);
        let gap = queue.gap_behind(behind, waiting.front());
        queue.seq = 0;
        queue.bytes = 0;
        queue.replayed = items.len();
        queue.replayed_bytes = items.iter().map(|item| item.bytes()).sum();
        for item in items {
            queue.seq += 1;
            queue.add(item);
        }
        let later = std::mem::take(&mut queue.gaps);
        queue.gaps = gap.into_iter().map(|gap| (queue.seq + 1, gap)).collect();
        queue.add_again(waiting, later);
        // Those that were dropped before the subscription began show up behind what has waited.
        queue.seq += gaps;
        if std::mem::take(&mut queue.is_held) && !queue.entries.is_empty() {
            queue.wake();
        }
    }

    /// Drops those that wait and do not pass the filter.
    pub(super) fn apply_filter(&self) {
        let Some(filter) = self.filter.get() else {
            return;
        };
        let mut queue = self.lock();
        let waiting = std::mem::take(&mut queue.entries);
        drop(queue);
        // Outside of the lock: it runs code of the program's.
        let passed: Vec<_> = waiting
            .into_iter()
            .filter(|entry| filter.passes_text(entry.item.json()))
            .collect();
        let mut queue = self.lock();
        let newer = std::mem::take(&mut queue.entries);
        queue.seq = 0;
        queue.bytes = 0;
        let gaps = std::mem::take(&mut queue.gaps);
        queue.add_again(passed.into_iter().chain(newer), gaps);
    }
}

impl Queue {
    /// What is missing before the item with this number, and before all that came earlier, is told with
    /// the next one that is taken.
    fn tell_gaps(&mut self, until: u64) {
        while let Some(&(seq, missed)) = self.gaps.front()
            && seq <= until
        {
            self.gaps.pop_front();
            self.missed = Some(Missed::and(self.missed, missed));
        }
    }

    /// What is missing between an item that was seen and the first one that waits; what else has gone
    /// before that was seen.
    fn gap_behind(&mut self, behind: &Behind, first: Option<&Entry>) -> Option<Missed> {
        let is_before = |seq: u64| first.is_none_or(|first| seq <= first.seq);
        let (before, later): (VecDeque<_>, VecDeque<_>) =
            self.gaps.drain(..).partition(|(seq, _)| is_before(*seq));
        self.gaps = later;
        let before = before.into_iter();
        match before.fold(None, |all, (_, missed)| Some(Missed::and(all, missed)))? {
            Missed::Unknown => Some(Missed::Unknown),
            Missed::Some(_) => {
                let last = first.map_or(behind.last, |first| (behind.number)(&first.item) - 1);
                let count = last.saturating_sub(behind.seen);
                (count > 0).then_some(Missed::Some(count))
            }
        }
    }

    /// Adds items with new numbers, and what is missing between them.
    fn add_again(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
        mut gaps: VecDeque<(u64, Missed)>,
    ) {
        for entry in entries {
            self.seq += 1;
            while let Some(&(seq, missed)) = gaps.front()
                && seq <= entry.seq
            {
                gaps.pop_front();
                self.gaps.push_back((self.seq, missed));
            }
            self.add(entry.item);
        }
        let next = self.seq + 1;
        self.gaps
            .extend(gaps.into_iter().map(|(_, missed)| (next, missed)));
    }

    /// What is missing between the items that wait is told behind them.
    fn move_gaps(&mut self) {
        let all = self.gaps.drain(..);
        let all = all.fold(None, |all, (_, missed)| Some(Missed::and(all, missed)));
        self.gaps.extend(all.map(|all| (self.seq + 1, all)));
    }

    fn push(&mut self, item: &Arc<Item>) -> (bool, usize) {
        let mut dropped = 0;
        match self.overflow {
            Overflow::LatestOnly => {
                dropped = self.entries.len();
                self.entries.clear();
                self.bytes = 0;
            }
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

    /// Drops what waits of the same key: one item, or a part of the history. The new one goes to the
    /// end, so that cursors only grow.
    fn conflate(&mut self, item: &Item) -> usize {
        let (count, mut bytes) = (self.entries.len(), self.bytes);
        self.entries.retain(|entry| {
            let other = entry.item.key != item.key;
            bytes -= if other { 0 } else { entry.item.bytes() };
            other
        });
        self.bytes = bytes;
        count - self.entries.len()
    }

    /// Whether `more` bytes would exceed a limit. If nothing waits, an item may have any size.
    fn is_full(&self, more: usize) -> bool {
        let count = self.entries.len().saturating_sub(self.replayed);
        let bytes = self.bytes.saturating_sub(self.replayed_bytes);
        count > 0 && (count >= self.limits.items || bytes + more > self.limits.bytes)
    }

    fn drop_front(&mut self) -> bool {
        let front = self.entries.pop_front();
        if let Some(entry) = &front {
            self.bytes -= entry.item.bytes();
        }
        front.is_some()
    }

    fn wake(&mut self) {
        self.sleeps = false;
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

/// Those who have use of the items of a key.
pub(super) trait Audience: Default {
    fn is_empty(&self) -> bool;
}

/// The subscribers of one key, or of all, in any order.
#[derive(Default)]
pub(super) struct Members(Vec<Arc<Subscriber>>);

impl Members {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Subscriber>> {
        self.0.iter()
    }

    pub(super) fn add(&mut self, subscriber: Arc<Subscriber>) {
        if self.0.capacity() == 0 {
            // Most keys of many have one.
            self.0.reserve_exact(1);
        }
        subscriber.at.store(self.0.len(), Ordering::Relaxed);
        self.0.push(subscriber);
    }

    /// Removes a subscriber. Returns whether it was there.
    pub(super) fn remove(&mut self, subscriber: &Arc<Subscriber>) -> bool {
        let at = subscriber.at.load(Ordering::Relaxed);
        let is_here = |found: &Arc<Subscriber>| Arc::ptr_eq(found, subscriber);
        if !self.0.get(at).is_some_and(is_here) {
            return false;
        }
        self.0.swap_remove(at);
        if let Some(moved) = self.0.get(at) {
            moved.at.store(at, Ordering::Relaxed);
        }
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to(self.0.len() * 2);
        }
        true
    }
}

impl Audience for Members {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
