//! Channel to the server: HTTP exchanges, or a session.

use http::{HeaderMap, Uri};
use tokio::sync::Semaphore;

use super::driver::SessionSource;
use super::http::Exchange;

/// The way messages take.
pub(super) enum Channel {
    Http(Box<Http>),
    Session(SessionSource),
}

/// Requests that are answered one by one.
pub(super) struct Http {
    pub(super) uri: Uri,
    pub(super) exchange: Box<dyn Exchange>,
    /// What every request carries.
    pub(super) headers: HeaderMap,
    /// One for each request that may be under way.
    pub(super) places: Semaphore,
}
