//! TLS configuration of a client's connections.

use crate::address::Address;
use crate::client::tls::TlsOptions;
use crate::router::BoxError;
use crate::transport::tls::client::ClientTls;

/// The TLS configuration, if the address uses TLS.
pub(in crate::client) fn tls(
    address: &Address,
    options: &TlsOptions,
) -> Result<Option<ClientTls>, BoxError> {
    // A NATS server may ask for TLS by itself.
    let is_prepared =
        matches!(address, Address::Nats(_)) && (options.ca.is_some() || options.client.is_some());
    if !address.is_secure() && !is_prepared {
        return Ok(None);
    }
    let tls = match &options.ca {
        Some(pem) => ClientTls::with_ca(pem),
        None => ClientTls::platform(),
    }?;
    let tls = match &options.client {
        Some((chain, key)) => tls.with_certificate(chain, key)?,
        None => tls,
    };
    Ok(Some(match &options.server_name {
        Some(name) => tls.with_server_name(name)?,
        None => tls,
    }))
}
