//! Batch: several calls in one request, and their responses.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_proto::message::Extras;
use antiphon_proto::{Id, IntoParams};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::balance::{Attempt, Told};
use super::batch_responses::{Responses, SUBJECT, Slot, Ticket};
use super::error::Error;
use super::request::Outgoing;
use super::session::{SessionExchange, is_unauthenticated};
use super::session_source::SessionSource;
use super::shared::{Scope, Shared};
use super::split_batch::{self, SplitEntry};
use super::transport::ClientTransport;
use crate::current_call::CurrentCall;
use crate::session_state::{BatchRoom, NewCall};

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
    /// The entries one by one, if they may have to be requests of their own.
    split: Vec<SplitEntry>,
    /// The error of the first entry that cannot be sent; then nothing is sent.
    fault: Option<Error>,
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
            split: Vec::new(),
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
                self.push(Some((&id, index)), &name, params);
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

    /// Adds an entry: a call with its id and its place, or a notification.
    fn push(
        &mut self,
        call: Option<(&Id, usize)>,
        name: &str,
        params: Result<Option<String>, String>,
    ) {
        let id = call.map(|(id, _)| id);
        if self.entries > 0 {
            self.text.push(b',');
        }
        self.entries += 1;
        match params {
            Ok(params) => {
                let shared = &self.scope.shared;
                let (extras, start) = (Extras::default(), self.text.len());
                shared.write(&mut self.text, id, name, params.as_deref(), extras);
                if shared.uses_broker() {
                    self.split.push(SplitEntry {
                        method: name.to_owned(),
                        text: start..self.text.len(),
                        call: call.map(|(id, place)| (id.clone(), place)),
                    });
                }
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
            split,
            fault,
        } = self;
        async move {
            if let Some(fault) = fault {
                return Err(fault);
            }
            text.push(b']');
            let parts = Parts {
                serial,
                text: text.into(),
                entries,
                subjects: calls.into_iter().map(|slot| slot.subject).collect(),
                ids,
                split,
            };
            if entries == 0 {
                return Ok(parts.responses());
            }
            let shared = &scope.shared;
            let ClientTransport::Balanced(balancer) = &shared.transport else {
                return parts.send(shared, timeout, current).await;
            };
            let attempt = Attempt {
                subject: SUBJECT,
                timeout,
                current: current.clone(),
                // Nobody says so of its calls.
                idempotent: false,
                streams: false,
            };
            let send = |upstream: Arc<Shared>, left| {
                let (parts, current) = (&parts, current.clone());
                async move { parts.send(&upstream, left, current).await }
            };
            // It was read: what is no response is an error.
            let told = |_: &Responses| Told::Nothing;
            let sent = shared.with_upstream(balancer, attempt, send, told);
            // In a box, so that other batches are not larger.
            Box::pin(sent).await
        }
    }
}

/// A batch that is complete.
struct Parts {
    serial: u64,
    text: Bytes,
    entries: usize,
    /// The names of the calls in errors.
    subjects: Vec<String>,
    ids: HashMap<Id, usize>,
    split: Vec<SplitEntry>,
}

impl Parts {
    /// The responses before there are any.
    fn responses(&self) -> Responses {
        let slot = |subject: &String| Slot {
            subject: subject.clone(),
            outcome: None,
        };
        Responses {
            serial: self.serial,
            calls: self.subjects.iter().map(slot).collect(),
            status: None,
            refused: None,
        }
    }

    /// Sends the batch to this server.
    async fn send(
        &self,
        shared: &Arc<Shared>,
        timeout: Option<Duration>,
        current: CurrentCall,
    ) -> Result<Responses, Error> {
        let ids = &self.ids;
        match &shared.transport {
            ClientTransport::Session(source) => {
                self.send_over(shared, source, timeout, current).await
            }
            ClientTransport::Balanced(_) => Err(Error::nested(SUBJECT)),
            ClientTransport::Http(_) if shared.transport.is_broker() => {
                let (text, split) = (&self.text, &self.split);
                let responses = self.responses();
                // In a box, so that other batches are not larger.
                Box::pin(split_batch::send(
                    shared, text, split, timeout, &current, responses,
                ))
                .await
            }
            ClientTransport::Http(http) => {
                let mut responses = self.responses();
                let outgoing = Outgoing {
                    subject: SUBJECT,
                    addressee: None,
                    text: self.text.clone(),
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
                responses.settle(answer, ids, status);
                Ok(responses)
            }
        }
    }

    /// Sends the batch over a session.
    async fn send_over(
        &self,
        shared: &Shared,
        source: &SessionSource,
        timeout: Option<Duration>,
        current: CurrentCall,
    ) -> Result<Responses, Error> {
        let mut responses = self.responses();
        let mut exchange = SessionExchange::new(SUBJECT, source, timeout, current);
        let (ids, places): (Vec<_>, Vec<_>) = self.ids.iter().unzip();
        let calls = || {
            let room = Arc::new(BatchRoom::new(shared.calls.max_batch_response));
            let call = |id: &&Id| NewCall {
                room: Some(Arc::clone(&room)),
                ..NewCall::from((*id).clone())
            };
            ids.iter().map(call).collect()
        };
        let mut token = source.token_number();
        let (mut missing, calls) = loop {
            let (handle, waiting, serial) = exchange.send(&self.text, calls).await?;
            if waiting.is_empty() {
                exchange.written(&handle, serial).await?;
            }
            let (count, mut refused) = (waiting.len(), 0);
            let mut missing = Vec::new();
            for (waiting, place) in waiting.into_iter().zip(places.iter().copied().copied()) {
                match exchange.answer(waiting).await {
                    Ok(end) => {
                        refused += usize::from(is_unauthenticated(&end));
                        responses.settle_one(place, end, shared.calls.max_response);
                    }
                    Err(error) => missing.push((place, error)),
                }
            }
            // If no call was accepted, nothing has run, unless there are notifications.
            match token.take() {
                Some(token) if refused == self.entries => {
                    exchange.renew_token(&handle, token).await?;
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

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("place", &self.scope.shared.place)
            .field("len", &self.entries)
            .finish_non_exhaustive()
    }
}
