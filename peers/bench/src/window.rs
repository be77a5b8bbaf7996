//! The measured stretch of time: loops that call as fast as they can, a warm-up, then a window
//! at whose two edges the calls and the CPU time of one process are read.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::{JoinSet, LocalSet};

use crate::Failure;
use crate::cpu::CpuTime;

/// How long loops may take to end after the window, before it counts as a lost answer.
const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// A future that stays on its thread.
pub(crate) type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// One loop of calls; it ends with [`Progress::goes_on`] or with the first failure.
pub(crate) type Loop = LocalFuture<'static, Result<(), Failure>>;

/// How long a measurement takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Plan {
    /// CPU ticks are 10 ms, one percent of a busy second; many short rounds say more than a few
    /// long ones, because the machine's own mood changes by the second.
    pub(crate) const FULL: Self = Self {
        warm_up: Duration::from_millis(200),
        measured: Duration::from_millis(1000),
    };
    pub(crate) const QUICK: Self = Self {
        warm_up: Duration::from_millis(100),
        measured: Duration::from_millis(500),
    };
}

/// What the loops tell the window, and the window tells the loops.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    calls: Cell<u64>,
    over: Cell<bool>,
}

impl Progress {
    pub(crate) fn count(&self) {
        self.calls.set(self.calls.get() + 1);
    }

    pub(crate) fn goes_on(&self) -> bool {
        !self.over.get()
    }
}

/// What one measurement found. CPU is that of the measured process, per call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) calls: u64,
    pub(crate) calls_per_second: f64,
    pub(crate) user_us: f64,
    pub(crate) kernel_us: f64,
}

impl Sample {
    pub(crate) fn cpu_us(&self) -> f64 {
        self.user_us + self.kernel_us
    }
}

/// Runs the loops side by side through warm-up and window. Without a process to watch the CPU
/// figures are 0.
pub(crate) async fn measure(
    loops: Vec<Loop>,
    progress: Rc<Progress>,
    plan: Plan,
    watched: Option<u32>,
) -> Result<Sample, Failure> {
    let set = LocalSet::new();
    set.run_until(async {
        let mut running = JoinSet::new();
        for one in loops {
            running.spawn_local(one);
        }
        tokio::time::sleep(plan.warm_up).await;
        let first = Edge::read(&progress, watched)?;
        tokio::time::sleep(plan.measured).await;
        let last = Edge::read(&progress, watched)?;
        progress.over.set(true);
        let ended = tokio::time::timeout(LAST_ANSWERS, async {
            while let Some(joined) = running.join_next().await {
                joined??;
            }
            Ok::<(), Failure>(())
        });
        ended.await.map_err(|_| "an answer never came")??;
        last.since(&first)
    })
    .await
}

/// One reading of everything that is measured.
struct Edge {
    at: Instant,
    calls: u64,
    cpu: Option<CpuTime>,
}

impl Edge {
    fn read(progress: &Progress, watched: Option<u32>) -> Result<Self, Failure> {
        Ok(Self {
            cpu: watched.map(CpuTime::of).transpose()?,
            at: Instant::now(),
            calls: progress.calls.get(),
        })
    }

    fn since(&self, first: &Self) -> Result<Sample, Failure> {
        let calls = self.calls - first.calls;
        if calls == 0 {
            return Err("not one call ended within the window".into());
        }
        let per_call = 1e6 / calls as f64;
        let (user, kernel) = match (self.cpu, first.cpu) {
            (Some(last), Some(first)) => (last.user - first.user, last.kernel - first.kernel),
            _ => (0.0, 0.0),
        };
        Ok(Sample {
            calls,
            calls_per_second: calls as f64 / (self.at - first.at).as_secs_f64(),
            user_us: user * per_call,
            kernel_us: kernel * per_call,
        })
    }
}
