//! Access level of methods and callers.

/// The access level that a method requires, and that a caller has. A level includes all lower ones.
/// A method that requires a higher level than the caller has does not exist for that caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[non_exhaustive]
pub enum Access {
    /// All callers.
    #[default]
    Public,
    /// Callers on this machine; see [`Context::is_local`](crate::Context::is_local).
    Local,
    /// The owner of the server: callers with its admin token, or on its control socket.
    Admin,
}

impl Access {
    /// That of a caller.
    pub(crate) fn of(local: bool, admin: bool) -> Self {
        match (admin, local) {
            (true, _) => Self::Admin,
            (false, true) => Self::Local,
            (false, false) => Self::Public,
        }
    }
}
