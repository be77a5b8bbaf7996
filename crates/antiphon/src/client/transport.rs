//! Transport of a client: HTTP exchanges, a session, or that of one of several upstreams.

use std::sync::atomic::Ordering;

use http::Uri;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::balance::Balancer;
use super::broker_sessions::{BrokerSessions, MethodSession};
use super::connect::HttpPool;
use super::error::Error;
use super::http::{Exchange, Received};
use super::passed_identity::PassedIdentity;
use super::prepared_request::{CommonHeaders, PreparedRequest};
use super::session_source::SessionSource;
use super::token::Tokens;
use crate::current_call::CurrentCall;
use crate::router::BoxError;
use crate::session_state::SessionHandle;

/// How messages are exchanged.
pub(super) enum ClientTransport {
    Http(Box<Http>),
    Session(SessionSource),
    /// That of one of the upstreams, for each call.
    Balanced(Balancer),
}

/// HTTP: one exchange per request.
pub(super) struct Http {
    pub(super) channel: HttpChannel,
    pub(super) headers: CommonHeaders,
    /// Whose identity goes with a request; with a broker only.
    pub(super) identity: PassedIdentity,
    /// The tokens of the client, if it has any.
    pub(super) tokens: Option<Tokens>,
    /// One permit for each request that may be in flight.
    pub(super) places: Semaphore,
}

/// What requests go through: connections of the client, a service of its user, or a broker.
pub(super) enum HttpChannel {
    Pool(HttpPool),
    Service(Box<dyn Exchange>, Uri),
    /// A broker, which takes no HTTP, but the same requests one by one.
    Nats(BrokerSessions),
}

impl ClientTransport {
    /// Whether each request has an address of its own, so that there are no batches.
    pub(super) fn is_broker(&self) -> bool {
        self.broker().is_some()
    }

    fn broker(&self) -> Option<&BrokerSessions> {
        match self {
            Self::Http(http) => match &http.channel {
                HttpChannel::Nats(sessions) => Some(sessions),
                _ => None,
            },
            Self::Session(_) | Self::Balanced(_) => None,
        }
    }

    /// The session for a method, and for a caller if the client passes it on; `None` over HTTP, and for one
    /// of several servers.
    ///
    /// # Errors
    ///
    /// If there is no caller to pass on.
    pub(super) fn session_of(
        &self,
        method: &str,
        current: &CurrentCall,
    ) -> Result<Option<MethodSession<'_>>, Error> {
        match self {
            Self::Session(source) => Ok(Some(MethodSession::OfClient(source))),
            Self::Balanced(_) => Ok(None),
            Self::Http(http) => {
                let HttpChannel::Nats(sessions) = &http.channel else {
                    return Ok(None);
                };
                // What was created outside of any running call belongs to the one that awaits it.
                let own = current.is_none().then(CurrentCall::get);
                let subject = format!("`{method}`");
                let identity = http
                    .identity
                    .of(&subject, own.as_ref().unwrap_or(current))?;
                Ok(Some(MethodSession::OfMethod(sessions.of(method, identity))))
            }
        }
    }

    /// Whether sessions that were lost are opened again.
    pub(super) fn reconnects(&self) -> bool {
        match self {
            Self::Session(source) => source.reconnects(),
            Self::Http(_) => self.broker().is_some_and(|one| one.reconnect.is_some()),
            Self::Balanced(_) => false,
        }
    }

    /// From now on calls do not wait while a connection is lost, because they can go elsewhere.
    pub(super) fn connect_on_demand(&self) {
        match self {
            Self::Session(source) => source.connect_on_demand(),
            Self::Http(_) => {
                if let Some(sessions) = self.broker() {
                    sessions.on_demand.store(true, Ordering::Relaxed);
                }
            }
            Self::Balanced(_) => {}
        }
    }

    /// Opens another connection in the place of one whose server stops, if it is one of these.
    pub(super) fn retire(&self, handle: &SessionHandle) {
        match self {
            Self::Session(source) => {
                source.retire(handle);
            }
            Self::Http(_) => {
                if let Some(sessions) = self.broker() {
                    sessions.retire(handle);
                }
            }
            Self::Balanced(_) => {}
        }
    }
}

impl Http {
    /// Sends a request, and reads the response, up to `max` bytes.
    pub(super) async fn send(
        &self,
        request: &PreparedRequest<'_>,
        max: usize,
        now: Instant,
    ) -> Result<Received, BoxError> {
        match &self.channel {
            HttpChannel::Pool(pool) => pool.send(request, max, now).await,
            HttpChannel::Nats(sessions) => sessions.channel.send(request, max).await,
            HttpChannel::Service(service, uri) => {
                let deadline = request.deadline;
                service.send(request.watched_to(uri), max, deadline).await
            }
        }
    }
}
