//! Load of this worker as the others see it: its open connections, and what it has refused lately.
//!
//! A worker that refuses connections has few of them, so its turn would come again and again. Its
//! number is raised for a while after a refusal, so that the next connections go to others.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::memory_budget::MemoryBudgets;
use crate::server::worker_counts::WorkerCounts;
use crate::server::worker_slot::Load;

/// How long a worker has a penalty after a refusal. A client that was refused is asked to come back
/// after 1 s, and meets another worker then, also if it comes somewhat later.
const PENALTY_TIME: Duration = Duration::from_secs(5);

/// By how many connections a worker that refuses has more than the one with the fewest, besides a
/// quarter of theirs. It is as many as hardly matter for the spread of some hundreds.
const PENALTY: u32 = 10;
const PENALTY_PART: u32 = 4;

/// What this worker tells the others.
#[derive(Debug)]
pub(super) struct WorkerLoad {
    pub(super) counts: WorkerCounts,
    penalty: Mutex<Penalty>,
    /// Whether there is a penalty that has to end.
    penalized: Notify,
    /// How many accept loops wait because they cannot accept.
    unable: AtomicUsize,
    budgets: MemoryBudgets,
    /// How many reservations of memory were refused when it was looked at last.
    seen_refusals: AtomicU64,
}

/// Connections that count in addition.
#[derive(Debug, Default)]
struct Penalty {
    number: u32,
    /// `None` if the number is 0.
    end: Option<Instant>,
}

impl WorkerLoad {
    pub(super) fn new(counts: WorkerCounts, budgets: MemoryBudgets) -> Self {
        Self {
            counts,
            penalty: Mutex::default(),
            penalized: Notify::new(),
            unable: AtomicUsize::new(0),
            budgets,
            seen_refusals: AtomicU64::new(0),
        }
    }

    /// The load with so many connections, and whether each kind is full.
    pub(super) fn of(&self, open: usize, full_of_requests: bool, full_of_sessions: bool) -> Load {
        let unable = self.unable.load(Ordering::Relaxed) > 0;
        Load {
            open: u32::try_from(open).unwrap_or(u32::MAX),
            penalty: self.penalty().number,
            full_of_requests: unable || full_of_requests,
            full_of_sessions: unable || full_of_sessions,
        }
    }

    fn penalty(&self) -> MutexGuard<'_, Penalty> {
        self.penalty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection was refused, or the next one may be, while so many are open.
    pub(super) fn penalize(&self, open: usize) {
        let mut others = Vec::new();
        if self.counts.read_others(&mut others).is_err() {
            return;
        }
        // Without what others have as a penalty: they would raise each other's without end.
        let loads = others.iter().filter_map(|slot| slot.load());
        let can_accept = |load: &Load| !(load.full_of_requests && load.full_of_sessions);
        let Some(fewest) = loads.filter(can_accept).map(|load| load.open).min() else {
            return;
        };
        let open = u32::try_from(open).unwrap_or(u32::MAX);
        let wanted = fewest.saturating_add(fewest / PENALTY_PART + PENALTY);
        let mut penalty = self.penalty();
        penalty.number = penalty.number.max(wanted.saturating_sub(open));
        penalty.end = Some(Instant::now() + PENALTY_TIME);
        drop(penalty);
        self.penalized.notify_one();
    }

    /// Whether memory was refused to a connection since it was last asked.
    pub(super) fn has_refused_memory(&self) -> bool {
        let now = self.budgets.requests.refused() + self.budgets.responses.refused();
        now != self.seen_refusals.load(Ordering::Relaxed)
            && self.seen_refusals.swap(now, Ordering::Relaxed) != now
    }

    /// One more accept loop cannot accept, or one less.
    pub(super) fn set_unable(&self, unable: bool) {
        match unable {
            true => self.unable.fetch_add(1, Ordering::Relaxed),
            false => self.unable.fetch_sub(1, Ordering::Relaxed),
        };
    }

    /// Waits until a penalty has ended.
    pub(super) async fn penalty_ended(&self) {
        loop {
            let end = self.penalty().end;
            let Some(end) = end else {
                self.penalized.notified().await;
                continue;
            };
            sleep_until(end).await;
            let mut penalty = self.penalty();
            // There may have been a refusal meanwhile.
            if penalty.end == Some(end) {
                *penalty = Penalty::default();
                return;
            }
        }
    }
}
