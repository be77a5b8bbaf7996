//! Batch: several calls in one request, and their responses.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_proto::message::Extras;
use antiphon_proto::{Entry, ErrorObject, Id, IntoParams, RawJson};
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::call::decode;
use super::error::{Error, Reason};
use super::request::Outgoing;
use super::response::{BatchAnswer, Outcome};
use super::session::{SessionExchange, is_unauthenticated, outcome};
use super::shared::Scope;
use super::transport::ClientTransport;
use crate::current_call::CurrentCall;
use crate::session_state::{BatchRoom, CallEnd, NewCall};

/// The name of a batch in errors.
const SUBJECT: &str = "the batch";

/// Calls and notifications that are sent together.
///
/// Each call returns a [`Ticket`], which later fetches its result, in whatever order the server
/// answers. An empty batch sends nothing.
///
/// A server may reject a long batch; an Antiphon server accepts 100 entries by default.
///
/// ```no_run
/// # async fn example(client: antiphon::client::Client) -> Result<(), antiphon::client::Error> {
/// let mut batch = client.batch();
/// let sum = batch.call::<f64>("calc.add", (3, 4));
/// let quotient = batch.call::<f64>("calc.divide", (3, 0));
/// batch.notify("log", ("done",));
///
/// let mut responses = batch.send().await?;
/// assert_eq!(responses.take(sum)?, 7.0);
/// assert!(responses.take(quotient).is_err());
/// # Ok(())
/// # }
/// ```
#[must_use = "a batch is sent by `send`"]
pub struct Batch {
    scope: Scope,
    /// Distinguishes tickets of this batch from those of others.
    serial: u64,
    /// `[` and the entries with commas between them.
    text: Vec<u8>,
    entries: usize,
    calls: Vec<Slot>,
    /// The index in `calls` of each id.
    ids: HashMap<Id, usize>,
    timeout: Option<Duration>,
    current: CurrentCall,
    /// The error of the first entry that cannot be sent; then nothing is sent.
    fault: Option<Error>,
}

/// A claim to the result of one call in a batch; [`Responses::take`] exchanges it for the result.
#[must_use = "the result is fetched with `Responses::take`"]
pub struct Ticket<R> {
    serial: u64,
    index: usize,
    result: PhantomData<fn() -> R>,
}

impl<R> Ticket<R> {
    /// Takes `self`, so that a result is fetched only once.
    fn redeem(self) -> (u64, usize) {
        (self.serial, self.index)
    }
}

/// A call of a batch, and its outcome when there is one.
struct Slot {
    subject: String,
    outcome: Option<Result<RawJson, Error>>,
}

impl Batch {
    pub(super) fn new(scope: Scope) -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        Self {
            timeout: scope.shared.calls.timeout,
            scope,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            text: vec![b'['],
            entries: 0,
            calls: Vec::new(),
            ids: HashMap::new(),
            current: CurrentCall::get(),
            fault: None,
        }
    }

    /// Adds a call. Errors in its parameters are returned by [`send`](Self::send).
    pub fn call<R: DeserializeOwned>(
        &mut self,
        method: &str,
        params: impl IntoParams,
    ) -> Ticket<R> {
        self.push_call(None, method, params)
    }

    /// Adds a call with a given id. If two calls have the same id, [`send`](Self::send) fails.
    pub fn call_with_id<R: DeserializeOwned>(
        &mut self,
        id: impl Into<Id>,
        method: &str,
        params: impl IntoParams,
    ) -> Ticket<R> {
        self.push_call(Some(id.into()), method, params)
    }

    /// Adds a notification, which gets no response.
    pub fn notify(&mut self, method: &str, params: impl IntoParams) {
        let name = self.scope.name(method);
        let params = self.scope.params(params);
        self.push(None, &name, params);
    }

    /// Sets the timeout of this batch instead of the client's; `None` means no timeout.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// The number of calls and notifications.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether the batch is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    fn push_call<R>(&mut self, id: Option<Id>, method: &str, params: impl IntoParams) -> Ticket<R> {
        let name = self.scope.name(method);
        let subject = format!("`{name}`");
        let params = self.scope.params(params);
        let index = self.calls.len();
        match self.scope.shared.id(&subject, id) {
            Ok(id) => {
                self.push(Some(&id), &name, params);
                if self.ids.insert(id, index).is_some() {
                    self.fail(|| Error::local(&subject, "another call of the batch has its id"));
                }
            }
            Err(error) => self.fail(|| error),
        }
        self.calls.push(Slot {
            subject,
            outcome: None,
        });
        Ticket {
            serial: self.serial,
            index,
            result: PhantomData,
        }
    }

    fn push(&mut self, id: Option<&Id>, name: &str, params: Result<Option<String>, String>) {
        if self.entries > 0 {
            self.text.push(b',');
        }
        self.entries += 1;
        match params {
            Ok(params) => {
                let shared = &self.scope.shared;
                let extras = Extras::default();
                shared.write(&mut self.text, id, name, params.as_deref(), extras);
            }
            Err(fault) => self.fail(|| Error::local(&format!("`{name}`"), fault)),
        }
    }

    fn fail(&mut self, error: impl FnOnce() -> Error) {
        self.fault.get_or_insert_with(error);
    }

    /// Sends the batch in one request.
    ///
    /// # Errors
    ///
    /// If the batch fails as a whole: an entry cannot be sent (then nothing was), the request
    /// failed, or the response is not one to a batch. The outcome of each call is returned by
    /// [`Responses::take`].
    pub fn send(self) -> impl Future<Output = Result<Responses, Error>> + Send + use<> {
        let Self {
            scope,
            serial,
            mut text,
            entries,
            calls,
            ids,
            timeout,
            current,
            fault,
        } = self;
        async move {
            let mut responses = Responses {
                serial,
                calls,
                status: None,
                refused: None,
            };
            if let Some(fault) = fault {
                return Err(fault);
            }
            if entries == 0 {
                return Ok(responses);
            }
            text.push(b']');
            let shared = &scope.shared;
            let source = match &shared.transport {
                ClientTransport::Session(source) => source,
                ClientTransport::Http(http) => {
                    let outgoing = Outgoing {
                        subject: SUBJECT,
                        text,
                        timeout,
                        current,
                        max: shared.calls.max_batch_response,
                    };
                    let answer = shared.post(http, outgoing).await?;
                    responses.status = Some(answer.status());
                    if ids.is_empty() {
                        answer.nothing(SUBJECT, &shared.calls.rules)?;
                        return Ok(responses);
                    }
                    let (status, answer) = answer.batch(SUBJECT, ids.len(), &shared.calls.rules)?;
                    responses.settle(answer, &ids, status);
                    return Ok(responses);
                }
            };
            let exchange = SessionExchange::new(SUBJECT, source, timeout, current);
            let (ids, places): (Vec<_>, Vec<_>) = ids.into_iter().unzip();
            let calls = || {
                let room = Arc::new(BatchRoom::new(shared.calls.max_batch_response));
                let call = |id: &Id| NewCall {
                    room: Some(Arc::clone(&room)),
                    ..NewCall::from(id.clone())
                };
                ids.iter().map(call).collect()
            };
            let mut token = source.token_number();
            let (mut missing, calls) = loop {
                // Only a token that can be replaced makes it necessary to keep the text.
                let again = token.map(|_| text.clone());
                let (handle, waiting, serial) = exchange.send(text, calls).await?;
                if waiting.is_empty() {
                    exchange.written(&handle, serial).await?;
                }
                let (count, mut refused) = (waiting.len(), 0);
                let mut missing = Vec::new();
                for (waiting, &place) in waiting.into_iter().zip(&places) {
                    match exchange.answer(waiting).await {
                        Ok(end) => {
                            refused += usize::from(is_unauthenticated(&end));
                            responses.settle_one(place, end, shared.calls.max_response);
                        }
                        Err(error) => missing.push((place, error)),
                    }
                }
                // If no call was accepted, nothing has run, unless there are notifications.
                match (token.take(), again) {
                    (Some(token), Some(kept)) if refused == entries => {
                        exchange.renew_token(&handle, token).await?;
                        text = kept;
                    }
                    _ => break (missing, count),
                }
            };
            // Keep the responses that have arrived. If there are none, the batch fails as a whole.
            if missing.len() == calls
                && let Some((_, error)) = missing.pop()
            {
                return Err(error);
            }
            for (place, error) in missing {
                responses.miss_one(place, error);
            }
            Ok(responses)
        }
    }
}

/// The outcomes of the calls of a batch.
pub struct Responses {
    serial: u64,
    calls: Vec<Slot>,
    status: Option<StatusCode>,
    refused: Option<ErrorObject>,
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
    fn settle_one(&mut self, place: usize, end: CallEnd, max: usize) {
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
    fn miss_one(&mut self, place: usize, error: Error) {
        if let Some(slot) = self.calls.get_mut(place) {
            slot.outcome = Some(Err(error));
        }
    }

    /// Sets the outcome of every call.
    fn settle(&mut self, answer: BatchAnswer, ids: &HashMap<Id, usize>, status: StatusCode) {
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

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("place", &self.scope.shared.place)
            .field("len", &self.entries)
            .finish_non_exhaustive()
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
