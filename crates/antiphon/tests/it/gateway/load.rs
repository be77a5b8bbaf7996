//! Callers that make one call after the other while servers come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use antiphon::client::{Client, Error};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::LIMIT;

/// How many there are.
const CALLERS: i64 = 8;

/// Callers of the methods of an upstream; each stops at its first call that fails.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    callers: Vec<JoinHandle<Result<(), Error>>>,
}

impl Load {
    /// Begins to call, each caller with a client of its own.
    pub(super) fn begin(client: impl Fn() -> Client) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let made = Arc::new(AtomicU64::new(0));
        let callers = (0..CALLERS).map(|caller| {
            let (client, stop, made) = (client(), Arc::clone(&stop), Arc::clone(&made));
            tokio::spawn(async move {
                let mut number = caller;
                while !stop.load(Ordering::Relaxed) {
                    number += CALLERS;
                    // Some take a while, so that there are always calls under way.
                    match number % 3 {
                        0 => assert_eq!(client.call::<u64>("sleep", (2,)).await?, 2),
                        _ => {
                            let sum: i64 = client.call("add", (number, 1)).await?;
                            assert_eq!(sum, number + 1);
                        }
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        });
        let callers = callers.collect();
        Self {
            stop,
            made,
            callers,
        }
    }

    /// Waits until so many more calls are answered, or one has failed.
    pub(super) async fn progress(&self, more: u64) {
        let goal = self.made.load(Ordering::Relaxed) + more;
        let goes_on = async {
            while self.made.load(Ordering::Relaxed) < goal
                && !self.callers.iter().any(JoinHandle::is_finished)
            {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(LIMIT, goes_on).await.expect("calls go on");
    }

    /// Ends it. Returns how many calls were answered; all were.
    pub(super) async fn end(self, what: &str) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            let outcome = timeout(LIMIT, caller).await.unwrap().unwrap();
            outcome.unwrap_or_else(|error| panic!("{what}: {error} {:?}", error.kind()));
        }
        self.made.load(Ordering::Relaxed)
    }
}
