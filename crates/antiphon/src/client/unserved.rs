//! Error of a session that no server has taken, because none serves its method.

use std::fmt;

use antiphon_proto::ErrorObject;

/// No server has taken a session, because none serves its method.
#[derive(Debug)]
pub(super) struct Unserved(pub(super) ErrorObject);

impl fmt::Display for Unserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unserved {}
