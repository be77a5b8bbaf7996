//! Report of a worker about itself, sent with each heartbeat.

use serde::{Deserialize, Serialize};

use crate::metrics::process_info::ProcessInfo;
use crate::metrics::status::ServerStatus;

/// One sign of life.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
pub(crate) struct Report {
    /// Calls and notifications since the start, and those of them that ended with an error.
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    /// Calls that wait right now.
    pub(crate) in_flight: usize,
    /// Connections that are open, and those since the start.
    pub(crate) connections: usize,
    pub(crate) accepted: usize,
    pub(crate) system: ProcessInfo,
    /// What was counted of each method.
    #[cfg(feature = "metrics")]
    pub(crate) metrics: crate::metrics::Snapshot,
}

impl Report {
    pub(crate) fn of(server: &ServerStatus) -> Self {
        let counts = server.counts();
        Self {
            calls: counts.calls,
            errors: counts.errors,
            in_flight: counts.in_flight,
            connections: counts.connections,
            accepted: counts.accepted,
            system: ProcessInfo::now(),
            #[cfg(feature = "metrics")]
            metrics: server.snapshot(),
        }
    }
}
