//! Account of one connection: what it holds of both budgets.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::Exhausted;
use super::FREE;
use super::pool::{MemoryBudgets, MemoryPool};

/// The part of a budget that one connection may hold, unless a single message needs more.
const SHARE: usize = 10;

/// While the memory for responses is scarce, whoever holds more than this has to read faster.
const MUCH: usize = 64 * 1024;

/// Which budget bytes belong to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// From the peer: bodies and messages.
    Request,
    /// To the peer: results and items.
    Response,
}

/// What is held for one connection.
#[derive(Debug, Default)]
pub(crate) struct Account {
    requests: Share,
    responses: Share,
    /// Bytes that a holder may keep without a reservation.
    free: usize,
    /// Bytes of whole responses that the peer has not taken yet.
    unwritten: AtomicUsize,
    /// While there are more, no more responses should be made.
    max_unwritten: usize,
    /// Whether somebody waits for room.
    crowded: AtomicBool,
    room: Mutex<Vec<Waker>>,
    turn: Mutex<()>,
}

/// The share of one connection in one budget.
#[derive(Debug, Default)]
struct Share {
    /// `None` without a budget.
    pool: Option<Arc<MemoryPool>>,
    /// The most bytes of this connection; `None` if it stands for many that are not known.
    max: Option<usize>,
    held: AtomicUsize,
}

/// What the accounts of new connections are made from.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    pub(crate) budgets: MemoryBudgets,
    /// The most bytes of one message from the peer.
    pub(crate) max_request: usize,
    /// The most bytes of one response, a batch included.
    pub(crate) max_response: usize,
    /// While more bytes than this are unwritten, no more responses are made.
    pub(crate) max_unwritten: usize,
}

impl Accounts {
    /// Accounts under budgets of so many bytes, with the default sizes of messages.
    pub(crate) fn new(requests: usize, responses: usize) -> Self {
        Self {
            budgets: MemoryBudgets::new(requests, responses),
            max_request: 10 * 1024 * 1024,
            max_response: 25 * 1024 * 1024,
            max_unwritten: 4 * 1024 * 1024,
        }
    }

    /// The account of one connection.
    pub(crate) fn open(&self) -> Arc<Account> {
        let answers = self.max_response.saturating_add(self.max_unwritten);
        Arc::new(Account {
            requests: Share::of(&self.budgets.requests, self.max_request),
            responses: Share::of(&self.budgets.responses, answers),
            max_unwritten: self.max_unwritten,
            free: FREE,
            ..Account::default()
        })
    }

    /// The account of all connections of a host that does not show them.
    pub(crate) fn of_host(&self) -> Arc<Account> {
        Arc::new(Account {
            requests: Share::of_many(&self.budgets.requests),
            responses: Share::of_many(&self.budgets.responses),
            max_unwritten: usize::MAX,
            ..Account::default()
        })
    }
}

impl Account {
    /// An account without a budget: of calls in process, and of clients.
    pub(crate) fn unlimited() -> Arc<Self> {
        Arc::new(Self {
            max_unwritten: usize::MAX,
            free: usize::MAX,
            ..Self::default()
        })
    }

    /// An account of something that many connections share, under the budget for responses of this one;
    /// `None` if this one has no budget.
    pub(crate) fn of_the_same_budgets(&self) -> Option<Arc<Self>> {
        let pool = self.responses.pool.as_ref()?;
        Some(Arc::new(Self {
            responses: Share::of_many(pool),
            max_unwritten: usize::MAX,
            ..Self::default()
        }))
    }

    fn share(&self, direction: Direction) -> &Share {
        match direction {
            Direction::Request => &self.requests,
            Direction::Response => &self.responses,
        }
    }

    /// Whether it stands for all connections of a host.
    pub(crate) fn is_of_host(&self) -> bool {
        self.free == 0
    }

    pub(super) fn free(&self) -> usize {
        self.free
    }

    pub(super) fn is_unlimited(&self) -> bool {
        self.free == usize::MAX
    }

    pub(super) fn take(&self, direction: Direction, bytes: usize) -> Result<(), Exhausted> {
        self.share(direction).take(bytes)
    }

    pub(super) fn give(&self, direction: Direction, bytes: usize) {
        self.share(direction).give(bytes);
        if direction == Direction::Response {
            self.wake_if_room();
        }
    }

    /// Bytes that are held in this direction.
    pub(crate) fn held(&self, direction: Direction) -> usize {
        self.share(direction).held.load(Ordering::SeqCst)
    }

    pub(super) fn add_unwritten(&self, bytes: usize) {
        self.unwritten.fetch_add(bytes, Ordering::SeqCst);
    }

    pub(super) fn sub_unwritten(&self, bytes: usize) {
        self.unwritten.fetch_sub(bytes, Ordering::SeqCst);
    }

    /// Waits until the peer has taken enough of its responses for more to be made.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, || {
            self.unwritten.load(Ordering::SeqCst) <= self.max_unwritten
        })
    }

    /// Waits until so little is held for responses that a large one may be made.
    pub(crate) fn poll_few(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(cx, || self.held(Direction::Response) <= self.max_unwritten)
    }

    fn poll_until(&self, cx: &mut Context<'_>, holds: impl Fn() -> bool) -> Poll<()> {
        if holds() {
            return Poll::Ready(());
        }
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let waker = cx.waker();
        if !room.iter().any(|known| known.will_wake(waker)) {
            room.push(waker.clone());
        }
        self.crowded.store(true, Ordering::SeqCst);
        // Check again: bytes may have been returned just before `crowded` was set.
        match holds() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// Both waits end when less is held; those that still have to wait register again.
    fn wake_if_room(&self) {
        if !self.crowded.load(Ordering::SeqCst)
            || self.unwritten.load(Ordering::SeqCst) > self.max_unwritten
        {
            return;
        }
        let mut room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        self.crowded.store(false, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *room);
        drop(room);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether the memory for responses is scarce and this connection holds much of it.
    pub(crate) fn is_pressed(&self) -> bool {
        let share = &self.responses;
        share.held.load(Ordering::Relaxed) > MUCH
            && share.pool.as_ref().is_some_and(|pool| pool.is_scarce())
    }

    /// The right to make a large response on a thread that may block: one at a time.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// The share of a connection whose largest message has this many bytes.
    fn of(pool: &Arc<MemoryPool>, largest: usize) -> Self {
        Self {
            pool: Some(Arc::clone(pool)),
            max: Some((pool.max() / SHARE).max(largest)),
            held: AtomicUsize::new(0),
        }
    }

    fn of_many(pool: &Arc<MemoryPool>) -> Self {
        Self {
            pool: Some(Arc::clone(pool)),
            ..Self::default()
        }
    }

    fn take(&self, bytes: usize) -> Result<(), Exhausted> {
        let held = self.held.fetch_add(bytes, Ordering::SeqCst) + bytes;
        let Some(pool) = &self.pool else {
            return Ok(());
        };
        let allowed = match self.max {
            Some(max) => held <= max && pool.take(bytes, held),
            None => pool.take(bytes, 0),
        };
        if !allowed {
            self.held.fetch_sub(bytes, Ordering::SeqCst);
            return Err(Exhausted);
        }
        Ok(())
    }

    fn give(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::SeqCst);
        if let Some(pool) = &self.pool {
            pool.give(bytes);
        }
    }
}
