//! Errors in place of items of a subscription.

use std::fmt;

use antiphon_proto::ErrorObject;

use super::super::error::Error;

/// An error in place of an item.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamError {
    /// Items are missing: the server has dropped them, because they were not taken in time, or it has not
    /// kept all that came during an outage, or behind the cursor with which the subscription began. The
    /// stream continues.
    Gap {
        /// How many; `None` if nobody knows. Then there may be none at all.
        missed: Option<u64>,
    },
    /// The connection was lost, and the client has reconnected and subscribed again. The items have no
    /// [cursor](super::Subscription::cursor), so the stream has begun anew: what came meanwhile is missing, and items
    /// may come again. The stream continues.
    Interrupted,
    /// An item is not of the requested type. The stream continues.
    Decode(Error),
    /// Too many items were queued, on the server or here. The subscription is over.
    Lagged,
    /// The server is shutting down, and the client does not
    /// [reconnect](crate::client::ClientBuilder::reconnect). The subscription is over.
    Shutdown,
    /// The server's stream has failed. The subscription is over.
    Failed(ErrorObject),
    /// The connection is lost, or reconnecting failed. The subscription is over.
    Lost(Error),
}

impl StreamError {
    /// Whether the stream ends after this error.
    #[must_use]
    pub fn is_end(&self) -> bool {
        !matches!(self, Self::Gap { .. } | Self::Interrupted | Self::Decode(_))
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap { missed: Some(1) } => f.write_str("one item is missing"),
            Self::Gap { missed: Some(n) } => write!(f, "{n} items are missing"),
            Self::Gap { missed: None } => f.write_str("items may be missing"),
            Self::Interrupted => f.write_str("the connection was lost for a while"),
            Self::Decode(error) | Self::Lost(error) => error.fmt(f),
            Self::Lagged => f.write_str("too many items have waited"),
            Self::Shutdown => f.write_str("the server stops"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Decode(error) | Self::Lost(error) => Some(error),
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}
