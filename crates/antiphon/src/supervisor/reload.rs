//! Reload: starts a new generation of workers with the current settings. The old workers stop when
//! all new ones are ready. If a new one fails, the old workers stay. They read their files again at once.

use antiphon_proto::ErrorObject;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::Instant;

use super::state::{Phase, Reload, Reply, Supervisor};
use super::stop::notify_worker;
use super::systemd::Notice;
use super::worker_state::WorkerState;

impl Supervisor {
    /// Begins a reload. One that is in progress is finished first, because its workers may have read
    /// the files before they changed.
    pub(crate) fn begin_reload(&mut self, replies: impl IntoIterator<Item = Reply>) {
        // Whatever becomes of it, and however long it takes: a token may have been removed, or the audit
        // log moved away.
        for worker in self.workers.iter().filter(|worker| worker.is_alive()) {
            notify_worker(&mut self.tasks, worker, "reload_files", ());
        }
        if let Some(reload) = &mut self.reload {
            reload.next.get_or_insert_default().extend(replies);
            return;
        }
        if self.phase != Phase::Serving || self.upgrade.is_some() {
            let reason = "the server is starting, stopping, or being replaced";
            return self.keep_settings(replies, reason);
        }
        let config = match (self.read_settings)() {
            Ok(config) => config,
            Err(error) => return self.keep_settings(replies, &error.to_string()),
        };
        tracing::info!(
            "reloading: {} new workers are started",
            config.supervision.workers
        );
        let generation = self.generation + 1;
        for _ in 0..config.supervision.workers {
            if let Err(error) = self.spawn(&config, generation) {
                self.end_generation(generation);
                let reason = format!("a worker cannot be started: {error}");
                return self.keep_settings(replies, &reason);
            }
        }
        self.notices.push_back(Notice::Reloading);
        self.reload = Some(Reload {
            generation,
            config,
            replies: replies.into_iter().collect(),
            next: None,
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
        if let Some(next) = reload.next {
            self.begin_reload(next);
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
        self.keep_settings(reload.replies, &reason);
        if let Some(next) = reload.next {
            self.begin_reload(next);
        }
    }

    /// Keeps the settings and the workers, for this reason.
    fn keep_settings(&self, replies: impl IntoIterator<Item = Reply>, reason: &str) {
        tracing::error!("the settings stay as they are, the old workers go on: {reason}");
        for reply in replies {
            let _ = reply.send(Err(ErrorObject::new(-32000, reason.to_owned())));
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
