//! Upgrades in builds without feature `ws`: a request for one is a request like any other.

use std::convert::Infallible;
use std::net::SocketAddr;

use http::Response;
use http::request::Parts;

use crate::dispatch::Dispatcher;
use crate::session::{SessionConfig, SessionFuture};
use crate::shutdown::Shutdown;
use crate::transport::http::body::Body;
use crate::transport::socket::Socket;

/// Where a connection would find the session that it becomes.
#[derive(Clone, Debug)]
pub(crate) struct UpgradeSlot;

impl UpgradeSlot {
    pub(crate) fn new() -> Self {
        Self
    }

    /// The connection stays with HTTP.
    pub(crate) async fn take<S: Socket>(&self, _: Shutdown) -> Option<SessionFuture> {
        None
    }
}

/// What a service knows of the sessions it may begin.
pub(crate) struct UpgradeContext<'a> {
    pub(crate) dispatcher: &'a Dispatcher,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) slot: Option<&'a UpgradeSlot>,
    pub(crate) local: bool,
    pub(crate) admin: bool,
    pub(crate) config: &'a SessionConfig,
    pub(crate) max_message: usize,
}

/// A request for a WebSocket, which nobody sees here.
pub(crate) type Handshake = Infallible;

/// No request is one for a WebSocket.
pub(crate) fn requested(_: &Parts) -> Option<Handshake> {
    None
}

/// There is nothing to answer.
pub(crate) fn respond(_: Parts, handshake: Handshake, _: &UpgradeContext<'_>) -> Response<Body> {
    match handshake {}
}
