//! How a server and its workers are, as `server_info` and the control socket tell it.
//!
//! The nesting is that of the original: `server`, `monitors` with their `workers`, `system`, `extra`.

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::fleet::{Fleet, Phase};
use super::worker_state::Member;
use crate::metrics::process_info::ProcessInfo;

/// The monitor that watches the workers, and the key of what they say about serving.
const MONITOR: &str = "rpc";
const WORKER: &str = "rpcserver";

/// What the supervisor is called where a worker's id stands.
const SUPERVISOR: &str = "arbiter";

impl Fleet {
    /// Everything there is to know.
    pub(crate) fn status(&self) -> Value {
        let uptime = self.began.elapsed().as_secs_f64();
        let state = match self.phase {
            Phase::Booting => "starting",
            Phase::Serving => "running",
            Phase::Stopping => "stopping",
        };
        let workers: Vec<Value> = self
            .members
            .iter()
            .map(|member| self.worker(member))
            .collect();
        let listeners: Vec<_> = self.doors.iter().map(|(plan, _)| &plan.url).collect();
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
                        "number_of_actors": self.members.len(),
                        "wanted_actors": self.brief.supervision.workers,
                        "deaths_to_replace": self.debts,
                    },
                    "extra": {},
                    "workers": workers,
                },
            },
            "system": ProcessInfo::now(),
            "extra": {},
        })
    }

    fn worker(&self, member: &Member) -> Value {
        let report = &member.report;
        let uptime = member.began.elapsed().as_secs_f64();
        let sockets: Vec<_> = (self.doors.iter())
            .map(|(plan, _)| json!({ "address": plan.url }))
            .collect();
        let seen = member
            .seen_at
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        json!({
            "actor": {
                "name": format!("{MONITOR}.worker"),
                "actor_id": member.id,
                "state": match member.leaving {
                    Some(_) if member.is_alive() => "leaving".to_owned(),
                    _ => member.state.to_string(),
                },
                "process_id": member.pid,
                "is_process": true,
                "age": member.age,
                "generation": member.generation,
                "uptime": uptime,
            },
            WORKER: {
                "server": {
                    "uptime_in_seconds": uptime,
                    "sockets": sockets,
                    "max_requests": self.brief.supervision.max_requests.unwrap_or_default(),
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
            "last_notified": seen.as_secs_f64(),
            "seconds_since_notified": (Instant::now() - member.seen).as_secs_f64(),
        })
    }
}
