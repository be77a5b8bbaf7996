//! What a server knows about itself while it serves: how long, where, for whom, and how it ends.

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
use crate::metrics::counters::Common;
use crate::shutdown::Life;

/// One server that serves.
#[derive(Debug)]
pub(crate) struct Vitals {
    began: Instant,
    /// One for each route.
    routers: Vec<Arc<Common>>,
    life: Life,
    open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
    /// Its addresses, as URLs.
    listeners: Vec<String>,
    /// The way to the supervisor, where this process is one of its workers.
    uplink: Option<Box<dyn Uplink>>,
}

/// What is asked of a supervisor, and its answer, as JSON.
pub(crate) trait Uplink: Debug + Send + Sync {
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

impl Vitals {
    pub(crate) fn new(
        routers: Vec<Arc<Common>>,
        life: Life,
        open: Arc<AtomicUsize>,
        accepted: Arc<AtomicUsize>,
        listeners: Vec<String>,
        uplink: Option<Box<dyn Uplink>>,
    ) -> Self {
        Self {
            began: Instant::now(),
            routers,
            life,
            open,
            accepted,
            listeners,
            uplink,
        }
    }

    /// The way to the supervisor, if there is one.
    pub(crate) fn uplink(&self) -> Option<&dyn Uplink> {
        self.uplink.as_deref()
    }

    /// Since when it serves.
    pub(crate) fn began(&self) -> Instant {
        self.began
    }

    /// Tells it to stop gracefully.
    pub(crate) fn stop(&self) {
        self.life.stop();
    }

    /// Its addresses, as URLs.
    pub(crate) fn listeners(&self) -> &[String] {
        &self.listeners
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.life.is_stopping()
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts {
            connections: self.open.load(Ordering::Relaxed),
            accepted: self.accepted.load(Ordering::Relaxed),
            ..Counts::default()
        };
        for Common { tally, .. } in self.routers.iter().map(|router| &**router) {
            counts.calls += tally.calls();
            counts.errors += tally.errors();
            counts.in_flight += tally.in_flight();
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
        for Common { tree, tally } in self.routers.iter().map(|router| &**router) {
            for route in 0..=tree.len() {
                let name = tree.method(route).map_or("", MethodInfo::name);
                if let Some(method) = tally.method(route) {
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
        self.life.overdue()
    }
}
