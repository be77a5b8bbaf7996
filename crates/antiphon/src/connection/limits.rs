//! Limits of a two-way connection.

use std::sync::Arc;

/// What one session may hold; shared by all sessions of a server or client.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLimits {
    /// Bytes that may wait to be written before everything that makes more of them has to wait.
    pub(crate) max_unwritten: usize,
    /// Calls of ours that may wait for answers.
    pub(crate) max_calls: usize,
    /// Subscriptions of the peer's.
    pub(crate) max_subscriptions: usize,
    /// Items that may wait for one subscriber.
    pub(crate) max_queued: usize,
    /// Bytes of items that may wait for one subscriber.
    pub(crate) max_queued_bytes: usize,
    /// The notification that cancels a call, on both ways.
    pub(crate) cancel: Arc<str>,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_unwritten: 4 * 1024 * 1024,
            max_calls: 1024,
            max_subscriptions: 1024,
            max_queued: 256,
            max_queued_bytes: 1024 * 1024,
            cancel: "$/cancelRequest".into(),
        }
    }
}
