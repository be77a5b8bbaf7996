//! Table of calls whose methods may call their caller back: on the event stream of their response.
//!
//! The caller answers with its next request, which may come on another connection. It finds its call by
//! the id, which begins with what nobody can guess.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use antiphon_proto::Response;

use crate::dispatch::Work;
use crate::identity::Identification;
use crate::memory_budget::Reservation;
use crate::session_state::{Received, SessionHandle};
use crate::subscription::Opening;

/// The calls of a route that are open.
#[derive(Clone, Default)]
pub(crate) struct OpenCalls(Arc<Mutex<Table>>);

type Table = HashMap<Box<str>, OpenCall>;

struct OpenCall {
    handle: SessionHandle,
    /// Who has made it: nobody else may answer.
    caller: Option<Box<str>>,
}

/// What an event stream needs to go on with a call.
pub(super) struct Unanswered {
    /// The call, until it is answered.
    pub(super) work: Option<Work>,
    /// What follows the answer.
    pub(super) streams: Vec<Opening>,
    /// What is reserved for the request.
    pub(super) _held: Option<Reservation>,
    pub(super) _entered: Entered,
}

/// A call in the table, until this is dropped.
pub(crate) struct Entered {
    table: OpenCalls,
    prefix: Box<str>,
}

fn subject(caller: &Identification) -> Option<Box<str>> {
    let identity = caller.identity()?;
    Some(identity.subject().into())
}

impl OpenCalls {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a call.
    pub(super) fn enter(&self, handle: &SessionHandle, caller: &Identification) -> Entered {
        let prefix: Box<str> = handle.call_prefix().into();
        let call = OpenCall {
            handle: handle.clone(),
            caller: subject(caller),
        };
        self.lock().insert(prefix.clone(), call);
        Entered {
            table: self.clone(),
            prefix,
        }
    }

    /// Delivers a response of so many bytes. Returns false if no call of this caller has asked for it.
    pub(super) fn answered(
        &self,
        response: Response,
        bytes: usize,
        caller: &Identification,
    ) -> bool {
        let id = response.id().to_owned();
        let prefix = id.strip_prefix('"').and_then(|id| id.rsplit_once('-'));
        let Some((prefix, _)) = prefix else {
            return false;
        };
        let handle = match self.lock().get(prefix) {
            Some(call) if call.caller == subject(caller) => call.handle.clone(),
            _ => return false,
        };
        let outcome = response.into_outcome();
        let answered = handle.answered(&id, outcome, &mut Received::new(bytes));
        answered.is_ok()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.table.lock().remove(&self.prefix);
    }
}

impl fmt::Debug for OpenCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenCalls").finish_non_exhaustive()
    }
}
