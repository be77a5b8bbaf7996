//! Stop of workers: gracefully, at once, or by force.

use std::time::Duration;

use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::state::{Phase, Supervisor};
use super::systemd::Notice;
use super::worker_state::{Worker, WorkerState};

/// How long a worker that cuts its calls has to end.
const CUT_GRACE: Duration = Duration::from_millis(500);

/// How long a worker has between being told to abort and being killed.
const ABORT_GRACE: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Everything is to end; asked twice, at once.
    pub(crate) fn stop(&mut self) {
        let now = Instant::now();
        if self.phase == Phase::Stopping {
            tracing::warn!("told to stop twice: cutting what is left");
            for worker in &mut self.workers {
                notify_worker(&mut self.tasks, worker, "cut", ());
                worker.kill_at = Some(now + CUT_GRACE);
            }
            return;
        }
        tracing::info!("stopping {} workers", self.workers.len());
        self.phase = Phase::Stopping;
        self.notices.push_back(Notice::Stopping);
        self.reload = None;
        for at in 0..self.workers.len() {
            self.stop_worker(at, !self.succeeded);
        }
        // The workers have them, and empty their queues.
        self.listeners.clear();
    }

    /// Tells a worker to finish what it has. `queue` says whether also what waits to be accepted,
    /// because nobody else will.
    pub(crate) fn stop_worker(&mut self, at: usize, queue: bool) {
        let deadline = Instant::now() + self.config.graceful_timeout + ABORT_GRACE;
        let Some(worker) = self.workers.get_mut(at) else {
            return;
        };
        match worker.state {
            WorkerState::Starting => {
                worker.state = WorkerState::Terminated;
                worker.signals.send(Signal::KILL);
            }
            WorkerState::Running => {
                worker.state = WorkerState::Stopping;
                worker.kill_at = Some(deadline);
                notify_worker(&mut self.tasks, worker, "stop", (queue,));
            }
            WorkerState::Stopping | WorkerState::Terminated => {}
        }
    }

    /// Ends a worker that cannot be spoken to.
    pub(crate) fn abort(worker: &mut Worker, fault: String, now: Instant) {
        tracing::error!(
            id = worker.id,
            pid = worker.pid,
            "a worker is ended: {fault}"
        );
        worker.fault = Some(fault);
        worker.state = WorkerState::Terminated;
        worker.kill_at = Some(now + ABORT_GRACE);
        worker.signals.send(Signal::ABORT);
    }
}

/// Sends a worker a message that it has to take in, and does not wait for it.
pub(crate) fn notify_worker(
    tasks: &mut JoinSet<()>,
    worker: &Worker,
    word: &'static str,
    params: impl antiphon_proto::IntoParams,
) {
    let said = worker.line.notify(word, params);
    let id = worker.id.clone();
    tasks.spawn(async move {
        if let Err(error) = said.await {
            tracing::debug!(id, "a worker was not told: {error}");
        }
    });
}
