//! Failures of connections: to connect, and of streams that the server has not processed.
//!
//! A failure to connect is shared by all calls that have waited for the connection.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::router::BoxError;

/// Why there is no connection.
#[derive(Clone, Debug)]
pub(super) struct ConnectFault(Arc<BoxError>);

impl ConnectFault {
    pub(super) fn new(error: impl Into<BoxError>) -> Self {
        Self(Arc::new(error.into()))
    }
}

impl fmt::Display for ConnectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no connection")
    }
}

impl Error for ConnectFault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&**self.0)
    }
}

/// Whether this error, or one of its sources, is a failure to connect.
pub(in crate::client) fn is_connect(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .any(|error| error.is::<ConnectFault>())
}

/// What a server guarantees about a request that it did not process at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unprocessed {
    /// It has refused the stream (RFC 9113, section 8.7). The connection takes others.
    Refused,
    /// It goes away, and the stream is beyond the last one that it answers (section 6.8). The HTTP
    /// library tells only such streams of it.
    GoneAway,
}

/// Whether a server guarantees that it has not processed the request that failed like this.
pub(super) fn unprocessed(error: &(dyn Error + 'static)) -> Option<Unprocessed> {
    let error = std::iter::successors(Some(error), |&error| error.source())
        .find_map(|error| error.downcast_ref::<h2::Error>())
        .filter(|error| error.is_remote())?;
    match error.reason()? {
        h2::Reason::REFUSED_STREAM if error.is_reset() => Some(Unprocessed::Refused),
        h2::Reason::NO_ERROR if error.is_go_away() => Some(Unprocessed::GoneAway),
        _ => None,
    }
}
