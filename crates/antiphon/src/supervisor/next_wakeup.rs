//! Earliest of several deadlines.

use tokio::time::Instant;

/// Collects deadlines and keeps the earliest.
#[derive(Debug, Default)]
pub(crate) struct NextWakeup(Option<Instant>);

impl NextWakeup {
    pub(crate) fn get(self) -> Option<Instant> {
        self.0
    }

    pub(crate) fn at(&mut self, moment: Instant) {
        self.0 = Some(self.0.map_or(moment, |known| known.min(moment)));
    }
}
