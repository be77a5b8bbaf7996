//! Turns of large results on threads that may block.
//!
//! A task does not write its result while its peer has not taken the ones before. A method on a
//! thread of its own cannot be suspended like that, so its thread waits: large results of one
//! connection are made one after the other, and only while little is held for it.

use std::cell::Cell;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::account::Account;

/// The longest wait, in case the call has no deadline.
const LONGEST: Duration = Duration::from_secs(30);

thread_local! {
    /// Until when this thread may wait.
    static MAY_BLOCK: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs a closure whose results may wait for their turn until `deadline`, or for 30 s.
pub(crate) fn may_block<R>(deadline: Option<Instant>, work: impl FnOnce() -> R) -> R {
    let longest = Instant::now() + LONGEST;
    MAY_BLOCK.set(Some(deadline.map_or(longest, |at| at.min(longest))));
    let result = work();
    MAY_BLOCK.set(None);
    result
}

/// Waits until it is the turn of this thread; `None` if it may not block, or has waited enough.
/// Nobody else makes a large result until the guard is dropped.
pub(super) fn wait(account: &Arc<Account>) -> Option<MutexGuard<'_, ()>> {
    let until = MAY_BLOCK.get()?;
    let turn = account.turn();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    while account.poll_few(&mut cx).is_pending() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
    Some(turn)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
