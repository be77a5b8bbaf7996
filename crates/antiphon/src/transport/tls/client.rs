//! TLS of a client: trust anchors and the handshake.

use std::sync::Arc;
use std::time::Duration;

use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
pub(crate) use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::client::{Resumption, WebPkiServerVerifier};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::client_certificate;
use super::trust::ExplainingVerifier;
use super::{H2, TlsError, VERSIONS, protocols, provider, unusable};
use crate::transport::byte_stream::Socket;

impl<S: Socket> Socket for TlsStream<S> {
    fn is_hung_up(&self) -> bool {
        self.get_ref().0.is_hung_up()
    }
}

/// Size of the session cache, in servers. A client has one server, under one name.
const SESSIONS: usize = 4;

/// TLS configuration of a client. Cheap to clone.
#[derive(Clone)]
pub(crate) struct ClientTls {
    config: Arc<ClientConfig>,
    /// Replaces the host as server name, in certificate verification and in SNI.
    name: Option<ServerName<'static>>,
}

impl ClientTls {
    /// Uses the trust anchors of the platform. On some systems this reads the list of certificate
    /// authorities.
    ///
    /// # Errors
    ///
    /// If the platform has no trust anchors.
    pub(crate) fn platform() -> Result<Self, TlsError> {
        let provider = provider();
        let inner = Verifier::new(Arc::clone(&provider)).map_err(|error| {
            unusable(format!(
                "the certificate authorities of this machine cannot be used: {error}"
            ))
        })?;
        Self::new(Arc::new(inner), provider)
    }

    /// Uses only these CA certificates (PEM) as trust anchors.
    ///
    /// # Errors
    ///
    /// If there is no certificate, or one that cannot be read.
    pub(crate) fn with_ca(pem: &[u8]) -> Result<Self, TlsError> {
        let provider = provider();
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate
                .map_err(|error| unusable(format!("a CA certificate cannot be read: {error}")))?;
            roots
                .add(certificate)
                .map_err(|error| unusable(format!("a CA certificate cannot be used: {error}")))?;
        }
        if roots.is_empty() {
            return Err(unusable("there is no CA certificate in what was given"));
        }
        let inner =
            WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
                .build()
                .map_err(|error| {
                    unusable(format!("the CA certificates cannot be used: {error}"))
                })?;
        Self::new(inner, provider)
    }

    /// The configuration, for a library that opens its connections itself.
    #[cfg(feature = "nats")]
    pub(crate) fn config(&self) -> ClientConfig {
        ClientConfig::clone(&self.config)
    }

    fn new(
        inner: Arc<dyn ServerCertVerifier>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let verifier = ExplainingVerifier::new(inner, Arc::clone(&provider));
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(VERSIONS)
            .map_err(|error| unusable(format!("TLS cannot be set up: {error}")))?
            .dangerous() // rustls' name for every custom verifier
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        Ok(Self {
            config: Arc::new(config),
            name: None,
        })
    }

    /// Shows a certificate to servers that ask for one.
    ///
    /// # Errors
    ///
    /// If the certificate or the key (PEM) cannot be used.
    pub(crate) fn with_certificate(mut self, chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let mut config = (*self.config).clone();
        config.client_auth_cert_resolver = client_certificate::read(chain, key)?;
        self.config = Arc::new(config);
        Ok(self)
    }

    /// Expects this name in the certificate, independent of the address.
    ///
    /// # Errors
    ///
    /// If the text is neither a DNS name nor an IP address.
    pub(crate) fn with_server_name(mut self, name: &str) -> Result<Self, TlsError> {
        self.name = Some(server_name(name)?);
        Ok(self)
    }

    /// Performs the handshake. `alpn` lists the protocols to offer, the preferred one first; it may
    /// be empty.
    ///
    /// # Errors
    ///
    /// If the certificate is not trusted, the handshake fails, or it is not complete within
    /// `deadline`. The stream is dropped then, and no application data has been sent.
    pub(crate) async fn connect<S>(
        &self,
        host: &str,
        stream: S,
        alpn: &[&[u8]],
        deadline: Duration,
    ) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = match &self.name {
            Some(name) => name.clone(),
            None => server_name(host)?,
        };
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let connector = connector.with_alpn(protocols(alpn));
        match timeout(deadline, connector.connect(name, stream)).await {
            Ok(result) => result.map_err(|error| TlsError::of_handshake(&error)),
            Err(_) => Err(TlsError::Deadline),
        }
    }
}

/// Whether ALPN has selected HTTP/2.
pub(crate) fn negotiated_http2<S>(stream: &TlsStream<S>) -> bool {
    let (_, session) = stream.get_ref();
    session.alpn_protocol() == Some(H2)
}

fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    ServerName::try_from(inner.unwrap_or(host).to_owned())
        .map_err(|_| unusable(format!("no certificate can be for `{host}`")))
}
