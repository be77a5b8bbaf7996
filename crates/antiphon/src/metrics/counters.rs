//! Call counters of a router, per method (error codes, bytes and durations: `method_metrics/`).
//!
//! Each method has its own counters, found by its index in the router's table. One more set counts
//! calls of unknown methods. Totals are computed on request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use antiphon_proto::ErrorObject;

use crate::describe::Tree;
use crate::metrics::MethodMetrics;
use crate::metrics::places::{PlaceLimits, Places, Shares};

/// State shared by all calls of a router.
#[derive(Debug)]
pub(crate) struct RouterState {
    pub(crate) tree: Tree,
    pub(crate) counters: Arc<Counters>,
}

/// Call counters of a router.
#[derive(Debug)]
pub(crate) struct Counters {
    methods: Box<[MethodCounters]>,
    /// Calls in flight: only those that were not ready at their first poll.
    places: Places,
}

/// Counters of one method.
#[derive(Debug, Default)]
pub(crate) struct MethodCounters {
    calls: AtomicU64,
    errors: AtomicU64,
    pub(crate) metrics: MethodMetrics,
}

impl Counters {
    /// Creates counters for this many methods.
    pub(crate) fn new(methods: usize) -> Self {
        Self {
            methods: (0..=methods).map(|_| MethodCounters::default()).collect(),
            places: Places::default(),
        }
    }

    /// Calls and notifications since the start, whatever their outcome.
    pub(crate) fn calls(&self) -> u64 {
        self.methods.iter().map(MethodCounters::calls).sum()
    }

    /// Calls and notifications that ended with an error.
    pub(crate) fn errors(&self) -> u64 {
        self.methods.iter().map(MethodCounters::errors).sum()
    }

    /// Calls in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.places.taken()
    }

    /// The counters of a method, by its index; those of unknown methods if there is no such index.
    pub(crate) fn method(&self, route: usize) -> Option<&MethodCounters> {
        self.methods.get(route.min(self.methods.len() - 1))
    }

    /// Counts a call of a method.
    pub(crate) fn called(&self, route: usize) {
        if let Some(method) = self.method(route) {
            method.calls.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a call as in flight until the guard is dropped; `None` if there is no place for it.
    pub(crate) fn enter(
        self: &Arc<Self>,
        route: usize,
        limits: PlaceLimits,
        shares: Shares,
    ) -> Option<InFlight> {
        let shares = self.places.take(limits, shares)?;
        if let Some(method) = self.method(route) {
            method.metrics.enter();
        }
        Some(InFlight {
            counters: Arc::clone(self),
            route,
            shares,
        })
    }
}

impl MethodCounters {
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self, error: &ErrorObject) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.metrics.failed(error.code());
    }
}

/// Guard of a call in flight: its place, which is given back when the guard is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    counters: Arc<Counters>,
    route: usize,
    shares: Shares,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.counters.places.give_back(&self.shares);
        if let Some(method) = self.counters.method(self.route) {
            method.metrics.leave();
        }
    }
}
