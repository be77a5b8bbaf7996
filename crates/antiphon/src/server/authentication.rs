//! Authenticators that the settings of a server name.

use crate::auth::{BearerTokens, ClientCertificates, Jwt, JwtKeys};
use crate::server::builder::Server;
use crate::server::error::ServeError;

/// The authenticators that read files, so that they can be read again.
#[derive(Default)]
pub(crate) struct NamedAuthenticators {
    tokens: Option<BearerTokens>,
    jwt: Option<Jwt>,
}

impl NamedAuthenticators {
    /// Makes the authenticators, and has them asked after those of the program.
    ///
    /// # Errors
    ///
    /// [`ServeError::BadSetting`] if a file cannot be used.
    pub(crate) fn add_to(server: &mut Server) -> Result<Self, ServeError> {
        let mut named = Self::default();
        let settings = &server.settings;
        if let Some(path) = &settings.auth_tokens {
            let tokens = BearerTokens::load(path)
                .map_err(|error| ServeError::BadSetting(format!("`auth-tokens`: {error}")))?;
            server.authenticators.push(tokens.clone());
            named.tokens = Some(tokens);
        }
        if let (Some(keys), Some(issuer), Some(audience)) = (
            &settings.auth_jwks,
            &settings.auth_issuer,
            &settings.auth_audience,
        ) {
            // A path has no scheme.
            let keys = match keys.contains("://") {
                true => JwtKeys::url(keys),
                false => JwtKeys::file(keys),
            };
            let mut keys =
                keys.map_err(|error| ServeError::BadSetting(format!("`auth-jwks`: {error}")))?;
            if let Some(path) = &settings.auth_jwks_ca {
                keys = keys
                    .ca_certificate_file(path)
                    .map_err(|error| ServeError::BadSetting(format!("`auth-jwks-ca`: {error}")))?;
            }
            let jwt = Jwt::new(&**issuer, &**audience, keys);
            server.authenticators.push(jwt.clone());
            named.jwt = Some(jwt);
        }
        // TLS reads the authorities again, with the server's certificate.
        if settings.tls_client_ca.is_some() {
            server.authenticators.push(ClientCertificates::new());
        }
        Ok(named)
    }

    /// Reads the files again. One that cannot be used leaves the old one in use.
    pub(crate) fn reload(&self) {
        if let Some(Err(error)) = self.tokens.as_ref().map(BearerTokens::reload) {
            tracing::error!("the tokens stay as they are: {error}");
        }
        if let Some(Err(error)) = self.jwt.as_ref().map(Jwt::reload) {
            tracing::error!("the keys of tokens stay as they are: {error}");
        }
    }
}
