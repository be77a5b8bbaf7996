//! Exit of a worker, and what it causes: the end of a reload, a replacement, or the end of the server.

use std::process::ExitStatus;

use tokio::time::Instant;

use super::state::{Phase, Supervisor};
use super::worker_state::{WorkerId, WorkerState};
use crate::server::ServeError;

impl Supervisor {
    /// Handles the exit of a worker, or of a successor. A missing worker is replaced by the next
    /// reconciliation, as often as `restart.rs` permits.
    pub(super) fn on_exit(&mut self, id: &WorkerId, status: Option<ExitStatus>) {
        if self
            .upgrade
            .as_ref()
            .is_some_and(|upgrade| upgrade.id == *id)
        {
            return self.on_successor_exit(status);
        }
        let Some(at) = self.workers.iter().position(|worker| worker.id == *id) else {
            return;
        };
        let mut worker = self.workers.remove(at);
        self.free_slot(worker.slot);
        #[cfg(feature = "metrics")]
        self.ended_metrics
            .add(&std::mem::take(&mut worker.report.metrics).without_gauges());
        for waiter in worker.waiters.drain(..) {
            let _ = waiter.told.send(true);
        }
        let (pid, exit_reason) = (worker.pid, worker.exit_reason(status));
        let was_told = worker.leaving.is_some() || worker.state == WorkerState::Stopping;
        if self.phase == Phase::Stopping || (was_told && worker.fault.is_none()) {
            return tracing::info!(id, pid, "a worker has ended: {exit_reason}");
        }
        tracing::error!(id, pid, "a worker has died: {exit_reason}");
        if self
            .reload
            .as_ref()
            .is_some_and(|r| r.generation == worker.generation)
        {
            return self.reload_failed(&exit_reason);
        }
        if worker.leaving.is_none() {
            self.unreplaced += 1;
            self.restarts.died(Instant::now());
        }
        // No worker could start: give up instead of restarting forever.
        if self.phase == Phase::Booting && self.workers.is_empty() {
            self.failure = Some(ServeError::Workers(exit_reason));
            self.phase = Phase::Stopping;
        }
    }
}
