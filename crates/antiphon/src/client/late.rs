//! Failure of a request whose time was over before it could be sent.
//!
//! A future with a deadline is polled once more when its time is over. What it has waited for may be
//! there just then, so it looks at the time again before it sends anything.

use std::fmt;

use tokio::time::Instant;

/// The failure of a request whose time was over before it could be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late;

impl Late {
    /// Fails if the time is over.
    pub(super) fn check(deadline: Option<Instant>, now: Instant) -> Result<(), Self> {
        match deadline {
            Some(deadline) if deadline <= now => Err(Self),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its time is over")
    }
}

impl std::error::Error for Late {}
