//! Pool of bytes that all connections share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// One budget: a number of bytes, and how many of them are reserved.
#[derive(Debug)]
pub(crate) struct MemoryPool {
    max: usize,
    used: AtomicUsize,
    refused: AtomicU64,
}

impl MemoryPool {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            used: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// The size of the budget, in bytes.
    pub(crate) fn max(&self) -> usize {
        self.max
    }

    /// Reserved bytes.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// How many reservations were refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Whether more than three quarters are reserved.
    pub(super) fn is_scarce(&self) -> bool {
        self.used() > self.max - self.max / 4
    }

    /// Reserves bytes for a connection that then holds `held` bytes. Returns whether it may.
    ///
    /// No connection may hold more than is left afterwards (dynamic thresholds, as switches share
    /// their buffers). However many connections take what they can, a newcomer finds as much as
    /// each of them has.
    pub(super) fn take(&self, bytes: usize, held: usize) -> bool {
        let more = |used: usize| {
            let after = used.checked_add(bytes)?;
            let left = self.max.checked_sub(after)?;
            (held <= left).then_some(after)
        };
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok();
        if !taken {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    pub(super) fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Both budgets of a server.
#[derive(Clone, Debug)]
pub(crate) struct MemoryBudgets {
    pub(crate) requests: Arc<MemoryPool>,
    pub(crate) responses: Arc<MemoryPool>,
}

impl MemoryBudgets {
    pub(crate) fn new(requests: usize, responses: usize) -> Self {
        Self {
            requests: MemoryPool::new(requests),
            responses: MemoryPool::new(responses),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_finds_as_much_as_the_greediest_holds() {
        const MAX: usize = 1_000_000;
        for connections in [1, 2, 10, 100, 1000] {
            let pool = MemoryPool::new(MAX);
            let mut held = vec![0; connections];
            let mut moved = true;
            while moved {
                moved = false;
                for held in &mut held {
                    if pool.take(100, *held + 100) {
                        *held += 100;
                        moved = true;
                    }
                }
            }
            let left = MAX - pool.used();
            let most = held.iter().max().copied().unwrap_or_default();
            assert!(left >= most, "{connections}: {left} left, {most} held");
            assert!(pool.take(left / 2, left / 2), "{connections}");
            assert!(pool.refused() > 0);
        }
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let pool = MemoryPool::new(1000);
        for _ in 0..10 {
            assert!(pool.take(500, 500));
            assert!(!pool.take(1, 501));
            assert!(!pool.take(501, 1), "beyond the budget");
            assert!(!pool.take(usize::MAX, 1), "beyond all numbers");
            pool.give(500);
        }
        assert_eq!((pool.used(), pool.refused()), (0, 30));
    }
}
