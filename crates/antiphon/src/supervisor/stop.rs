//! Stopping workers: gracefully, at once, or with SIGABRT and SIGKILL.

use std::time::Duration;

use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::state::{Phase, Supervisor};
use super::systemd::Notice;
use super::worker_state::{Worker, WorkerState};

/// Time for a worker to exit after it was told to cut its calls.
const CUT_GRACE: Duration = Duration::from_millis(500);

/// Time between SIGABRT and SIGKILL. Also the margin on top of the graceful timeout.
const ABORT_GRACE: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Stops the server gracefully. The second call cuts what is left.
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
        // The workers hold their own descriptors, and drain the accept queues.
        self.listeners.clear();
    }

    /// Tells a worker to stop gracefully. `queue` says whether it must also drain the accept queue,
    /// because no other process will.
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

    /// Sends SIGABRT to a worker that does not respond. SIGKILL follows after [`ABORT_GRACE`].
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

/// Sends a notification to a worker, without waiting for delivery.
pub(crate) fn notify_worker(
    tasks: &mut JoinSet<()>,
    worker: &Worker,
    method: &'static str,
    params: impl antiphon_proto::IntoParams,
) {
    let sending = worker.line.notify(method, params);
    let id = worker.id.clone();
    tasks.spawn(async move {
        if let Err(error) = sending.await {
            tracing::debug!(id, "a worker was not told: {error}");
        }
    });
}
