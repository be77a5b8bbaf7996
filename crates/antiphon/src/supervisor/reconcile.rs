//! Reconciliation: which workers to start, stop and kill, and when to check again.

use rustix::process::Signal;
use tokio::time::{Duration, Instant};

use super::next_wakeup::NextWakeup;
use super::state::{Phase, Supervisor};
use super::worker_state::WorkerState;

/// How long a worker keeps serving until its replacement is ready, if a `kill_actor` call waits for
/// its exit.
const REPLACEMENT_GRACE: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Starts the initial workers.
    ///
    /// # Errors
    ///
    /// The error of the system if a process cannot be started.
    pub(crate) fn boot(&mut self) -> std::io::Result<()> {
        let config = self.config.clone();
        for _ in 0..config.supervision.workers {
            self.spawn(&config, self.generation)?;
        }
        Ok(())
    }

    /// Brings the workers into the desired state. Returns the next deadline, after which it must be
    /// called again even without an event.
    pub(crate) fn reconcile(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let mut next = NextWakeup::default();
        self.kill_overdue(now, &mut next);
        self.abort_silent(now, &mut next);
        self.answer_waiters(now, &mut next);
        match self.phase {
            Phase::Booting | Phase::Stopping => {}
            Phase::Serving => {
                self.finish_reload();
                self.spawn_missing(now, &mut next);
                self.stop_replaced(now, &mut next);
            }
        }
        self.check_upgrade(now, &mut next);
        next.get()
    }

    /// Kills workers whose boot timeout or kill deadline has passed.
    fn kill_overdue(&mut self, now: Instant, next: &mut NextWakeup) {
        let boot_timeout = self.config.supervision.boot_timeout;
        for worker in &mut self.workers {
            if worker.state == WorkerState::Starting {
                let until = worker.began + boot_timeout;
                if until <= now {
                    worker.fault = Some(match worker.reached_start {
                        true => format!("it was not ready after {} s", boot_timeout.as_secs()),
                        false => format!(
                            "it did not come to `start` within {} s",
                            boot_timeout.as_secs()
                        ),
                    });
                    worker.state = WorkerState::Terminated;
                    worker.signals.send(Signal::KILL);
                } else {
                    next.at(until);
                }
            }
            match worker.kill_at {
                Some(until) if until <= now => {
                    tracing::warn!(id = worker.id, pid = worker.pid, "a worker is killed");
                    worker.kill_at = None;
                    worker.signals.send(Signal::KILL);
                }
                Some(until) => next.at(until),
                None => {}
            }
        }
    }

    /// Aborts workers that have missed their heartbeat timeout: their runtime is blocked.
    fn abort_silent(&mut self, now: Instant, next: &mut NextWakeup) {
        let Some(timeout) = self.config.supervision.worker_timeout else {
            return;
        };
        let mut silent = 0;
        for worker in &mut self.workers {
            if !matches!(worker.state, WorkerState::Running | WorkerState::Stopping) {
                continue;
            }
            let until = worker.last_seen + timeout;
            if until > now {
                next.at(until);
                continue;
            }
            silent += usize::from(worker.counts());
            Self::abort(
                worker,
                format!(
                    "it has given no sign of life for {} s",
                    timeout.as_secs_f64()
                ),
                now,
            );
            // Replace it at once, without waiting for its exit.
            worker.leaving = Some(now);
        }
        for _ in 0..silent {
            self.unreplaced += 1;
            self.restarts.died(now);
        }
    }

    /// Answers `kill_actor` calls whose deadline has passed.
    fn answer_waiters(&mut self, now: Instant, next: &mut NextWakeup) {
        for worker in &mut self.workers {
            let (late, waiting) = std::mem::take(&mut worker.waiters)
                .into_iter()
                .partition(|waiter| waiter.until <= now);
            worker.waiters = waiting;
            for waiter in late {
                let _ = waiter.told.send(false);
            }
            worker
                .waiters
                .iter()
                .for_each(|waiter| next.at(waiter.until));
        }
    }

    /// Starts the missing workers: replacements of leaving workers at once, replacements of crashed
    /// ones subject to the restart backoff. During a reload only the new generation counts.
    fn spawn_missing(&mut self, now: Instant, next: &mut NextWakeup) {
        let (config, generation) = match &self.reload {
            Some(reload) => (reload.config.clone(), reload.generation),
            None => (self.config.clone(), self.generation),
        };
        let reloading = self.reload.is_some();
        let present = (self.workers.iter())
            .filter(|worker| worker.counts() && (!reloading || worker.generation == generation))
            .count();
        let missing = config.supervision.workers.saturating_sub(present);
        if !reloading {
            self.unreplaced = self.unreplaced.min(missing);
        }
        for _ in 0..missing {
            if self.unreplaced > 0 && !reloading {
                let moment = self.restarts.next(now);
                if moment > now {
                    next.at(moment);
                    return;
                }
                self.unreplaced -= 1;
                self.restarts.restarted(now);
            }
            if let Err(error) = self.spawn(&config, generation) {
                tracing::error!("a worker cannot be started: {error}");
                self.unreplaced += 1;
                self.restarts.died(now);
                next.at(now + Duration::from_secs(1));
                return;
            }
        }
    }

    /// Stops leaving workers once enough others are ready.
    fn stop_replaced(&mut self, now: Instant, next: &mut NextWakeup) {
        let ready = self
            .workers
            .iter()
            .filter(|worker| worker.is_ready())
            .count();
        let complete = ready >= self.config.supervision.workers;
        for at in 0..self.workers.len() {
            let Some(worker) = self.workers.get(at) else {
                return;
            };
            let (Some(since), WorkerState::Starting | WorkerState::Running) =
                (worker.leaving, worker.state)
            else {
                continue;
            };
            let hurried = !worker.waiters.is_empty() && since + REPLACEMENT_GRACE <= now;
            if complete || hurried || worker.state == WorkerState::Starting {
                self.stop_worker(at, false);
            } else if !worker.waiters.is_empty() {
                next.at(since + REPLACEMENT_GRACE);
            }
        }
    }
}
