//! Measurement window: loops that call as fast as they can, a warm-up, and a window. The calls and
//! the CPU time of one process are read at its start and at its end.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::{JoinSet, LocalSet};

use crate::Failure;
use crate::cpu::CpuTime;

/// Timeout for the loops to end after the window. When it passes, a response counts as lost.
pub(crate) const LAST_ANSWERS: Duration = Duration::from_secs(10);

/// Interval of looking whether the warm-up is over.
const STEP: Duration = Duration::from_millis(10);

/// A future that is not `Send`.
pub(crate) type LocalFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A loop of calls. It ends with [`Progress::goes_on`] or at the first failure.
pub(crate) type Loop = LocalFuture<'static, Result<(), Failure>>;

/// The durations of a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Plan {
    /// CPU ticks are 10 ms, one percent of a busy second. Many short rounds are more reliable than
    /// a few long ones, because the speed of the machine varies within seconds.
    pub(crate) const FULL: Self = Self {
        warm_up: Duration::from_millis(200),
        measured: Duration::from_millis(1000),
    };
    pub(crate) const QUICK: Self = Self {
        warm_up: Duration::from_millis(100),
        measured: Duration::from_millis(500),
    };
}

/// Shared state of the loops and the window.
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

/// The result of one measurement. CPU times are those of the measured process, per call.
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

/// Runs the loops concurrently through warm-up and window. The CPU times are those of the watched
/// processes together; without one they are 0.
pub(crate) async fn measure(
    loops: Vec<Loop>,
    progress: Rc<Progress>,
    plan: Plan,
    watched: &[u32],
) -> Result<Sample, Failure> {
    let set = LocalSet::new();
    set.run_until(async {
        let at_least = loops.len() as u64;
        let mut running = JoinSet::new();
        for one in loops {
            running.spawn_local(one);
        }
        tokio::time::sleep(plan.warm_up).await;
        // With thousands of connections, that is too short for one call on each.
        let waiting_since = Instant::now();
        while progress.calls.get() < at_least && waiting_since.elapsed() < LAST_ANSWERS {
            tokio::time::sleep(STEP).await;
        }
        let first = Reading::read(&progress, watched)?;
        tokio::time::sleep(plan.measured).await;
        let last = Reading::read(&progress, watched)?;
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

/// The readings at the start or the end of the window.
struct Reading {
    at: Instant,
    calls: u64,
    cpu: CpuTime,
}

impl Reading {
    fn read(progress: &Progress, watched: &[u32]) -> Result<Self, Failure> {
        Ok(Self {
            cpu: CpuTime::of_all(watched)?,
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
        Ok(Sample {
            calls,
            calls_per_second: calls as f64 / (self.at - first.at).as_secs_f64(),
            user_us: (self.cpu.user - first.cpu.user) * per_call,
            kernel_us: (self.cpu.kernel - first.cpu.kernel) * per_call,
        })
    }
}
