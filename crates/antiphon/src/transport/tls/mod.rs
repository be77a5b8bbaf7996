//! TLS 1.2 and 1.3 on any byte stream, transparent for the protocol inside.
//!
//! | file | what it does |
//! |---|---|
//! | `server.rs` | [`server::ServerTls`]: certificate from files, reloadable at run time |
//! | `client.rs` | [`client::ClientTls`]: trust anchors of a client |
//! | `client_certificate.rs` | certificate and key with which a client says who it is |
//! | `trust.rs` | [`trust::CertificateProblem`]: why a certificate is not trusted |
//!
//! Certificates are always verified; verification cannot be turned off. No process-wide default
//! `CryptoProvider` is installed, since that is up to the application: each configuration names its
//! provider.
//!
//! If a peer closes the connection without `close_notify`, the data may have been truncated by an
//! attacker. Reading then fails with `UnexpectedEof` instead of reporting the end of the stream.

pub(crate) mod client;
mod client_certificate;
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

/// Protocol names for ALPN (RFC 7301).
pub(crate) const H2: &[u8] = b"h2";
pub(crate) const HTTP1: &[u8] = b"http/1.1";

/// The TLS versions of clients and servers, independent of rustls' defaults.
static VERSIONS: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];

/// Why TLS could not be established. The text contains the whole reason, so `source` returns
/// nothing: code that shows only the innermost cause of an error shows this one.
#[derive(Debug)]
pub(crate) enum TlsError {
    /// An invalid file, certificate, key or name.
    Unusable(String),
    /// The server's certificate is not accepted.
    Certificate(trust::CertificateProblem),
    /// The handshake failed, or the connection was lost.
    Handshake(String),
    /// The handshake timed out.
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

/// The crypto provider of all TLS configurations in this crate.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn protocols(names: &[&[u8]]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.to_vec()).collect()
}

/// Whether the key is encrypted, in PKCS #8 or in the older PEM form. rustls skips the former and
/// cannot parse the latter.
fn is_encrypted(text: &[u8]) -> bool {
    let has = |word: &[u8]| text.windows(word.len()).any(|part| part == word);
    has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED")
}
