//! Stub of `nats` for builds without it.

use std::convert::Infallible;

use crate::address::NatsAddress;
use crate::client::http::Received;
use crate::client::prepared_request::PreparedRequest;
use crate::identity::Identity;
use crate::router::BoxError;
use crate::transport::memory::MemoryWire;
use crate::transport::tls::client::ClientTls;

/// The way of a client through a broker; cannot be constructed.
pub(in crate::client) struct NatsChannel(Infallible);

impl NatsChannel {
    /// Always fails.
    pub(in crate::client) fn new(_: NatsAddress, _: Option<ClientTls>) -> Result<Self, BoxError> {
        Err("this program was built without NATS (feature `nats` of antiphon)".into())
    }

    pub(in crate::client) async fn send(
        &self,
        _: &PreparedRequest<'_>,
        _: usize,
    ) -> Result<Received, BoxError> {
        match self.0 {}
    }

    pub(in crate::client) async fn open_session(
        &self,
        _: &str,
        _: Option<Identity>,
        _: usize,
    ) -> Result<MemoryWire, BoxError> {
        match self.0 {}
    }
}
