//! Transport of a client: HTTP exchanges, or a session.

use http::{HeaderMap, Request, Uri};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::connect::HttpPool;
use super::driver::SessionSource;
use super::http::{Body, Exchange, Received};
use super::token::Tokens;
use crate::router::BoxError;

/// How messages are exchanged.
pub(super) enum ClientTransport {
    Http(Box<Http>),
    Session(SessionSource),
}

/// HTTP: one exchange per request.
pub(super) struct Http {
    pub(super) uri: Uri,
    pub(super) channel: HttpChannel,
    /// Headers of every request, in a map that has room for those of one request: what is different
    /// in each of them is here, too, to be replaced.
    pub(super) headers: HeaderMap,
    /// The tokens of the client, if it has any.
    pub(super) tokens: Option<Tokens>,
    /// One permit for each request that may be in flight.
    pub(super) places: Semaphore,
}

/// What requests go through: connections of the client, or a service of its user.
pub(super) enum HttpChannel {
    Pool(HttpPool),
    Service(Box<dyn Exchange>),
}

impl HttpChannel {
    /// Sends a request, and reads the response, up to `max` bytes.
    pub(super) async fn send(
        &self,
        request: Request<Body>,
        max: usize,
        now: Instant,
    ) -> Result<Received, BoxError> {
        match self {
            Self::Pool(pool) => pool.send(request, max, now).await,
            Self::Service(service) => service.send(request, max).await,
        }
    }
}
