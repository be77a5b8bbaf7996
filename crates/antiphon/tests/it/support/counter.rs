//! Counters that tests can wait for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// A counter that tests can wait for. Clones share the count.
#[derive(Clone)]
pub(crate) struct Counter(Arc<watch::Sender<usize>>);

impl Default for Counter {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Counter {
    pub(crate) fn add(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    pub(crate) fn get(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits until the count has reached this value.
    pub(crate) async fn reach(&self, count: usize) {
        let mut changes = self.0.subscribe();
        let reached = changes.wait_for(|&now| now >= count);
        let waited = tokio::time::timeout(Duration::from_secs(20), reached).await;
        assert!(waited.is_ok(), "{} of {count}", self.get());
    }

    /// Returns a guard that is counted when it is dropped.
    pub(crate) fn guard(&self) -> Guard {
        Guard(self.clone())
    }
}

/// Increments the counter when it is dropped.
pub(crate) struct Guard(Counter);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// The current and the highest number of concurrent entries.
#[derive(Clone, Default)]
pub(crate) struct Gauge(Arc<std::sync::Mutex<(usize, usize)>>);

impl Gauge {
    /// Increments the number until the returned guard is dropped.
    pub(crate) fn enter(&self) -> Entered {
        let mut counts = self.0.lock().unwrap();
        counts.0 += 1;
        counts.1 = counts.1.max(counts.0);
        Entered(self.clone())
    }

    pub(crate) fn peak(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

pub(crate) struct Entered(Gauge);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().0 -= 1;
    }
}
