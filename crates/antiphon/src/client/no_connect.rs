//! Stub of `connect` for builds without the feature `client`: a client can only call through a
//! given service, or in process.

use std::convert::Infallible;
use std::error::Error;
use std::path::PathBuf;

use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use tokio::time::Instant;

use crate::address::{Address, NatsAddress};
use crate::client::http::Received;
use crate::client::prepared_request::PreparedRequest;
use crate::client::session_connector::{ConnectedSession, SessionConnector};
use crate::client::tls::TlsOptions;
use crate::identity::Identity;
use crate::router::BoxError;
use crate::transport::memory::MemoryWire;

/// The TLS configuration, which never exists.
pub(super) type ClientTls = Infallible;

fn unsupported() -> BoxError {
    "this program was built without connections (feature `client` of antiphon)".into()
}

/// Always fails.
pub(super) fn tls(_: &Address, _: &TlsOptions) -> Result<Option<ClientTls>, BoxError> {
    Err(unsupported())
}

/// What connections are opened to; nothing can be.
pub(super) enum HttpTarget {
    Tcp(String, u16, Option<ClientTls>),
    Unix(PathBuf),
}

/// A pool of connections; cannot be constructed.
pub(super) struct HttpPool(Infallible);

impl HttpPool {
    /// Always fails.
    pub(super) fn new(_: HttpTarget, _: Uri, _: bool, _: &mut HeaderMap) -> Result<Self, BoxError> {
        Err(unsupported())
    }

    pub(super) async fn send(
        &self,
        _: &PreparedRequest<'_>,
        _: usize,
        _: Instant,
    ) -> Result<Received, BoxError> {
        match self.0 {}
    }
}

/// The way through a broker; cannot be constructed.
pub(super) struct NatsChannel(Infallible);

impl NatsChannel {
    /// Always fails.
    pub(super) fn new(_: NatsAddress, _: Option<ClientTls>) -> Result<Self, BoxError> {
        Err(unsupported())
    }

    pub(super) async fn send(
        &self,
        _: &PreparedRequest<'_>,
        _: usize,
    ) -> Result<Received, BoxError> {
        match self.0 {}
    }

    pub(super) async fn open_session(
        &self,
        _: &str,
        _: Option<Identity>,
        _: usize,
    ) -> Result<MemoryWire, BoxError> {
        match self.0 {}
    }
}

/// Always `false`.
pub(super) fn is_connect(_: &(dyn Error + 'static)) -> bool {
    false
}

/// Always `None`.
pub(super) fn misbehaviour(_: &(dyn Error + 'static)) -> Option<&'static str> {
    None
}

/// Always `None`.
pub(super) fn refusal(_: &BoxError) -> Option<(StatusCode, &str)> {
    None
}

impl SessionConnector {
    /// Always fails.
    pub(super) async fn connect_to(
        &self,
        _: &Address,
        _: Option<&ClientTls>,
        _: Option<&HeaderValue>,
    ) -> Result<ConnectedSession, BoxError> {
        Err(unsupported())
    }
}
