//! Snapshot of all metrics. Snapshots of several processes can be added up.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::upstream_counts::RemoteCounts;
use crate::topic::counts::TopicCounts;

/// Upper bounds of the histogram's buckets, in microseconds; one more bucket has no bound.
pub(crate) const BOUNDS: [u64; 15] = [
    10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000,
    5_000_000, 30_000_000,
];

/// Error codes with a counter of their own; one more counter is for all other codes.
pub(crate) const CODES: [i64; 9] = [
    -32700, -32600, -32601, -32602, -32603, -32000, -32001, -32800, -32005,
];

/// The metrics of a process, or of all workers of a server together.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// By method name; the empty name is for calls of unknown methods.
    pub(crate) methods: BTreeMap<String, MethodSnapshot>,
    pub(crate) connections: u64,
    pub(crate) accepted: u64,
    /// Bytes reserved for requests, and for responses.
    #[serde(default)]
    pub(crate) request_memory: u64,
    #[serde(default)]
    pub(crate) response_memory: u64,
    /// Reservations that were refused.
    #[serde(default)]
    pub(crate) memory_refused: u64,
    /// Lines of the audit log that were dropped.
    #[serde(default)]
    pub(crate) audit_missing: u64,
    /// By name.
    #[serde(default)]
    pub(crate) topics: BTreeMap<String, TopicCounts>,
    /// By the names of the servers that calls are forwarded to.
    #[serde(default)]
    pub(crate) upstreams: BTreeMap<String, RemoteCounts>,
    /// The number of processes that are summed up here.
    pub(crate) processes: u64,
}

/// The metrics of one method.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub(crate) struct MethodSnapshot {
    pub(crate) calls: u64,
    pub(crate) in_flight: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// Calls that a rate limit has refused.
    #[serde(default)]
    pub(crate) limited: u64,
    pub(crate) nanoseconds: u64,
    /// In the order of [`CODES`], followed by all other codes.
    pub(crate) codes: Vec<u64>,
    /// In the order of [`BOUNDS`], followed by the bucket without a bound.
    pub(crate) buckets: Vec<u64>,
}

impl Snapshot {
    /// Adds the metrics of another process.
    pub(crate) fn add(&mut self, other: &Self) {
        for (name, method) in &other.methods {
            self.methods.entry(name.clone()).or_default().add(method);
        }
        self.connections += other.connections;
        self.accepted += other.accepted;
        self.request_memory += other.request_memory;
        self.response_memory += other.response_memory;
        self.memory_refused += other.memory_refused;
        self.audit_missing += other.audit_missing;
        for (name, topic) in &other.topics {
            self.topics.entry(name.clone()).or_default().add(topic);
        }
        for (name, counts) in &other.upstreams {
            self.upstreams.entry(name.clone()).or_default().add(counts);
        }
        self.processes += other.processes;
    }

    /// Adds the metrics of a method of this process.
    pub(crate) fn count(&mut self, name: &str, method: &MethodSnapshot) {
        if method.calls > 0 {
            self.methods.entry(name.to_owned()).or_default().add(method);
        }
    }

    /// Moves the metrics of hidden methods to the unknown ones, for a reader who may not see these
    /// methods.
    pub(crate) fn without(mut self, hidden: &BTreeSet<&str>) -> Self {
        let (gone, seen): (Vec<_>, Vec<_>) = std::mem::take(&mut self.methods)
            .into_iter()
            .partition(|(name, _)| hidden.contains(name.as_str()));
        self.methods = seen.into_iter().collect();
        for (_, method) in gone {
            self.methods.entry(String::new()).or_default().add(&method);
        }
        self
    }

    /// The metrics of a process that has ended: gauges (connections, memory, calls in flight) are
    /// zero.
    pub(crate) fn without_gauges(mut self) -> Self {
        for method in self.methods.values_mut() {
            method.in_flight = 0;
        }
        for topic in self.topics.values_mut() {
            topic.subscribers = 0;
        }
        self.upstreams.values_mut().for_each(RemoteCounts::end);
        Self {
            connections: 0,
            request_memory: 0,
            response_memory: 0,
            processes: 0,
            ..self
        }
    }
}

impl MethodSnapshot {
    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.in_flight += other.in_flight;
        self.received += other.received;
        self.sent += other.sent;
        self.limited += other.limited;
        self.nanoseconds += other.nanoseconds;
        add_all(&mut self.codes, &other.codes, CODES.len() + 1);
        add_all(&mut self.buckets, &other.buckets, BOUNDS.len() + 1);
    }
}

fn add_all(to: &mut Vec<u64>, from: &[u64], length: usize) {
    to.resize(length, 0);
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}
