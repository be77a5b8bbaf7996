//! Stub of the metrics of one method for builds without feature `metrics`: nothing is counted or
//! timed.

use antiphon_proto::ErrorCode;

use super::snapshot::MethodSnapshot;

/// Whether this build has metrics.
pub(crate) const ENABLED: bool = false;

/// Stub without counters.
#[derive(Debug, Default)]
pub(crate) struct MethodMetrics;

impl MethodMetrics {
    /// A snapshot with the number of calls only, which every build counts.
    pub(crate) fn snapshot(&self, calls: u64) -> MethodSnapshot {
        MethodSnapshot {
            calls,
            ..MethodSnapshot::default()
        }
    }

    pub(crate) fn enter(&self) {}

    pub(crate) fn leave(&self) {}

    pub(crate) fn failed(&self, _: ErrorCode) {}

    pub(crate) fn limited(&self) {}
}

/// Stub that measures nothing.
#[derive(Debug)]
pub(crate) struct Stopwatch;

impl Stopwatch {
    pub(crate) fn start(_: usize) -> Self {
        Self
    }

    pub(crate) fn waits(&mut self) {}

    pub(crate) fn stop(&self, _: &MethodMetrics, _: usize) {}
}
