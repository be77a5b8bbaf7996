//! Reload: starts a new generation of workers with the current settings. The old workers stop when
//! all new ones are ready. If a new one fails, the old workers stay.

use antiphon_proto::ErrorObject;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::Instant;

use super::state::{Phase, Reload, Reply, Supervisor, reject};
use super::systemd::Notice;
use super::worker_state::WorkerState;

impl Supervisor {
    /// Begins a reload, or joins one that is already in progress.
    pub(crate) fn begin_reload(&mut self, reply: Option<Reply>) {
        if let Some(reload) = &mut self.reload {
            reload.replies.extend(reply);
            return;
        }
        if self.phase != Phase::Serving || self.upgrade.is_some() {
            return reject(reply, "the server is starting, stopping, or being replaced");
        }
        let config = match (self.read_settings)() {
            Ok(config) => config,
            Err(error) => return reject(reply, &error.to_string()),
        };
        tracing::info!(
            "reloading: {} new workers are started",
            config.supervision.workers
        );
        let generation = self.generation + 1;
        for _ in 0..config.supervision.workers {
            if let Err(error) = self.spawn(&config, generation) {
                self.end_generation(generation);
                return reject(reply, &format!("a worker cannot be started: {error}"));
            }
        }
        self.notices.push_back(Notice::Reloading);
        self.reload = Some(Reload {
            generation,
            config,
            replies: reply.into_iter().collect(),
        });
    }

    /// Completes a reload once all new workers are ready: marks the old ones for replacement.
    pub(crate) fn finish_reload(&mut self) {
        let Some(reload) = &self.reload else {
            return;
        };
        let new = self
            .workers
            .iter()
            .filter(|worker| worker.generation == reload.generation);
        let ready = new.filter(|worker| worker.is_ready()).count();
        if ready < reload.config.supervision.workers {
            return;
        }
        let Some(reload) = self.reload.take() else {
            return;
        };
        tracing::info!("reloaded: the old workers finish what they have");
        self.generation = reload.generation;
        self.config = reload.config;
        self.unreplaced = 0;
        let now = Instant::now();
        for worker in &mut self.workers {
            if worker.generation < reload.generation {
                worker.leaving.get_or_insert(now);
            }
        }
        self.notices.push_back(Notice::Reloaded);
        for reply in reload.replies {
            let _ = reply.send(Ok(Value::Bool(true)));
        }
    }

    /// Aborts a reload because a new worker has failed: kills its generation, the old workers stay.
    pub(crate) fn reload_failed(&mut self, reason: &str) {
        let Some(reload) = self.reload.take() else {
            return;
        };
        self.end_generation(reload.generation);
        // The service manager expects this also after a reload that failed.
        self.notices.push_back(Notice::Reloaded);
        let reason = format!("a new worker has failed: {reason}");
        tracing::error!("not reloaded, the old workers go on: {reason}");
        for reply in reload.replies {
            let _ = reply.send(Err(ErrorObject::new(-32000, reason.clone())));
        }
    }

    fn end_generation(&mut self, generation: u64) {
        for worker in &mut self.workers {
            if worker.generation == generation {
                worker.leaving = Some(Instant::now());
                worker.state = WorkerState::Terminated;
                worker.signals.send(Signal::KILL);
            }
        }
    }
}
