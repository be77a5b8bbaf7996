//! Principal: on whose behalf a call is made.

use super::identification::Identification;
use super::subject::Identity;
use crate::address::client_address::ClientAddress;

/// The caller of a method, as a client inside of that method passes it on: who it is, where it is,
/// and no more rights than it has. Whether it is an admin is not passed on, since the admin token
/// belongs to one server.
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    /// `None` if it is anonymous, and if nobody has asked who it is.
    pub(crate) identity: Option<Identity>,
    pub(crate) client: ClientAddress,
    /// Whether it is on this machine and came here directly.
    pub(crate) local: bool,
}

impl Principal {
    /// No caller in particular, with no rights at all.
    pub(crate) fn nobody() -> Self {
        Self {
            identity: None,
            client: ClientAddress::default(),
            local: false,
        }
    }

    /// What is known of the caller where the call arrives. A caller whom nobody has asked is
    /// anonymous there: otherwise it could call what needs a scope.
    pub(crate) fn identification(self) -> Identification {
        Identification::of(self.identity)
    }
}
