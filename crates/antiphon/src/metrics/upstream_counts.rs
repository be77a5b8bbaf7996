//! Counts of the servers that calls are forwarded to.

use serde::{Deserialize, Serialize};

use crate::describe::ServedBy;

/// The servers that serve the same methods, and what was answered without them.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub(crate) struct RemoteCounts {
    /// Calls that were answered together with an equal one.
    pub(super) joined: u64,
    /// Calls that were answered from the cache.
    pub(super) cached: u64,
    pub(super) cache_bytes: u64,
    /// In the order in which they were given.
    pub(super) servers: Vec<UpstreamCounts>,
}

/// One of these servers.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct UpstreamCounts {
    /// The processes that send calls there.
    pub(super) up: u64,
    pub(super) in_flight: u64,
    pub(super) calls: u64,
    pub(super) failed: u64,
}

impl RemoteCounts {
    pub(crate) fn of(served: &ServedBy) -> Self {
        let servers = served.upstreams.iter().map(|upstream| UpstreamCounts {
            up: u64::from(upstream.is_up),
            in_flight: upstream.in_flight,
            calls: upstream.calls,
            failed: upstream.failed,
        });
        Self {
            joined: served.joined,
            cached: served.cached,
            cache_bytes: served.cache_bytes,
            servers: servers.collect(),
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.joined += other.joined;
        self.cached += other.cached;
        self.cache_bytes += other.cache_bytes;
        let count = self.servers.len().max(other.servers.len());
        self.servers.resize(count, UpstreamCounts::default());
        for (own, other) in self.servers.iter_mut().zip(&other.servers) {
            own.up += other.up;
            own.in_flight += other.in_flight;
            own.calls += other.calls;
            own.failed += other.failed;
        }
    }

    /// Sets to zero what a process that has ended has no more.
    pub(crate) fn end(&mut self) {
        self.cache_bytes = 0;
        for server in &mut self.servers {
            server.up = 0;
            server.in_flight = 0;
        }
    }
}
