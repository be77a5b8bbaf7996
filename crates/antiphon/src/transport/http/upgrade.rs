//! Upgrade of a request to a session: WebSocket on the paths of HTTP.
//!
//! The service examines the request, answers 101, and leaves the session in the [`UpgradeSlot`] of the
//! connection, which drives it when HTTP is over. A service that is mounted in another server has no
//! slot: there the session becomes a task of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::dispatch::Dispatcher;
use crate::origin::{Connection, Transport};
use crate::session::{Session, SessionConfig, SessionFuture, run};
use crate::shutdown::Shutdown;
use crate::transport::http::body::Body;
use crate::transport::http::refusal::Refusal;
use crate::transport::http::socket::TimedSocket;
use crate::transport::socket::Socket;
use crate::transport::ws::WsWire;
pub(crate) use crate::transport::ws::handshake::Handshake;
use crate::transport::ws::handshake::examine;

/// A connection that HTTP has handed over without telling what it is made of.
impl Socket for TokioIo<hyper::upgrade::Upgraded> {}

/// Where a connection finds the session that it becomes.
#[derive(Clone, Debug)]
pub(crate) struct UpgradeSlot(Arc<Mutex<Option<Upgrade>>>);

/// A session that begins when the answer to its request is sent.
#[derive(Debug)]
pub(crate) struct Upgrade {
    socket: OnUpgrade,
    dispatcher: Dispatcher,
    head: Parts,
    connection: Arc<Connection>,
    local: bool,
    admin: bool,
    config: SessionConfig,
    max_message: usize,
}

/// What a service knows of the sessions it may begin.
pub(crate) struct UpgradeContext<'a> {
    pub(crate) dispatcher: &'a Dispatcher,
    /// Where the caller's connection comes from.
    pub(crate) peer: Option<SocketAddr>,
    /// Where the connection looks for the session; none if the service is mounted elsewhere.
    pub(crate) slot: Option<&'a UpgradeSlot>,
    /// Whether the request came here directly.
    pub(crate) local: bool,
    /// Whether it shows the admin token.
    pub(crate) admin: bool,
    pub(crate) config: &'a SessionConfig,
    pub(crate) max_message: usize,
}

/// What is to be answered to a request for a WebSocket, if it is one.
pub(crate) fn requested(head: &Parts) -> Option<Handshake> {
    match examine(head) {
        Handshake::NotAnUpgrade => None,
        handshake => Some(handshake),
    }
}

/// The answer to a request that asks for a WebSocket.
pub(crate) fn respond(
    mut head: Parts,
    handshake: Handshake,
    context: &UpgradeContext<'_>,
) -> Response<Body> {
    let headers = match handshake {
        Handshake::Accepted(headers) => headers,
        Handshake::Refused {
            status,
            sentence,
            headers,
        } => {
            let mut response = Refusal::new(status, sentence).into_response();
            response.headers_mut().extend(headers);
            return response;
        }
        Handshake::NotAnUpgrade => return unavailable(),
    };
    // Somebody between us and the socket may not pass upgrades on.
    let Some(socket) = head.extensions.remove::<OnUpgrade>() else {
        return unavailable();
    };
    let upgrade = Upgrade {
        socket,
        dispatcher: context.dispatcher.clone(),
        head: kept(&head),
        connection: Connection::new(Transport::WebSocket, context.peer),
        local: context.local,
        admin: context.admin,
        config: context.config.clone(),
        max_message: context.max_message,
    };
    match context.slot {
        Some(slot) => {
            *slot.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(upgrade);
        }
        None => drop(tokio::spawn(upgrade.alone())),
    }
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    response
}

fn unavailable() -> Response<Body> {
    let reason = "no WebSocket can be opened here";
    Refusal::new(StatusCode::NOT_IMPLEMENTED, reason).into_response()
}

/// The head as methods see it for as long as the session lasts. The values are copied: those that
/// came lie in the buffer they were read into, which would be kept with them.
fn kept(head: &Parts) -> Parts {
    let of_the_handshake = |name: &HeaderName| {
        [header::CONNECTION, header::UPGRADE].contains(name)
            || name.as_str().starts_with("sec-websocket-")
    };
    let own = |(name, value): (&HeaderName, &HeaderValue)| {
        let mut copy = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        copy.set_sensitive(value.is_sensitive());
        (!of_the_handshake(name)).then(|| (name.clone(), copy))
    };
    let headers: HeaderMap = head.headers.iter().filter_map(own).collect();
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.uri = head.uri.to_string().parse().unwrap_or_default();
    parts.version = head.version;
    parts.headers = headers;
    parts
}

impl UpgradeSlot {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// The session that a connection has become, if it has. It is taken out of HTTP's hands with the
    /// socket it was given.
    pub(crate) async fn take<S>(&self, shutdown: Shutdown) -> Option<SessionFuture>
    where
        S: Socket,
    {
        let upgrade = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut upgrade = upgrade?;
        let upgraded = (&mut upgrade.socket).await.ok()?;
        Some(match upgraded.downcast::<TokioIo<TimedSocket<S>>>() {
            Ok(parts) => {
                let socket = parts.io.into_inner().into_inner();
                // Copied, be it empty: it is a part of the buffer that HTTP has read into.
                let ahead = Bytes::copy_from_slice(&parts.read_buf);
                upgrade.over(socket, ahead, shutdown)
            }
            Err(upgraded) => upgrade.over(TokioIo::new(upgraded), Bytes::new(), shutdown),
        })
    }
}

impl Upgrade {
    fn over<S>(self, socket: S, ahead: Bytes, shutdown: Shutdown) -> SessionFuture
    where
        S: Socket,
    {
        let wire = WsWire::server(socket, ahead, self.max_message);
        let Self {
            dispatcher,
            head,
            connection,
            local,
            admin,
            config,
            ..
        } = self;
        let session = Session::new(wire, dispatcher, connection, local, &config, |origin| {
            origin.http = Some(head);
            origin.admin = admin;
        });
        Box::pin(run(session, shutdown))
    }

    async fn alone(mut self) {
        if let Ok(upgraded) = (&mut self.socket).await {
            let socket = TokioIo::new(upgraded);
            self.over(socket, Bytes::new(), Shutdown::default()).await;
        }
    }
}
