//! Responses to a batch, and the tickets that fetch its results.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use antiphon_proto::{Entry, ErrorObject, Id, RawJson};
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::call::decode;
use super::error::{Error, Reason};
use super::response::{BatchAnswer, Outcome};
use super::session::outcome;
use crate::session_state::CallEnd;

/// The name of a batch in errors.
pub(super) const SUBJECT: &str = "the batch";
/// A claim to the result of one call in a batch; [`Responses::take`] exchanges it for the result.
#[must_use = "the result is fetched with `Responses::take`"]
pub struct Ticket<R> {
    pub(super) serial: u64,
    pub(super) index: usize,
    pub(super) result: PhantomData<fn() -> R>,
}

impl<R> Ticket<R> {
    /// Takes `self`, so that a result is fetched only once.
    fn redeem(self) -> (u64, usize) {
        (self.serial, self.index)
    }
}

/// A call of a batch, and its outcome when there is one.
pub(super) struct Slot {
    pub(super) subject: String,
    pub(super) outcome: Option<Result<RawJson, Error>>,
}

/// The outcomes of the calls of a batch.
pub struct Responses {
    pub(super) serial: u64,
    pub(super) calls: Vec<Slot>,
    pub(super) status: Option<StatusCode>,
    pub(super) refused: Option<ErrorObject>,
}

impl Responses {
    /// The result of one call.
    ///
    /// # Errors
    ///
    /// As for a single call: the server's error, a result of another type, or
    /// [`ErrorKind::Unknown`](super::ErrorKind::Unknown) if the server sent no response to this call, or two.
    /// A ticket of another batch is [`ErrorKind::Local`](super::ErrorKind::Local).
    pub fn take<R: DeserializeOwned>(&mut self, ticket: Ticket<R>) -> Result<R, Error> {
        let (serial, index) = ticket.redeem();
        let slot = self.calls.get_mut(index);
        let Some(slot) = slot.filter(|_| serial == self.serial) else {
            return Err(Error::local(SUBJECT, "the ticket is of another batch"));
        };
        match slot.outcome.take() {
            Some(outcome) => decode(&slot.subject, &outcome?),
            None => Err(Error::local(SUBJECT, "the result was taken already")),
        }
    }

    /// The number of calls; notifications do not count.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether there were no calls.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The HTTP status; `None` if nothing was sent, or the batch went over a session.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The error with which the server has rejected the whole batch, for example because it is too
    /// long. Then no call has run, and [`take`](Self::take) returns this error for each.
    #[must_use]
    pub fn refused(&self) -> Option<&ErrorObject> {
        self.refused.as_ref()
    }

    /// Sets the outcome of one call.
    pub(super) fn settle_one(&mut self, place: usize, end: CallEnd, max: usize) {
        if let CallEnd::Unreadable(error, _) = &end {
            self.refused.get_or_insert_with(|| error.clone());
        }
        if let Some(slot) = self.calls.get_mut(place) {
            let outcome = outcome(&slot.subject, end, max);
            let refused = |error| Error::refused(&slot.subject, error);
            slot.outcome = Some(outcome.and_then(|outcome| outcome.map_err(refused)));
        }
    }

    /// Sets the error of a call without a response.
    pub(super) fn miss_one(&mut self, place: usize, error: Error) {
        if let Some(slot) = self.calls.get_mut(place) {
            slot.outcome = Some(Err(error));
        }
    }

    /// Sets the outcome of every call.
    pub(super) fn settle(
        &mut self,
        answer: BatchAnswer,
        ids: &HashMap<Id, usize>,
        status: StatusCode,
    ) {
        let mut unmatched = UnmatchedResponses::default();
        match answer {
            BatchAnswer::Refused(error) => {
                for slot in &mut self.calls {
                    let error = Error::refused(&slot.subject, error.clone());
                    slot.outcome = Some(Err(error.status_of(status)));
                }
                self.refused = Some(error);
            }
            BatchAnswer::Entries(entries) => {
                for entry in entries {
                    let (id, outcome) = read(entry);
                    let slot = Id::from_json(&id).and_then(|id| ids.get(&id));
                    match slot.and_then(|&index| self.calls.get_mut(index)) {
                        Some(slot) => slot.settle(outcome, status),
                        None => unmatched.note(&id, outcome),
                    }
                }
            }
        }
        for slot in &mut self.calls {
            let missing = || {
                let fault = format!("the answer leaves it out{unmatched}");
                let error = Error::unknown(&slot.subject, Reason::Answer(fault.into()));
                Err(error.status_of(status))
            };
            slot.outcome.get_or_insert_with(missing);
        }
    }
}

impl Slot {
    /// A second response replaces the outcome by an error.
    fn settle(&mut self, outcome: Result<Outcome, &'static str>, status: StatusCode) {
        let fault = |fault: &'static str| {
            Error::unknown(&self.subject, Reason::Answer(fault.into())).status_of(status)
        };
        self.outcome = Some(match (&self.outcome, outcome) {
            (Some(_), _) => Err(fault("it came twice")),
            (None, Ok(Ok(result))) => Ok(result),
            (None, Ok(Err(error))) => Err(Error::refused(&self.subject, error).status_of(status)),
            (None, Err(reason)) => Err(fault(reason)),
        });
    }
}

/// The id of an entry, and its outcome or why it has none.
fn read(entry: Entry) -> (String, Result<Outcome, &'static str>) {
    match entry {
        Entry::Response(response) => (response.id().to_owned(), Ok(response.into_outcome())),
        Entry::Invalid(invalid) => (invalid.id().to_owned(), Err(invalid.reason())),
        Entry::Request(request) => {
            let id = request.id().unwrap_or("null").to_owned();
            (id, Err("it is a request"))
        }
    }
}

/// Unmatched responses, for the error of a call without a response.
#[derive(Default)]
struct UnmatchedResponses {
    count: usize,
    first: Option<String>,
}

impl UnmatchedResponses {
    fn note(&mut self, id: &str, outcome: Result<Outcome, &'static str>) {
        self.count += 1;
        self.first.get_or_insert_with(|| match outcome {
            Ok(Err(error)) => format!("id {id}: {error}"),
            _ => format!("id {id}"),
        });
    }
}

impl fmt::Display for UnmatchedResponses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.first {
            Some(first) if self.count == 1 => write!(f, ", and has one to no call ({first})"),
            Some(first) => write!(
                f,
                ", and has {} to no call (the first: {first})",
                self.count
            ),
            None => Ok(()),
        }
    }
}

impl<R> fmt::Debug for Ticket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticket").field(&self.index).finish()
    }
}

impl fmt::Debug for Responses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses")
            .field("len", &self.calls.len())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
