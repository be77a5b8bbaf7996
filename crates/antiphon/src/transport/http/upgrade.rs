//! Upgrades: a request becomes a WebSocket session on a path of the HTTP server.
//!
//! The service checks the request, answers with 101, and puts the session into the [`UpgradeSlot`]
//! of the connection, which drives the session when HTTP has ended. A service that is mounted in
//! another server has no slot: there the session is spawned as a task.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::address::client_address::ClientAddress;
use crate::call_origin::{Connection, Transport};
use crate::dispatch::Dispatcher;
use crate::identity::Identification;
use crate::memory_budget::account::Accounts;
use crate::memory_budget::{Direction, Reservation};
use crate::session::event_loop::{SessionFuture, run};
use crate::session::{Session, SessionConfig};
use crate::shutdown::Shutdown;
use crate::transport::byte_stream::Socket;
use crate::transport::http::body::Body;
use crate::transport::http::refusal::Refusal;
use crate::transport::http::session_place::SessionPlace;
use crate::transport::http::timed_socket::TimedSocket;
use crate::transport::ws::WsWire;
pub(crate) use crate::transport::ws::handshake::Handshake;
use crate::transport::ws::handshake::examine;

/// An upgraded connection whose transport type is unknown.
impl Socket for TokioIo<hyper::upgrade::Upgraded> {}

/// Slot for the session that takes over a connection.
#[derive(Clone, Debug)]
pub(crate) struct UpgradeSlot {
    upgrade: Arc<Mutex<Option<Upgrade>>>,
    /// The place of the connection. Not owned, since requests may outlive the connection by a
    /// moment, and then its place is free.
    place: Weak<dyn SessionPlace>,
}

/// A session that starts when the 101 response has been sent.
#[derive(Debug)]
pub(crate) struct Upgrade {
    socket: OnUpgrade,
    dispatcher: Dispatcher,
    head: Parts,
    /// What is reserved for the head.
    held: Option<Box<Reservation>>,
    connection: Arc<Connection>,
    local: bool,
    admin: bool,
    identification: Identification,
    config: SessionConfig,
    max_message: usize,
}

/// What the service needs to start a session.
pub(crate) struct UpgradeContext<'a> {
    pub(crate) dispatcher: &'a Dispatcher,
    /// The peer's address.
    pub(crate) peer: Option<SocketAddr>,
    /// The client of the request, and so of the whole session.
    pub(crate) client: ClientAddress,
    /// The slot of the connection; `None` if the service is mounted in another server.
    pub(crate) slot: Option<&'a UpgradeSlot>,
    /// Whether the caller is local and the request did not come through a proxy.
    pub(crate) local: bool,
    /// Whether the request has the admin token.
    pub(crate) admin: bool,
    /// Who the caller is.
    pub(crate) identification: Identification,
    pub(crate) config: &'a SessionConfig,
    pub(crate) accounts: &'a Accounts,
    pub(crate) max_message: usize,
}

/// The handshake, if this is a WebSocket request.
pub(crate) fn requested(head: &Parts) -> Option<Handshake> {
    match examine(head) {
        Handshake::NotAnUpgrade => None,
        handshake => Some(handshake),
    }
}

/// Answers a WebSocket handshake.
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
    // A layer between this service and the socket may not support upgrades.
    let Some(socket) = head.extensions.remove::<OnUpgrade>() else {
        return unavailable();
    };
    let memory = context.accounts.open();
    let Ok(held) = Reservation::of(&memory, Direction::Request, size(&head)) else {
        return exhausted();
    };
    let upgrade = Upgrade {
        socket,
        dispatcher: context.dispatcher.clone(),
        head: kept(&head),
        held,
        connection: Connection::of_client(
            Transport::WebSocket,
            context.peer,
            context.client,
            memory,
        ),
        local: context.local,
        admin: context.admin,
        identification: match &context.identification {
            Identification::Unasked => Identification::Unasked,
            caller => Identification::of_session(
                &context.config.authenticators,
                context.client,
                caller.identity(),
            ),
        },
        config: context.config.clone(),
        max_message: context.max_message,
    };
    match context.slot {
        Some(slot) => {
            if !slot.has_place() {
                return full();
            }
            *slot.lock() = Some(upgrade);
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

/// The response if sessions have taken all places that requests leave to them.
fn full() -> Response<Body> {
    let reason = "there are too many sessions";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}

/// The response if there is no memory for the head.
fn exhausted() -> Response<Body> {
    let reason = "too many requests are being received";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}

/// The most bytes that a copy of the head has.
fn size(head: &Parts) -> usize {
    let fields = head.headers.iter();
    let fields = fields.map(|(name, value)| name.as_str().len() + value.len());
    let line = head.uri.path().len() + head.uri.query().map_or(0, str::len);
    fields.sum::<usize>() + line
}

/// A copy of the head for the methods of the session, without the handshake's headers. The values
/// are copied because the originals share hyper's read buffer and would keep it alive.
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
    let count = head.headers.keys().filter(|name| !of_the_handshake(name));
    // A map that grows has room for more than there will be.
    let mut headers = HeaderMap::with_capacity(count.count());
    for (name, value) in head.headers.iter().filter_map(own) {
        headers.append(name, value);
    }
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.uri = head.uri.to_string().parse().unwrap_or_default();
    parts.version = head.version;
    parts.headers = headers;
    parts
}

impl UpgradeSlot {
    /// Creates an empty slot for a connection with this place.
    pub(crate) fn new(place: Weak<dyn SessionPlace>) -> Self {
        Self {
            upgrade: Arc::default(),
            place,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Upgrade>> {
        self.upgrade.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the connection to the places of sessions, if one is free.
    fn has_place(&self) -> bool {
        (self.place.upgrade()).is_some_and(|place| place.become_session())
    }

    /// Takes the session of an upgraded connection, if there is one. Where possible the session
    /// gets the inner socket, without hyper's wrapper.
    pub(crate) async fn take<S>(&self, shutdown: Shutdown) -> Option<SessionFuture>
    where
        S: Socket,
    {
        let mut upgrade = self.lock().take()?;
        let upgraded = (&mut upgrade.socket).await.ok()?;
        Some(match upgraded.downcast::<TokioIo<TimedSocket<S>>>() {
            Ok(parts) => {
                let socket = parts.io.into_inner().into_inner();
                // Copied even if empty: `read_buf` shares hyper's read buffer.
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
        let memory = &self.connection.memory;
        let wire = WsWire::server(socket, ahead, self.max_message, memory);
        let Self {
            dispatcher,
            head,
            held,
            connection,
            local,
            admin,
            identification,
            config,
            ..
        } = self;
        let session = Session::new(wire, dispatcher, connection, local, &config, |origin| {
            origin.http = Some(head);
            origin.held = held;
            origin.admin = admin;
            origin.identification = identification;
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
