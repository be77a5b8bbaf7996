//! Counters of one method in builds without feature `metrics`: nothing is counted or timed.

use antiphon_proto::ErrorCode;

use super::snapshot::MethodSnapshot;

/// Whether there are any.
pub(crate) const ENABLED: bool = false;

/// No counters.
#[derive(Debug, Default)]
pub(crate) struct Series;

impl Series {
    /// The number of calls, which is counted in any case.
    pub(crate) fn snapshot(&self, calls: u64) -> MethodSnapshot {
        MethodSnapshot {
            calls,
            ..MethodSnapshot::default()
        }
    }

    pub(crate) fn enter(&self) {}

    pub(crate) fn leave(&self) {}

    pub(crate) fn failed(&self, _: ErrorCode) {}
}

/// No clock.
#[derive(Debug)]
pub(crate) struct Stopwatch;

impl Stopwatch {
    pub(crate) fn start(_: usize) -> Self {
        Self
    }

    pub(crate) fn waits(&mut self) {}

    pub(crate) fn stop(&self, _: &Series, _: usize) {}
}
