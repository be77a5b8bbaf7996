//! Stub for builds without feature `ws`: an upgrade request is handled like any other request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Weak;

use http::Response;
use http::request::Parts;

use crate::address::client_address::ClientAddress;
use crate::dispatch::Dispatcher;
use crate::identity::Identification;
use crate::memory_budget::account::Accounts;
use crate::session::SessionConfig;
use crate::session::event_loop::SessionFuture;
use crate::shutdown::Shutdown;
use crate::transport::byte_stream::Socket;
use crate::transport::http::body::Body;
use crate::transport::http::session_place::SessionPlace;

/// Holds no session in this build.
#[derive(Clone, Debug)]
pub(crate) struct UpgradeSlot;

impl UpgradeSlot {
    pub(crate) fn new(_: Weak<dyn SessionPlace>) -> Self {
        Self
    }

    /// Always `None`: the connection remains an HTTP connection.
    pub(crate) async fn take<S: Socket>(&self, _: Shutdown) -> Option<SessionFuture> {
        None
    }
}

/// What the service needs to start a session.
pub(crate) struct UpgradeContext<'a> {
    pub(crate) dispatcher: &'a Dispatcher,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) client: ClientAddress,
    pub(crate) slot: Option<&'a UpgradeSlot>,
    pub(crate) local: bool,
    pub(crate) admin: bool,
    pub(crate) identification: Identification,
    pub(crate) config: &'a SessionConfig,
    pub(crate) accounts: &'a Accounts,
    pub(crate) max_message: usize,
}

/// A WebSocket handshake, which cannot occur in this build.
pub(crate) type Handshake = Infallible;

/// Always `None`.
pub(crate) fn requested(_: &Parts) -> Option<Handshake> {
    None
}

/// Cannot be called.
pub(crate) fn respond(_: Parts, handshake: Handshake, _: &UpgradeContext<'_>) -> Response<Body> {
    match handshake {}
}
