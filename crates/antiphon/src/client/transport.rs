//! Transport of a client: HTTP exchanges, a session, or that of one of several upstreams.

use http::Uri;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::balance::Balancer;
use super::connect::HttpPool;
use super::http::{Exchange, Received};
use super::prepared_request::{CommonHeaders, PreparedRequest};
use super::session_source::SessionSource;
use super::token::Tokens;
use crate::router::BoxError;

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
    /// The tokens of the client, if it has any.
    pub(super) tokens: Option<Tokens>,
    /// One permit for each request that may be in flight.
    pub(super) places: Semaphore,
}

/// What requests go through: connections of the client, or a service of its user.
pub(super) enum HttpChannel {
    Pool(HttpPool),
    Service(Box<dyn Exchange>, Uri),
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
            HttpChannel::Service(service, uri) => {
                let deadline = request.deadline;
                service.send(request.watched_to(uri), max, deadline).await
            }
        }
    }
}
