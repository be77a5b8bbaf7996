//! The peer of an HTTP connection.

use std::sync::Arc;

use http::HeaderMap;
use tokio_util::sync::CancellationToken;

use crate::address::client_address::ClientAddress;
use crate::address::trusted_proxies::TrustedProxies;
use crate::call_origin::{Connection, Transport};
use crate::memory_budget::account::Accounts;
use crate::transport::http::body_framing::WireCounter;
use crate::transport::http::forwarded;
use crate::transport::http::upgrade::UpgradeSlot;

/// The peer of a connection, as the server that accepted it knows it.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) connection: Arc<Connection>,
    /// Whether the listener can be reached only from this machine.
    pub(crate) local: bool,
    /// Whether the listener has a name that a web page could know, so `Host` and `Origin` have to
    /// be checked; false for a Unix socket.
    pub(crate) named: bool,
    /// The proxies that are trusted, if the client of the connection is one of them: then its requests
    /// name their clients.
    pub(crate) proxies: Option<Arc<TrustedProxies>>,
    /// Where an upgrade puts the session that takes over the connection.
    pub(crate) slot: Option<UpgradeSlot>,
    /// The bytes that arrive on the connection; `None` where connections are not seen.
    pub(crate) wire: Option<WireCounter>,
    /// Cancelled when the server is told to stop; event streams then end.
    pub(crate) stopping: CancellationToken,
}

impl Caller {
    /// The caller used when the service is mounted in another server and does not see connections.
    pub(super) fn unknown(accounts: &Accounts) -> Arc<Self> {
        Arc::new(Self {
            connection: Connection::unknown(Transport::Http, accounts.of_host()),
            local: false,
            named: true,
            proxies: None,
            slot: None,
            wire: None,
            stopping: CancellationToken::new(),
        })
    }

    /// The client of a request with these header fields.
    pub(super) fn client(&self, headers: &HeaderMap) -> ClientAddress {
        let client = self.connection.client;
        match &self.proxies {
            None => client,
            Some(proxies) => forwarded::client(headers, proxies, client),
        }
    }
}
