//! Limits of a two-way connection.

use std::sync::Arc;

/// Limits of one session's state; the values are shared by all sessions of a server or client.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLimits {
    /// Bytes that may be queued for writing before producers of output have to wait.
    pub(crate) max_unwritten: usize,
    /// Our pending calls.
    pub(crate) max_calls: usize,
    /// The peer's subscriptions.
    pub(crate) max_subscriptions: usize,
    /// Items that may be queued for one subscriber.
    pub(crate) max_queued: usize,
    /// Bytes of items that may be queued for one subscriber.
    pub(crate) max_queued_bytes: usize,
    /// The notification that cancels a call, in both directions.
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
