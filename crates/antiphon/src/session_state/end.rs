//! End of a two-way connection.

use std::borrow::Cow;

/// Why a session is over.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) reason: Cow<'static, str>,
    /// Whether this side has closed on purpose.
    pub(crate) ours: bool,
    /// Whether the peer has broken a rule of the protocol, or a limit.
    pub(crate) misbehaved: bool,
    /// Whether the peer has answered all calls that it has taken, so that the others have not run.
    pub(crate) drained: bool,
}
