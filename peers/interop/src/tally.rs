//! Counter of events in a server that tests can wait for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// A counter that a test can wait for. Clones share the count.
#[derive(Clone)]
pub struct Tally(Arc<watch::Sender<usize>>);

impl Default for Tally {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Tally {
    pub fn add(&self) {
        self.0.send_modify(|count| *count += 1);
    }

    #[must_use]
    pub fn get(&self) -> usize {
        *self.0.borrow()
    }

    /// Waits for this count, for at most 20 s.
    ///
    /// # Panics
    ///
    /// If the count is not reached in time.
    pub async fn reach(&self, count: usize) {
        let mut changes = self.0.subscribe();
        let reached = changes.wait_for(|&now| now >= count);
        let waited = timeout(Duration::from_secs(20), reached).await;
        assert!(waited.is_ok(), "{} of {count}", self.get());
    }

    /// A guard that counts when it is dropped.
    #[must_use]
    pub fn guard(&self) -> Guard {
        Guard(self.clone())
    }
}

/// Adds one to the counter when it is dropped.
pub struct Guard(Tally);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.add();
    }
}
