//! Clients that are known by their certificates.

use std::collections::HashMap;

use super::certificate::Certificate;
use crate::identity::{AuthenticationError, Authenticator, Credentials, Identity};

/// An [`Authenticator`] for clients that show a certificate in the TLS handshake. Which ones are taken,
/// the server's authorities decide; see [`Server::tls_client_ca`](crate::Server::tls_client_ca).
///
/// The subject is the first URI among the alternative names of the certificate, or the first DNS name,
/// or else the common name, if it has no dot, colon or slash. The identity ends with the certificate. A caller that presents a token is
/// not known by its certificate.
///
/// ```
/// use antiphon::{ClientCertificates, Router, Server};
///
/// let certificates = ClientCertificates::new()
///     .scopes("spiffe://example/billing", ["accounts:read", "accounts:write"])
///     .scopes("reports.example", ["accounts:read"]);
/// let server = Server::new(Router::new())
///     .tls("chain.pem", "key.pem")
///     .tls_client_ca("clients.pem")
///     .authenticate(certificates);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ClientCertificates(HashMap<Box<str>, Vec<Box<str>>>);

impl ClientCertificates {
    /// Knows every client with a certificate, and gives none of them a scope.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives scopes to the client with this subject. May be called several times.
    #[must_use]
    pub fn scopes<S: Into<Box<str>>>(
        mut self,
        subject: impl Into<Box<str>>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        let known = self.0.entry(subject.into()).or_default();
        known.extend(scopes.into_iter().map(Into::into));
        self
    }
}

impl Authenticator for ClientCertificates {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        if credentials.is_presented() {
            return Ok(None);
        }
        let Some(certificate) = credentials.certificate() else {
            return Ok(None);
        };
        let refused = AuthenticationError::refused;
        let certificate = Certificate::read(certificate)
            .ok_or_else(|| refused("a certificate without a name that can be used"))?;
        let scopes = self.0.get(&*certificate.name).into_iter().flatten();
        let identity = Identity::new(&*certificate.name)
            .scopes_from(scopes.cloned())
            .until(certificate.end);
        // The handshake has checked that, perhaps long ago.
        match identity.is_expired() {
            true => Err(refused("a certificate that has expired")),
            false => Ok(Some(identity)),
        }
    }
}
