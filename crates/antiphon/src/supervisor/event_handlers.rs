//! Event handlers of a supervisor: messages from workers, and requests.

use std::time::{Duration, SystemTime};

use antiphon_proto::ErrorObject;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::event::{Event, Request, WorkerMessage};
use super::state::{Phase, Reply, Supervisor};
use super::systemd::Notice;
use super::worker_state::{Waiter, WorkerId, WorkerState};

/// How long a `kill_actor` call waits for the worker to exit.
const KILL_REPLY_TIMEOUT: Duration = Duration::from_secs(5);

impl Supervisor {
    /// Waits for the next event and handles it. Returns at `deadline` at the latest.
    pub(crate) async fn next_event(&mut self, deadline: Option<Instant>) {
        let far = Instant::now() + Duration::from_secs(3600);
        let event = tokio::select! {
            event = self.event_queue.recv() => event,
            () = tokio::time::sleep_until(deadline.unwrap_or(far)) => None,
        };
        // Frees tasks that have finished.
        while self.tasks.try_join_next().is_some() {}
        match event {
            Some(Event::Message(id, message)) => self.on_message(&id, message),
            Some(Event::Ended(id, status)) => self.on_exit(&id, status),
            Some(Event::Request(request, reply)) => self.on_request(request, reply),
            None => {}
        }
    }

    fn on_message(&mut self, id: &WorkerId, message: WorkerMessage) {
        if self
            .upgrade
            .as_ref()
            .is_some_and(|upgrade| upgrade.id == *id)
        {
            return self.on_successor_message(&message);
        }
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.id == *id) else {
            return;
        };
        worker.last_seen = Instant::now();
        worker.last_seen_at = SystemTime::now();
        match message {
            WorkerMessage::Reached => worker.reached_start = true,
            WorkerMessage::Alive(report) => worker.report = report,
            WorkerMessage::Ready if worker.state == WorkerState::Starting => {
                worker.state = WorkerState::Running;
                tracing::info!(id, pid = worker.pid, "a worker is ready");
                if self.phase == Phase::Booting {
                    self.phase = Phase::Serving;
                    self.notices.push_back(Notice::Ready);
                }
            }
            WorkerMessage::Ready => {}
            WorkerMessage::Leaves(reason) => {
                if worker.leaving.is_none() {
                    tracing::info!(id, reason, "a worker is to be replaced");
                    worker.leaving = Some(Instant::now());
                }
            }
            WorkerMessage::Fails(reason) => {
                if worker.counts() {
                    tracing::error!(id, reason, "a worker has failed, and is to be replaced");
                    let now = Instant::now();
                    worker.leaving = Some(now);
                    let generation = worker.generation;
                    let reload = self.reload.as_ref();
                    if reload.is_some_and(|reload| reload.generation == generation) {
                        return self.reload_failed(&reason);
                    }
                    // Others may fail the same way.
                    self.unreplaced += 1;
                    self.restarts.died(now);
                }
            }
        }
    }

    fn on_request(&mut self, request: Request, reply: Reply) {
        match request {
            Request::Status => drop(reply.send(Ok(self.status()))),
            #[cfg(feature = "metrics")]
            Request::Metrics => {
                let sum = serde_json::to_value(self.metrics()).unwrap_or_default();
                let _ = reply.send(Ok(sum));
            }
            Request::Kill { id, by } => self.kill(&id, by.as_ref(), reply),
            Request::Reload => self.begin_reload(Some(reply)),
            Request::Upgrade => self.begin_upgrade(Some(reply)),
            Request::Stop => {
                self.stop();
                let _ = reply.send(Ok(Value::Bool(true)));
            }
        }
    }

    /// Metrics of all workers since the start, including those that have exited.
    #[cfg(feature = "metrics")]
    fn metrics(&self) -> crate::metrics::Snapshot {
        let mut sum = self.ended_metrics.clone();
        self.workers
            .iter()
            .for_each(|worker| sum.add(&worker.report.metrics));
        sum
    }

    /// Stops one worker, which is replaced, or the whole server.
    fn kill(&mut self, id: &str, by: Option<&WorkerId>, reply: Reply) {
        let killed = format!("killed {id}");
        if ["arbiter", "supervisor"].contains(&id) {
            tracing::warn!(by, "the server is stopped: `kill_actor` was called");
            self.stop();
            return drop(reply.send(Ok(Value::String(killed))));
        }
        let Some(worker) = self.workers.iter_mut().find(|worker| worker.id == id) else {
            let unknown = ErrorObject::invalid_params(format!("there is no worker {id:?}"));
            return drop(reply.send(Err(unknown)));
        };
        tracing::warn!(
            id,
            by,
            "a worker is ended and replaced: `kill_actor` was called"
        );
        worker.leaving.get_or_insert_with(Instant::now);
        if by.is_some_and(|by| by == id) {
            // The worker forwards this call itself, so it must be answered before the worker exits.
            return drop(reply.send(Ok(Value::String(killed))));
        }
        let (told, ended) = oneshot::channel();
        let until = Instant::now() + KILL_REPLY_TIMEOUT;
        worker.waiters.push(Waiter { told, until });
        self.tasks.spawn(async move {
            let in_time = ended.await.unwrap_or(false);
            let answer = if in_time {
                Value::String(killed)
            } else {
                Value::Null
            };
            let _ = reply.send(Ok(answer));
        });
    }
}
