//! Brokers among the addresses of a server.

use crate::address::Address;
use crate::server::error::ServeError;
use crate::server::listener::Listener;
use crate::server::settings::Settings;
use crate::transport::nats::Broker;

/// Connects to all of them.
///
/// # Errors
///
/// [`ServeError::Broker`] for the first to which there is no connection.
pub(super) async fn connect(settings: &Settings) -> Result<Vec<Broker>, ServeError> {
    let mut brokers = Vec::new();
    for address in settings.brokers() {
        let shown = Address::Nats(address.clone()).to_string();
        let connected = Broker::connect(address).await;
        brokers.push(connected.map_err(|source| ServeError::Broker {
            address: shown,
            source,
        })?);
    }
    Ok(brokers)
}

/// The URLs of a server, for clients.
pub(super) fn urls(listeners: &[Listener], brokers: &[Broker]) -> Vec<String> {
    let listeners = listeners.iter().map(ToString::to_string);
    listeners.chain(brokers.iter().map(Broker::url)).collect()
}
