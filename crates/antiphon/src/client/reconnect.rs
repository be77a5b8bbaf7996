//! Policy of reconnecting: how often, and after which pauses.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// How a client reconnects after its connection was lost: exponential backoff with full jitter.
///
/// A server ends a connection that is idle, and sooner one that carries no message at all. So a
/// client that has sent nothing on two connections in a row waits for the next call before it
/// reconnects.
///
/// The upper bound of the pause doubles with each attempt. Each pause is a random fraction of it,
/// so that clients that were disconnected together do not reconnect together.
///
/// ```
/// use std::time::Duration;
/// use antiphon::client::Reconnect;
///
/// let reconnect = Reconnect::default().max_attempts(5);
/// assert_eq!(reconnect.max_pause, Duration::from_secs(10));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reconnect {
    /// The upper bound of the first pause. Default: 100 ms.
    pub first_pause: Duration,
    /// The upper bound of every pause. Default: 10 s.
    pub max_pause: Duration,
    /// The most attempts in a row; `None` retries for as long as the client exists. Default:
    /// `None`.
    pub max_attempts: Option<u32>,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(100),
            max_pause: Duration::from_secs(10),
            max_attempts: None,
        }
    }
}

impl Reconnect {
    /// Sets [`first_pause`](Self::first_pause).
    #[must_use]
    pub fn first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// Sets [`max_pause`](Self::max_pause).
    #[must_use]
    pub fn max_pause(mut self, pause: Duration) -> Self {
        self.max_pause = pause;
        self
    }

    /// Sets [`max_attempts`](Self::max_attempts).
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// A random pause before this attempt.
    pub(super) fn pause(&self, attempt: u32) -> Duration {
        let max = self.first_pause.saturating_mul(1 << attempt.min(20));
        let max = max.min(self.max_pause);
        // A hash with fresh random keys is a random number.
        let random = RandomState::new().hash_one(attempt) >> 32;
        max.mul_f64(random as f64 / f64::from(u32::MAX))
    }
}
