//! Caller at the other end of a connection.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::origin::{Connection, Transport};
use crate::transport::http::upgrade::UpgradeSlot;

/// Who is at the other end of a connection, as the server that accepted it knows.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) connection: Arc<Connection>,
    /// Whether the listener can be reached from this machine alone.
    pub(crate) local: bool,
    /// Whether it was reached by a name that a web page could know: not through a Unix socket.
    pub(crate) named: bool,
    /// Where an upgrade leaves the session that the connection becomes.
    pub(crate) slot: Option<UpgradeSlot>,
    /// Cancelled when the server is told to stop; event streams end then.
    pub(crate) stopping: CancellationToken,
}

impl Caller {
    /// The caller of a service that is mounted in another server and sees no connections.
    pub(super) fn unknown() -> Arc<Self> {
        Arc::new(Self {
            connection: Connection::new(Transport::Http, None),
            local: false,
            named: true,
            slot: None,
            stopping: CancellationToken::new(),
        })
    }
}
