//! Report of a worker, sent with each heartbeat.

use serde::{Deserialize, Serialize};

use crate::metrics::process_info::ProcessInfo;
use crate::metrics::status::ServerStatus;

/// Content of a heartbeat.
#[derive(Serialize, Deserialize, Clone, Debug, Default)]
pub(crate) struct Report {
    /// Number of calls and notifications since the start, and of those that failed.
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    /// Number of calls in flight.
    pub(crate) in_flight: usize,
    /// Number of open connections, and of connections accepted since the start.
    pub(crate) connections: usize,
    pub(crate) accepted: usize,
    pub(crate) system: ProcessInfo,
    /// Metrics of each method.
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
