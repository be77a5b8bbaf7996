//! Certificate of a client: chain and private key, from PEM text.

use std::sync::Arc;

use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{self};

use super::{TlsError, is_encrypted, provider, unusable};

/// Reads a chain, the certificate of the client first, and the key of that certificate.
///
/// # Errors
///
/// If one of them is missing or cannot be read, or if they do not belong together. The text shows
/// nothing of the key.
pub(super) fn read(chain: &[u8], key: &[u8]) -> Result<Arc<dyn ResolvesClientCert>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(|error| {
        unusable(format!(
            "the certificate of the client cannot be read: {error}"
        ))
    })?;
    if chain.is_empty() {
        return Err(unusable(
            "there is no certificate of the client (PEM) in what was given",
        ));
    }
    let certified = CertifiedKey::from_der(chain, private_key(key)?, &provider());
    let certified = certified.map_err(|error| {
        unusable(match error {
            rustls::Error::InconsistentKeys(_) => {
                "the private key of the client is not the key of its certificate".to_owned()
            }
            rustls::Error::InvalidCertificate(why) => {
                format!("the certificate of the client cannot be used: {why}")
            }
            error => format!("the private key of the client cannot be used: {error}"),
        })
    })?;
    Ok(Arc::new(SingleCertAndKey::from(certified)))
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    match PrivateKeyDer::pem_slice_iter(text).next() {
        _ if is_encrypted(text) => Err(unusable(
            "the private key of the client is encrypted; it has to be there without a passphrase",
        )),
        Some(Ok(key)) => Ok(key),
        // The error might quote the text.
        Some(Err(_)) => Err(unusable("the private key of the client cannot be read")),
        None => Err(unusable(
            "there is no private key of the client (PEM) in what was given",
        )),
    }
}
