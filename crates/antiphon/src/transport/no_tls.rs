//! Stub of TLS for builds without feature `tls`: every attempt to use it fails.
//!
//! The types match those of `tls/` but cannot be constructed, so code that uses TLS needs no `cfg`
//! of its own.

/// Protocol names for ALPN (RFC 7301).
#[cfg(feature = "client")]
pub(crate) const H2: &[u8] = b"h2";
#[cfg(feature = "client")]
pub(crate) const HTTP1: &[u8] = b"http/1.1";

/// The build has no TLS.
#[derive(Debug)]
pub(crate) struct TlsError;

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this program was built without TLS (feature `tls` of antiphon)")
    }
}

impl std::error::Error for TlsError {}

#[cfg(feature = "client")]
pub(crate) mod client {
    use std::convert::Infallible;
    use std::time::Duration;

    use super::TlsError;

    /// TLS configuration of a client; cannot be constructed.
    #[derive(Clone)]
    pub(crate) struct ClientTls(Infallible);

    /// The TLS stream of this build; [`ClientTls::connect`] never returns one.
    pub(crate) type TlsStream<S> = S;

    /// Whether ALPN has selected HTTP/2: never.
    pub(crate) fn negotiated_http2<S>(_: &TlsStream<S>) -> bool {
        false
    }

    impl ClientTls {
        /// Always fails.
        pub(crate) fn platform() -> Result<Self, TlsError> {
            Err(TlsError)
        }

        /// Always fails.
        pub(crate) fn with_ca(_: &[u8]) -> Result<Self, TlsError> {
            Err(TlsError)
        }

        pub(crate) fn with_certificate(self, _: &[u8], _: &[u8]) -> Result<Self, TlsError> {
            match self.0 {}
        }

        pub(crate) fn with_server_name(self, _: &str) -> Result<Self, TlsError> {
            match self.0 {}
        }

        pub(crate) async fn connect<S>(
            &self,
            _: &str,
            _: S,
            _: &[&[u8]],
            _: Duration,
        ) -> Result<TlsStream<S>, TlsError> {
            match self.0 {}
        }
    }
}

#[cfg(feature = "server")]
pub(crate) mod server {
    use std::convert::Infallible;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use super::TlsError;

    pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

    /// The protocol inside TLS.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) enum TlsPayload {
        Http,
        Raw,
    }

    /// The authorities of clients' certificates.
    pub(crate) struct ClientAuthorities {
        pub(crate) file: PathBuf,
        pub(crate) is_required: bool,
    }

    /// TLS configuration of a server; cannot be constructed.
    #[derive(Clone)]
    pub(crate) struct ServerTls(Infallible);

    impl ServerTls {
        /// Always fails.
        pub(crate) fn load(
            _: &Path,
            _: &Path,
            _: Option<ClientAuthorities>,
        ) -> Result<Self, TlsError> {
            Err(TlsError)
        }

        pub(crate) fn reload(&self) -> Result<(), TlsError> {
            match self.0 {}
        }

        pub(crate) async fn accept<S>(
            &self,
            _: S,
            _: TlsPayload,
            _: Duration,
        ) -> Result<S, TlsError> {
            match self.0 {}
        }
    }
}
