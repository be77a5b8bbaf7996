//! Kinds of connections: requests that come and go, and sessions that stay.

use crate::server::listener::Protocol;

/// Kind of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ConnectionKind {
    /// HTTP.
    Requests,
    /// A WebSocket, or a raw stream.
    Session,
}

impl ConnectionKind {
    /// The kind that connections of this protocol have at first.
    pub(super) fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Http => Self::Requests,
            Protocol::Raw(_) => Self::Session,
        }
    }
}
