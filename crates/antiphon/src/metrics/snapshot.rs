//! Snapshot of all counters, which can be added to others.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets, in microseconds; a last one has none.
pub(crate) const BOUNDS: [u64; 15] = [
    10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000,
    5_000_000, 30_000_000,
];

/// Errors that are counted by themselves; a last counter is for all others.
pub(crate) const CODES: [i64; 8] = [
    -32700, -32600, -32601, -32602, -32603, -32000, -32001, -32800,
];

/// What a process, or all workers of a server together, have counted.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// By the names of methods; calls of methods that there are none have an empty one.
    pub(crate) methods: BTreeMap<String, MethodSnapshot>,
    pub(crate) connections: u64,
    pub(crate) accepted: u64,
    /// The processes that are summed up here.
    pub(crate) processes: u64,
}

/// What has been counted of one method.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
pub(crate) struct MethodSnapshot {
    pub(crate) calls: u64,
    pub(crate) in_flight: u64,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) nanoseconds: u64,
    /// In the order of [`CODES`], and then all others.
    pub(crate) codes: Vec<u64>,
    /// In the order of [`BOUNDS`], and then what took longer.
    pub(crate) buckets: Vec<u64>,
}

impl Snapshot {
    /// Adds what another process has counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (name, method) in &other.methods {
            self.methods.entry(name.clone()).or_default().add(method);
        }
        self.connections += other.connections;
        self.accepted += other.accepted;
        self.processes += other.processes;
    }

    /// Adds the counters of a method of this process.
    pub(crate) fn count(&mut self, name: &str, method: &MethodSnapshot) {
        if method.calls > 0 {
            self.methods.entry(name.to_owned()).or_default().add(method);
        }
    }

    /// Counts methods that do not exist for the reader as what does not exist.
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

    /// The counters of a process that has ended: its gauges (connections, calls in flight) are zero.
    pub(crate) fn without_gauges(mut self) -> Self {
        for method in self.methods.values_mut() {
            method.in_flight = 0;
        }
        Self {
            connections: 0,
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
        self.nanoseconds += other.nanoseconds;
        add_all(&mut self.codes, &other.codes, CODES.len() + 1);
        add_all(&mut self.buckets, &other.buckets, BOUNDS.len() + 1);
    }
}

fn add_all(to: &mut Vec<u64>, from: &[u64], length: usize) {
    to.resize(length, 0);
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}
