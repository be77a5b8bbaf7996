//! Counting what happens in a server, and waiting until it has happened.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// A count that a test can wait for. Clones count together.
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

    /// Waits for so many, at most 20 s.
    ///
    /// # Panics
    ///
    /// If they do not come.
    pub async fn reach(&self, count: usize) {
        let mut changes = self.0.subscribe();
        let reached = changes.wait_for(|&now| now >= count);
        let waited = timeout(Duration::from_secs(20), reached).await;
        assert!(waited.is_ok(), "{} of {count}", self.get());
    }

    /// Something whose end is counted.
    #[must_use]
    pub fn guard(&self) -> Guard {
        Guard(self.clone())
    }
}

/// Counts when it is dropped.
pub struct Guard(Tally);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.add();
    }
}
