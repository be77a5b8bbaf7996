//! Failure to connect, which all calls share that have waited for the connection.

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
