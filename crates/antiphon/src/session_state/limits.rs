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
    pub(crate) dialect: Dialect,
    /// Whether nobody may guess the ids of our calls: over HTTP, where the peer answers with requests of
    /// its own, anybody could.
    pub(crate) unguessable_ids: bool,
}

/// What a peer understands beside JSON-RPC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Dialect {
    /// Whatever is understood here.
    #[default]
    Own,
    /// The Model Context Protocol: a request has no other members, and a cancelled call gets no answer.
    Mcp,
}

/// The notification that cancels a call there.
pub(crate) const CANCELLED: &str = "notifications/cancelled";

impl ConnectionLimits {
    /// The same for a peer that speaks the Model Context Protocol.
    pub(crate) fn speaking_mcp(&self) -> Self {
        Self {
            cancel: CANCELLED.into(),
            dialect: Dialect::Mcp,
            unguessable_ids: true,
            ..self.clone()
        }
    }
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
            dialect: Dialect::Own,
            unguessable_ids: false,
        }
    }
}
