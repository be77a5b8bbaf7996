//! Memory of a topic: the bytes of its items, each counted once however many wait for it.

use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// What is reserved in the budget for responses, for items that only wait for subscribers.
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
    pub(super) fn keep(&self, bytes: usize) {
        self.kept.fetch_add(bytes, Ordering::Relaxed);
    }

    /// An item leaves its history.
    pub(super) fn forget(&self, bytes: usize) {
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

    /// Reserves what waits.
    ///
    /// # Errors
    ///
    /// If the budget does not allow it; with the bytes that it does allow.
    pub(super) fn reserve(&self) -> Result<(), usize> {
        let waiting = self.waiting();
        if waiting <= self.reserved.load(Ordering::Relaxed).max(FREE) {
            return Ok(());
        }
        let mut budget = self.budget();
        let Some(held) = budget.as_mut() else {
            return Ok(());
        };
        let set = held.set(waiting.next_multiple_of(STEP));
        let bytes = held.bytes();
        self.reserved.store(bytes, Ordering::Relaxed);
        set.map_err(|Exhausted| bytes)
    }

    /// Returns what is reserved and not needed any more.
    fn less(&self) {
        let reserved = self.reserved.load(Ordering::Relaxed);
        if reserved == 0 {
            return;
        }
        let waiting = self.waiting();
        if waiting > 0 && reserved < waiting.saturating_add(2 * STEP) {
            return;
        }
        if let Some(held) = self.budget().as_mut() {
            held.shrink_to(self.waiting().next_multiple_of(STEP));
            self.reserved.store(held.bytes(), Ordering::Relaxed);
        }
    }
}

/// The bytes of one item, returned when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: usize,
    memory: Arc<Memory>,
}

impl Held {
    pub(super) fn new(memory: &Arc<Memory>, bytes: usize) -> Self {
        memory.begin(bytes);
        Self {
            bytes,
            memory: Arc::clone(memory),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.end(self.bytes);
    }
}
