//! Status of a server and its workers, for `server_info` and the control socket.
//!
//! The structure is that of Pulsar: `server`, `monitors` with their `workers`, `system`, `extra`.

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::state::{Phase, Supervisor};
use super::worker_state::Worker;
use crate::metrics::process_info::ProcessInfo;

/// Name of the monitor of the workers, and the key of a worker's statistics.
const MONITOR: &str = "rpc";
const WORKER: &str = "rpcserver";

/// Id of the supervisor.
const SUPERVISOR: &str = "arbiter";

impl Supervisor {
    /// Complete status of the server.
    pub(crate) fn status(&self) -> Value {
        let uptime = self.began.elapsed().as_secs_f64();
        let state = match self.phase {
            Phase::Booting => "starting",
            Phase::Serving => "running",
            Phase::Stopping => "stopping",
        };
        let workers: Vec<Value> = self
            .workers
            .iter()
            .map(|worker| self.worker(worker))
            .collect();
        let listeners: Vec<_> = self
            .listeners
            .iter()
            .map(|(record, _)| &record.url)
            .collect();
        json!({
            "server": {
                "name": "antiphon",
                "version": env!("CARGO_PKG_VERSION"),
                "state": state,
                "actor_id": SUPERVISOR,
                "process_id": std::process::id(),
                "uptime": uptime,
                "number_of_monitors": 1,
                "listeners": listeners,
                "reloading": self.reload.is_some(),
                "upgrading": self.upgrade.is_some(),
            },
            "monitors": {
                MONITOR: {
                    "server": {
                        "name": MONITOR,
                        "state": state,
                        "actor_id": "monitor",
                        "process_id": std::process::id(),
                        "is_process": false,
                        "age": 2,
                        "uptime": uptime,
                        "number_of_actors": self.workers.len(),
                        "wanted_actors": self.config.supervision.workers,
                        "deaths_to_replace": self.unreplaced,
                    },
                    "extra": {},
                    "workers": workers,
                },
            },
            "system": ProcessInfo::now(),
            "extra": {},
        })
    }

    fn worker(&self, worker: &Worker) -> Value {
        let report = &worker.report;
        let uptime = worker.began.elapsed().as_secs_f64();
        let sockets: Vec<_> = (self.listeners.iter())
            .map(|(record, _)| json!({ "address": record.url }))
            .collect();
        let last_seen = worker
            .last_seen_at
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        json!({
            "actor": {
                "name": format!("{MONITOR}.worker"),
                "actor_id": worker.id,
                "state": match worker.leaving {
                    Some(_) if worker.is_alive() => "leaving".to_owned(),
                    _ => worker.state.to_string(),
                },
                "process_id": worker.pid,
                "is_process": true,
                "age": worker.age,
                "generation": worker.generation,
                "uptime": uptime,
            },
            WORKER: {
                "server": {
                    "uptime_in_seconds": uptime,
                    "sockets": sockets,
                    "max_requests": self.config.supervision.max_requests.unwrap_or_default(),
                },
                "clients": {
                    "processed_clients": report.accepted,
                    "connected_clients": report.connections,
                    "requests_processed": report.calls,
                    "requests_failed": report.errors,
                    "requests_in_flight": report.in_flight,
                },
            },
            "system": report.system,
            "extra": {},
            "last_notified": last_seen.as_secs_f64(),
            "seconds_since_notified": (Instant::now() - worker.last_seen).as_secs_f64(),
        })
    }
}
