//! The place of a connection among those of its server.

use std::fmt;
use std::net::IpAddr;

/// The place of a connection among those of its server, which tells requests that come and go from
/// sessions that stay.
pub(crate) trait SessionPlace: fmt::Debug + Send + Sync {
    /// Counts the connection as a session from now on; false if too many sessions are open.
    fn become_session(&self) -> bool;

    /// Counts the connection to this address, which was not known before; false if there are too many
    /// of it.
    fn count_address(&self, address: IpAddr) -> bool;
}
