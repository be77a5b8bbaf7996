//! Identity that a client passes on, signed: its own, or that of the caller of the running method.

use super::error::Error;
use crate::current_call::CurrentCall;
use crate::identity::Identity;

/// Whose identity goes with a request.
pub(super) enum PassedIdentity {
    Nobody,
    Own(Identity),
    /// That of the caller of the method that runs.
    OfCaller,
}

impl PassedIdentity {
    /// The identity for a request; `None` if the caller is anonymous.
    ///
    /// # Errors
    ///
    /// If no method runs whose caller could be passed on. To pass on another one would give its rights to
    /// whoever makes a method lose its caller.
    pub(super) fn of(
        &self,
        subject: &str,
        current: &CurrentCall,
    ) -> Result<Option<Identity>, Error> {
        match self {
            Self::Nobody => Ok(None),
            Self::Own(identity) => Ok(Some(identity.clone())),
            Self::OfCaller => match &current.caller {
                Some(caller) => Ok(caller.identity.clone()),
                None => Err(Error::no_caller(subject)),
            },
        }
    }
}
