//! TLS of a server: certificate chain and key from two files, reloadable at run time.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::Ticketer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::{H2, HTTP1, TlsError, VERSIONS, is_encrypted, protocols, provider, unusable};
use crate::files::read;
use crate::identity::UnixPeer;
use crate::transport::byte_stream::Socket;

impl<S: Socket> Socket for TlsStream<S> {
    fn is_hung_up(&self) -> bool {
        self.get_ref().0.is_hung_up()
    }

    fn peer_certificate(&self) -> Option<Arc<[u8]>> {
        let chain = self.get_ref().1.peer_certificates()?;
        chain.first().map(|certificate| Arc::from(&**certificate))
    }

    fn unix_peer(&self) -> Option<UnixPeer> {
        self.get_ref().0.unix_peer()
    }
}

/// Default timeout of a handshake.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Size limit of a file in bytes; a certificate chain has a few thousand.
const MAX_FILE: u64 = 1024 * 1024;

/// The protocol inside TLS; it decides what ALPN offers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TlsPayload {
    /// HTTP/2 or HTTP/1.1, selected by ALPN; also for clients without ALPN.
    Http,
    /// JSON-RPC messages on a raw stream, which have no ALPN name.
    Raw,
}

/// TLS configuration of a server. Cheap to clone; a [`reload`](Self::reload) affects all clones.
///
/// Memory that a peer can use is bounded: a handshake message has at most 64 KiB, and resumption is
/// stateless, by encrypted session tickets that the client stores. If clients are asked for
/// certificates, no session is resumed. 0-RTT data is not accepted, so
/// nothing can be replayed.
#[derive(Clone)]
pub(crate) struct ServerTls {
    files: Arc<Files>,
    now: Arc<RwLock<Configs>>,
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    clients: Option<ClientAuthorities>,
}

/// The authorities of clients' certificates.
pub(crate) struct ClientAuthorities {
    /// A PEM file.
    pub(crate) file: PathBuf,
    /// Whether a client without a certificate is refused.
    pub(crate) is_required: bool,
}

#[derive(Clone)]
struct Configs {
    http: Arc<ServerConfig>,
    raw: Arc<ServerConfig>,
}

impl ServerTls {
    /// Reads a certificate chain, the server's certificate first, and the private key of the
    /// server's certificate. Both are PEM and may be in the same file. With `clients`, clients are asked
    /// for a certificate.
    ///
    /// # Errors
    ///
    /// If a file is missing or has invalid content, or if the key does not match the certificate.
    pub(crate) fn load(
        certificate: &Path,
        key: &Path,
        clients: Option<ClientAuthorities>,
    ) -> Result<Self, TlsError> {
        let files = Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            clients,
        };
        let now = Arc::new(RwLock::new(files.read()?));
        Ok(Self {
            files: Arc::new(files),
            now,
        })
    }

    /// Reads the files again. New handshakes use the new content; existing connections are not
    /// affected.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load); the old configuration then stays in use.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        let new = self.files.read()?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Performs the handshake. A peer that does not speak TLS gets at most an alert, never
    /// cleartext.
    ///
    /// # Errors
    ///
    /// If the handshake fails or is not complete within `deadline`. The stream is dropped then.
    pub(crate) async fn accept<S>(
        &self,
        stream: S,
        carries: TlsPayload,
        deadline: Duration,
    ) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = {
            let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
            match carries {
                TlsPayload::Http => Arc::clone(&now.http),
                TlsPayload::Raw => Arc::clone(&now.raw),
            }
        };
        match timeout(deadline, TlsAcceptor::from(config).accept(stream)).await {
            Ok(result) => result.map_err(|error| TlsError::of_handshake(&error)),
            Err(_) => Err(TlsError::Deadline),
        }
    }
}

impl Files {
    fn read(&self) -> Result<Configs, TlsError> {
        let chain = certificates(&self.certificate)?;
        let key = private_key(&self.key)?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(VERSIONS)
            .map_err(|error| unusable(format!("TLS cannot be set up: {error}")))?;
        let builder = match &self.clients {
            None => builder.with_no_client_auth(),
            Some(clients) => builder.with_client_cert_verifier(clients.verifier()?),
        };
        let mut raw = builder
            .with_single_cert(chain, key)
            .map_err(|error| self.unfit(&error))?;
        if self.clients.is_some() {
            // A resumed session would carry a certificate that nobody verifies again.
            raw.session_storage = Arc::new(NoServerSessionStorage {});
            raw.send_tls13_tickets = 0;
        } else {
            // Each certificate gets new ticket keys: sessions of a replaced certificate are not
            // resumed.
            raw.ticketer = Ticketer::new()
                .map_err(|error| unusable(format!("TLS cannot be set up: {error}")))?;
        }
        let mut http = raw.clone();
        http.alpn_protocols = protocols(&[H2, HTTP1]);
        Ok(Configs {
            http: Arc::new(http),
            raw: Arc::new(raw),
        })
    }

    fn unfit(&self, error: &rustls::Error) -> TlsError {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        unusable(match error {
            rustls::Error::InconsistentKeys(_) => {
                format!(
                    "the private key in {key} is not the key of the certificate in {certificate}"
                )
            }
            rustls::Error::InvalidCertificate(why) => {
                format!("the certificate in {certificate} cannot be used: {why}")
            }
            error => format!("the private key in {key} cannot be used: {error}"),
        })
    }
}

impl ClientAuthorities {
    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let wrong = |error: &dyn std::fmt::Display| {
            let file = self.file.display();
            unusable(format!("the authorities in {file} cannot be used: {error}"))
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.file)? {
            roots.add(certificate).map_err(|error| wrong(&error))?;
        }
        let mut builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
        if !self.is_required {
            builder = builder.allow_unauthenticated();
        }
        builder.build().map_err(|error| wrong(&error))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(&open(path)?, path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(unusable(format!(
            "there is no certificate (PEM) in {}",
            path.display()
        ))),
        Ok(chain) => Ok(chain),
        Err(error) => Err(unusable(format!(
            "the certificates in {} cannot be read: {error}",
            path.display()
        ))),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let file = open(path)?;
    warn_if_open_to_all(&file, path);
    let text = read(&file, path)?;
    let shown = path.display();
    match PrivateKeyDer::pem_slice_iter(&text).next() {
        _ if is_encrypted(&text) => Err(unusable(format!(
            "the private key in {shown} is encrypted; it has to be there without a passphrase"
        ))),
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => Err(unusable(format!(
            "the private key in {shown} cannot be read: {error}"
        ))),
        None => Err(unusable(format!(
            "there is no private key (PEM) in {shown}"
        ))),
    }
}

fn open(path: &Path) -> Result<File, TlsError> {
    read::open(path).map_err(|error| unreadable(path, &error))
}

fn read(file: &File, path: &Path) -> Result<Vec<u8>, TlsError> {
    read::read(file, MAX_FILE).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &io::Error) -> TlsError {
    unusable(format!("cannot read {}: {error}", path.display()))
}

fn warn_if_open_to_all(file: &File, path: &Path) {
    if is_open_to_all(file) {
        let path = path.display();
        tracing::warn!("every user of this machine can read the private key in {path}");
    }
}

pub(super) fn is_open_to_all(file: &File) -> bool {
    read::has_mode(file, 0o004)
}
