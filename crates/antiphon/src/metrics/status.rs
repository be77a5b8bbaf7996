//! Status of a server while it serves.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use antiphon_proto::ErrorObject;
use serde_json::Value;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::describe::{Access, MethodInfo};
use crate::metrics::Snapshot;
use crate::metrics::counters::RouterState;
use crate::shutdown::Shutdown;

/// One server that serves.
#[derive(Debug)]
pub(crate) struct ServerStatus {
    began: Instant,
    /// One for each route.
    routers: Vec<Arc<RouterState>>,
    shutdown: Shutdown,
    open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
    /// Its addresses, as URLs.
    listeners: Vec<String>,
    /// The way to the supervisor, where this process is one of its workers.
    supervisor: Option<Box<dyn SupervisorClient>>,
}

/// What is asked of a supervisor, and its answer, as JSON.
pub(crate) trait SupervisorClient: Debug + Send + Sync {
    /// Asks a question, with parameters by position.
    fn ask(&self, method: &'static str, params: Vec<Value>) -> Answer;
}

/// The answer of a supervisor.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Value, ErrorObject>> + Send>>;

/// How much a server has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Calls and notifications.
    pub(crate) calls: u64,
    /// Those of them that ended with an error.
    pub(crate) errors: u64,
    /// Calls that wait right now.
    pub(crate) in_flight: usize,
    /// Connections that are open.
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
        supervisor: Option<Box<dyn SupervisorClient>>,
    ) -> Self {
        Self {
            began: Instant::now(),
            routers,
            shutdown,
            open,
            accepted,
            listeners,
            supervisor,
        }
    }

    /// The way to the supervisor, if there is one.
    pub(crate) fn supervisor(&self) -> Option<&dyn SupervisorClient> {
        self.supervisor.as_deref()
    }

    /// Since when it serves.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Tells it to stop gracefully.
    pub(crate) fn stop(&self) {
        self.shutdown.stop();
    }

    /// Its addresses, as URLs.
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

    /// What was counted of each method in this process.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let counts = self.counts();
        let mut snapshot = Snapshot {
            connections: counts.connections as u64,
            accepted: counts.accepted as u64,
            processes: 1,
            ..Snapshot::default()
        };
        for RouterState { tree, counters } in self.routers.iter().map(|router| &**router) {
            for route in 0..=tree.len() {
                let name = tree.method(route).map_or("", MethodInfo::name);
                if let Some(method) = counters.method(route) {
                    snapshot.count(name, &method.series.snapshot(method.calls()));
                }
            }
        }
        snapshot
    }

    /// The names of methods that do not exist for this reader, on any route.
    pub(crate) fn hidden(&self, reader: Access) -> BTreeSet<&str> {
        let trees = self.routers.iter().map(|router| &router.tree);
        let all = trees.flat_map(|tree| tree.methods(Access::Admin));
        let (mut seen, mut hidden) = (BTreeSet::new(), BTreeSet::new());
        for method in all {
            let names = match method.access() <= reader {
                true => &mut seen,
                false => &mut hidden,
            };
            names.insert(method.name());
        }
        // One name may stand on two routes.
        hidden.retain(|name| !seen.contains(name));
        hidden
    }

    /// Waits until calls that are still in flight have to end, because the server does.
    pub(crate) fn overdue(&self) -> WaitForCancellationFutureOwned {
        self.shutdown.overdue()
    }
}
