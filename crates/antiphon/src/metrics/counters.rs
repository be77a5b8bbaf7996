//! Counters of a router, by method.
//!
//! Each method has its own counters, found by its index in the router's table; the last ones are for
//! calls of methods that there are none. What is summed up is summed up when somebody asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use antiphon_proto::ErrorObject;

use crate::describe::Tree;
use crate::metrics::Series;

/// What all calls of a router have in common.
#[derive(Debug)]
pub(crate) struct RouterState {
    pub(crate) tree: Tree,
    pub(crate) counters: Arc<Counters>,
}

/// How many calls a router has seen.
#[derive(Debug)]
pub(crate) struct Counters {
    methods: Box<[MethodCounters]>,
    /// Calls that wait right now: they had to when they were first polled.
    in_flight: AtomicUsize,
}

/// The same for one method.
#[derive(Debug, Default)]
pub(crate) struct MethodCounters {
    calls: AtomicU64,
    errors: AtomicU64,
    pub(crate) series: Series,
}

impl Counters {
    /// For so many methods.
    pub(crate) fn new(methods: usize) -> Self {
        Self {
            methods: (0..=methods).map(|_| MethodCounters::default()).collect(),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// All calls and notifications since the start, whatever became of them.
    pub(crate) fn calls(&self) -> u64 {
        self.methods.iter().map(MethodCounters::calls).sum()
    }

    /// Those of them that ended with an error.
    pub(crate) fn errors(&self) -> u64 {
        self.methods.iter().map(MethodCounters::errors).sum()
    }

    /// Those that wait right now.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The counters of a method, by its index; those of unknown ones where there is none.
    pub(crate) fn method(&self, route: usize) -> Option<&MethodCounters> {
        self.methods.get(route.min(self.methods.len() - 1))
    }

    /// There is one more call of a method.
    pub(crate) fn called(&self, route: usize) {
        if let Some(method) = self.method(route) {
            method.calls.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call begins to wait.
    pub(crate) fn enter(self: &Arc<Self>, route: usize) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        if let Some(method) = self.method(route) {
            method.series.enter();
        }
        InFlight {
            counters: Arc::clone(self),
            route,
        }
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
        self.series.failed(error.code());
    }
}

/// One call in flight, until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    counters: Arc<Counters>,
    route: usize,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.counters.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(method) = self.counters.method(self.route) {
            method.series.leave();
        }
    }
}
