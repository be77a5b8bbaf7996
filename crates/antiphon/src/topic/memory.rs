//! Memory of a topic: the bytes of its items, each counted once however many wait for it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::memory_budget::{Account, Direction, Exhausted, FREE, Reservation};

/// What waits is reserved in steps of this many bytes, so that most items cost nothing.
const STEP: usize = 64 * 1024;

/// The bytes of all items that a topic has made and that still exist.
#[derive(Debug, Default)]
pub(super) struct Memory {
    alive: AtomicUsize,
    /// Those that a history keeps. They have a bound of their own.
    kept: AtomicUsize,
    /// Long queues of subscribers, without the items in them.
    queues: AtomicUsize,
    /// What is reserved in the budget for responses, for items that only wait and for long queues.
    reserved: AtomicUsize,
    /// `None` as long as no subscriber has a budget.
    budget: Mutex<Option<Reservation>>,
}

impl Memory {
    fn budget(&self) -> MutexGuard<'_, Option<Reservation>> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of items that are not in a history, and wait for subscribers.
    pub(super) fn waiting(&self) -> usize {
        let kept = self.kept.load(Ordering::Relaxed);
        self.alive.load(Ordering::Relaxed).saturating_sub(kept)
    }

    /// Bytes of long queues.
    pub(super) fn queues(&self) -> usize {
        self.queues.load(Ordering::Relaxed)
    }

    /// What has to be reserved.
    fn needed(&self) -> usize {
        self.waiting() + self.queues()
    }

    /// Bytes of items in histories.
    pub(super) fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self, bytes: usize) {
        self.alive.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn end(&self, bytes: usize) {
        self.alive.fetch_sub(bytes, Ordering::Relaxed);
        self.less();
    }

    /// An item goes into a history.
    fn keep(&self, bytes: usize) {
        self.kept.fetch_add(bytes, Ordering::Relaxed);
    }

    /// An item leaves its history.
    fn forget(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Learns the budget of a subscriber's connection.
    pub(super) fn learn(&self, account: &Account) {
        let mut budget = self.budget();
        if budget.is_none()
            && let Some(own) = account.of_the_same_budgets()
        {
            *budget = Some(Reservation::new(&own, Direction::Response));
        }
    }

    /// Reserves what waits, and long queues.
    ///
    /// # Errors
    ///
    /// If the budget does not allow it; with the bytes that it does allow for what waits.
    pub(super) fn reserve(&self) -> Result<(), usize> {
        let needed = self.needed();
        if needed <= self.reserved.load(Ordering::Relaxed).max(FREE) {
            return Ok(());
        }
        let mut budget = self.budget();
        let Some(held) = budget.as_mut() else {
            return Ok(());
        };
        let set = held.set(needed.next_multiple_of(STEP));
        let bytes = held.bytes();
        self.reserved.store(bytes, Ordering::Relaxed);
        set.map_err(|Exhausted| bytes.saturating_sub(self.queues()))
    }

    /// Returns what is reserved and not needed any more.
    fn less(&self) {
        let reserved = self.reserved.load(Ordering::Relaxed);
        if reserved == 0 {
            return;
        }
        let needed = self.needed();
        if needed > 0 && reserved < needed.saturating_add(2 * STEP) {
            return;
        }
        if let Some(held) = self.budget().as_mut() {
            held.shrink_to(self.needed().next_multiple_of(STEP));
            self.reserved.store(held.bytes(), Ordering::Relaxed);
        }
    }
}

/// The bytes of one item, returned when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: usize,
    memory: Arc<Memory>,
    /// Whether a history has it, and it costs nothing that it waits.
    is_kept: AtomicBool,
}

impl Held {
    pub(super) fn new(memory: &Arc<Memory>, bytes: usize) -> Self {
        memory.begin(bytes);
        Self {
            bytes,
            memory: Arc::clone(memory),
            is_kept: AtomicBool::new(false),
        }
    }

    /// The item goes into a history.
    pub(super) fn keep(&self) {
        if !self.is_kept.swap(true, Ordering::Relaxed) {
            self.memory.keep(self.bytes);
        }
    }

    /// The item leaves its history.
    pub(super) fn forget(&self) {
        if self.is_kept.swap(false, Ordering::Relaxed) {
            self.memory.forget(self.bytes);
        }
    }

    pub(super) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.end(self.bytes);
    }
}

/// The bytes of a long queue, returned when it is dropped.
#[derive(Debug)]
pub(super) struct HeldQueue {
    bytes: usize,
    memory: Arc<Memory>,
}

impl HeldQueue {
    /// Holds so many bytes, if all long queues together have at most `max`.
    pub(super) fn new(memory: &Arc<Memory>, bytes: usize, max: usize) -> Option<Self> {
        memory.queues.fetch_add(bytes, Ordering::Relaxed);
        // Returned in any case.
        let held = Self {
            bytes,
            memory: Arc::clone(memory),
        };
        let fits = memory.queues() <= max && memory.reserve().is_ok();
        fits.then_some(held)
    }

    /// The same for a queue that has become shorter; `None` if it needs nothing.
    pub(super) fn shortened(mut self, bytes: usize) -> Option<Self> {
        if bytes <= FREE {
            return None;
        }
        let less = self.bytes.saturating_sub(bytes);
        self.bytes -= less;
        self.memory.queues.fetch_sub(less, Ordering::Relaxed);
        self.memory.less();
        Some(self)
    }
}

impl Drop for HeldQueue {
    fn drop(&mut self) {
        self.memory.queues.fetch_sub(self.bytes, Ordering::Relaxed);
        self.memory.less();
    }
}
