//! TLS 1.2 and 1.3 around any stream. What is inside does not know of it.
//!
//! | file | what it does |
//! |---|---|
//! | `server.rs` | [`server::ServerTls`]: a certificate from files, replaced while it runs |
//! | `client.rs` | [`client::ClientTls`]: the authorities that a client trusts |
//! | `trust.rs` | [`trust::CertificateProblem`]: why a server is not trusted |
//!
//! A certificate is always checked; there is no way to switch that off. No provider of cryptography
//! is installed for the process: that choice belongs to the program, and ours is made per use.
//!
//! A peer that closes a stream without saying so inside TLS may have been cut off by somebody in
//! between; reading then ends with `UnexpectedEof`, not with the end of the stream.

pub(crate) mod client;
#[cfg(feature = "server")]
pub(crate) mod server;
#[cfg(test)]
mod tests;
pub(crate) mod trust;

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::{InvalidMessage, SupportedProtocolVersion, version};

/// The names of protocols in a handshake (ALPN, RFC 7301).
pub(crate) const H2: &[u8] = b"h2";
pub(crate) const HTTP1: &[u8] = b"http/1.1";

/// What both ends speak, whatever the library's own defaults become.
static VERSIONS: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// Why there is no TLS. The text tells all, so there is no source behind it: whoever shows the
/// innermost cause of an error shows this one.
#[derive(Debug)]
pub(crate) enum TlsError {
    /// A file, a certificate, a key or a name that cannot be used.
    Unusable(String),
    /// The server's certificate is not accepted.
    Certificate(trust::CertificateProblem),
    /// The two ends did not come to terms, or the connection broke.
    Handshake(String),
    /// The other end took too long.
    Deadline,
}

impl TlsError {
    fn of_handshake(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        Self::Handshake(match inner {
            Some(rustls::Error::InvalidCertificate(why)) => {
                return Self::Certificate(trust::CertificateProblem::of(why));
            }
            Some(rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            )) => "the other end does not speak TLS".to_owned(),
            Some(rustls::Error::AlertReceived(alert)) => {
                format!("the other end refuses it ({alert:?})")
            }
            Some(other) => other.to_string(),
            None if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the other end has closed the connection".to_owned()
            }
            None => error.to_string(),
        })
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(reason) => f.write_str(reason),
            Self::Certificate(why) => why.fmt(f),
            Self::Handshake(reason) => write!(f, "the TLS handshake failed: {reason}"),
            Self::Deadline => f.write_str("the TLS handshake took too long"),
        }
    }
}

impl std::error::Error for TlsError {}

fn unusable(reason: impl Into<String>) -> TlsError {
    TlsError::Unusable(reason.into())
}

/// The cryptography of every connection here.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn protocols(names: &[&[u8]]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.to_vec()).collect()
}
