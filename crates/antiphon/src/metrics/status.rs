//! Status of a running server.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use antiphon_proto::ErrorObject;
use serde_json::Value;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::describe::{Access, MethodInfo, Reader, ServedBy};
use crate::error::Printable;
use crate::memory_budget::MemoryBudgets;
use crate::metrics::Snapshot;
use crate::metrics::counters::RouterState;
use crate::metrics::upstream_counts::RemoteCounts;
use crate::shutdown::Shutdown;

/// The state of a running server.
#[derive(Debug)]
pub(crate) struct ServerStatus {
    began: Instant,
    /// One per route.
    routers: Vec<Arc<RouterState>>,
    shutdown: Shutdown,
    open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
    /// The addresses it listens on, as URLs.
    listeners: Vec<String>,
    memory: MemoryBudgets,
    /// Lines of the audit log that were dropped.
    audit_missing: Arc<AtomicU64>,
    /// The client of the supervisor, if this process is one of its workers.
    supervisor: Option<Box<dyn SupervisorClient>>,
}

/// Calls methods of the supervisor; results are JSON.
pub(crate) trait SupervisorClient: Debug + Send + Sync {
    /// Calls a method with positional parameters.
    fn ask(&self, method: &'static str, params: Vec<Value>) -> Answer;
}

/// The future of a supervisor's answer.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Value, ErrorObject>> + Send>>;

/// Totals of a server.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Calls and notifications.
    pub(crate) calls: u64,
    /// Calls and notifications that ended with an error.
    pub(crate) errors: u64,
    /// Calls in flight.
    pub(crate) in_flight: usize,
    /// Open connections.
    pub(crate) connections: usize,
    /// Connections since the start.
    pub(crate) accepted: usize,
}

impl ServerStatus {
    pub(crate) fn new(
        routers: Vec<Arc<RouterState>>,
        shutdown: Shutdown,
        open: Arc<AtomicUsize>,
        accepted: Arc<AtomicUsize>,
        listeners: Vec<String>,
        memory: MemoryBudgets,
        supervisor: Option<Box<dyn SupervisorClient>>,
    ) -> Self {
        Self {
            began: Instant::now(),
            routers,
            shutdown,
            open,
            accepted,
            listeners,
            memory,
            audit_missing: Arc::default(),
            supervisor,
        }
    }

    /// Tells how many lines of the audit log were dropped.
    pub(crate) fn count_missing(mut self, missing: Arc<AtomicU64>) -> Self {
        self.audit_missing = missing;
        self
    }

    /// The client of the supervisor, if there is one.
    pub(crate) fn supervisor(&self) -> Option<&dyn SupervisorClient> {
        self.supervisor.as_deref()
    }

    /// When the server started.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Starts a graceful shutdown.
    pub(crate) fn stop(&self) {
        self.shutdown.stop();
    }

    /// The addresses it listens on, as URLs.
    pub(crate) fn listeners(&self) -> &[String] {
        &self.listeners
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.shutdown.is_stopping()
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts {
            connections: self.open.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            ..Counts::default()
        };
        for RouterState { counters, .. } in self.routers.iter().map(|router| &**router) {
            counts.calls += counters.calls();
            counts.errors += counters.errors();
            counts.in_flight += counters.in_flight();
        }
        counts
    }

    /// The metrics of this process, per method.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let counts = self.counts();
        let MemoryBudgets {
            requests,
            responses,
        } = &self.memory;
        let mut snapshot = Snapshot {
            connections: counts.connections as u64,
            accepted: counts.accepted as u64,
            request_memory: requests.used() as u64,
            response_memory: responses.used() as u64,
            memory_refused: requests.refused() + responses.refused(),
            audit_missing: self.audit_missing.load(Ordering::Relaxed),
            topics: crate::topic::counts::all(),
            processes: 1,
            ..Snapshot::default()
        };
        for served in self.served_by() {
            let counts = RemoteCounts::of(&served);
            let name = served.name.into_string();
            snapshot.upstreams.entry(name).or_default().add(&counts);
        }
        for RouterState { tree, counters } in self.routers.iter().map(|router| &**router) {
            for route in 0..=tree.len() {
                let name = tree.method(route).map_or("", MethodInfo::name);
                if let Some(method) = counters.method(route) {
                    snapshot.count(name, &method.metrics.snapshot(method.calls()));
                }
            }
        }
        snapshot
    }

    /// The servers that calls are forwarded to, as far as they have names.
    fn served_by(&self) -> impl Iterator<Item = ServedBy> {
        let trees = self.routers.iter().map(|router| &router.tree);
        let all = trees.flat_map(|tree| tree.all_remotes());
        let served = all.map(|remote| remote.source.served_by());
        served.filter(|served| !served.name.is_empty())
    }

    /// Whether calls can be answered, and a line for each of the servers that they are forwarded to. A
    /// program that is there for nothing else is not ready if no server is up.
    pub(crate) fn readiness(&self) -> (bool, String) {
        let (mut all, mut any, mut lines) = (false, false, String::new());
        for served in self.served_by() {
            let up = served.upstreams.iter().filter(|upstream| upstream.is_up);
            let (up, count) = (up.count(), served.upstreams.len());
            all |= served.is_all;
            any |= up > 0;
            lines.push_str(&format!(
                "{}: {up} of {count} up\n",
                Printable(&served.name)
            ));
        }
        match (self.is_stopping(), all && !any) {
            (true, _) => (false, "stopping\n".to_owned()),
            (false, true) => (false, format!("no upstream\n{lines}")),
            (false, false) => (true, format!("ready\n{lines}")),
        }
    }

    /// The names of methods that are hidden from this reader on all routes.
    pub(crate) fn hidden(&self, reader: Reader) -> BTreeSet<&str> {
        let trees = self.routers.iter().map(|router| &router.tree);
        let all = trees.flat_map(|tree| tree.methods(Access::Admin));
        let (mut seen, mut hidden) = (BTreeSet::new(), BTreeSet::new());
        for method in all {
            let names = match reader.sees(method) {
                true => &mut seen,
                false => &mut hidden,
            };
            names.insert(method.name());
        }
        // Two routes may have a method with the same name.
        hidden.retain(|name| !seen.contains(name));
        hidden
    }

    /// Completes when the server is told to stop.
    pub(crate) fn told_to_stop(&self) -> WaitForCancellationFutureOwned {
        self.shutdown.told()
    }

    /// Completes when calls in flight have to end because the server stops.
    pub(crate) fn overdue(&self) -> WaitForCancellationFutureOwned {
        self.shutdown.overdue()
    }
}
