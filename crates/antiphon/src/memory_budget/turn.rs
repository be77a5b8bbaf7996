//! Turns of large results on threads that may block.
//!
//! A task does not write its result while its peer has not taken the ones before. A method on a
//! thread of its own cannot be suspended like that, so its thread waits: large results of one
//! connection are made one after the other, and only while little is held for it.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, MutexGuard};
use std::task::{Context, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::account::Account;

/// The longest wait, in case the call has no deadline.
const LONGEST: Duration = Duration::from_secs(30);

thread_local! {
    static BLOCKING: RefCell<Option<Blocking>> = const { RefCell::new(None) };
}

/// The call of a thread that may wait.
#[derive(Clone)]
struct Blocking {
    until: Instant,
    /// Cancelled when nobody waits for the call any more.
    abandoned: CancellationToken,
}

/// How the wait of a thread has ended.
pub(super) enum Turn<'a> {
    /// Nobody else makes a large result until the guard is dropped.
    Taken(MutexGuard<'a, ()>),
    /// The thread may not block, or has waited enough.
    None,
    /// Nobody waits for the result any more.
    Abandoned,
}

/// Runs a closure whose results may wait for their turn until `deadline`, or for 30 s, but not after
/// the call was `abandoned`.
pub(crate) fn may_block<R>(
    deadline: Option<Instant>,
    abandoned: CancellationToken,
    work: impl FnOnce() -> R,
) -> R {
    let longest = Instant::now() + LONGEST;
    let until = deadline.map_or(longest, |at| at.min(longest));
    BLOCKING.set(Some(Blocking { until, abandoned }));
    // The closure may panic.
    let _leave = Leave;
    work()
}

struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        BLOCKING.set(None);
    }
}

/// Waits until it is the turn of this thread.
pub(super) fn wait(account: &Arc<Account>) -> Turn<'_> {
    let Some(Blocking { until, abandoned }) = BLOCKING.with_borrow(Clone::clone) else {
        return Turn::None;
    };
    let turn = account.turn();
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut abandoned = pin!(abandoned.cancelled());
    loop {
        if abandoned.as_mut().poll(&mut cx).is_ready() {
            return Turn::Abandoned;
        }
        if account.poll_few(&mut cx).is_ready() {
            return Turn::Taken(turn);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Turn::None;
        }
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
