//! Transport of a client: HTTP exchanges, or a session.

use http::{HeaderMap, Uri};
use tokio::sync::Semaphore;

use super::driver::SessionSource;
use super::http::Exchange;
use super::token::Tokens;

/// How messages are exchanged.
pub(super) enum ClientTransport {
    Http(Box<Http>),
    Session(SessionSource),
}

/// HTTP: one exchange per request.
pub(super) struct Http {
    pub(super) uri: Uri,
    pub(super) exchange: Box<dyn Exchange>,
    /// Headers of every request.
    pub(super) headers: HeaderMap,
    /// The tokens of the client, if it has any.
    pub(super) tokens: Option<Tokens>,
    /// One permit for each request that may be in flight.
    pub(super) places: Semaphore,
}
