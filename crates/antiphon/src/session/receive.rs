//! Routing of incoming messages: responses and cancellations are handled at once, calls in order.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use antiphon_proto::message::{self, Invalid, Likeness};
use antiphon_proto::{Entry, ErrorCode, ErrorObject, Incoming, RawJson, Request, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::Wire;
use super::{KEPT, Session, StopReason};
use crate::connection::{Cancels, Progress, SessionHandle, Ticket};
use crate::context::PROGRESS;
use crate::dispatch::{Answered, Begun, Work};

impl<W: Wire> Session<W> {
    /// Handles one incoming message.
    pub(super) fn take(&mut self, message: Bytes, cx: &mut Context<'_>) -> Result<(), StopReason> {
        let length = message.len();
        let max_batch = self.dispatcher.max_batch();
        // An array may hold the responses to one of our batches, which may be longer than
        // `max_batch`.
        let max = match message.trim_ascii_start().first() {
            Some(b'[') => max_batch.max(self.handle.largest_batch()),
            _ => max_batch,
        };
        let entry = match self.dispatcher.read(message, max) {
            Ok(incoming) => incoming,
            Err(mut answer) => {
                self.answer(&mut answer);
                return Ok(());
            }
        };
        match entry {
            Incoming::Single(Entry::Response(response)) => self.answered(response)?,
            Incoming::Single(Entry::Invalid(invalid)) if self.is_bad_answer(&invalid)? => {}
            Incoming::Single(Entry::Request(request))
                if request.is_notification() && self.intercept(&request) => {}
            Incoming::Batch(entries) => self.take_batch(entries, length, cx)?,
            entry => self.admit(entry, length, cx),
        }
        Ok(())
    }

    fn answered(&mut self, response: Response) -> Result<(), StopReason> {
        let id = response.id().to_owned();
        let progress = self.handle.answered(&id, response.into_outcome());
        progress.map_err(|_| StopReason::policy("the peer answers what nobody has asked"))
    }

    /// Handles an invalid message that is, or looks like, a response; returns whether it was one.
    ///
    /// The pending call fails. No error is sent back: two peers that answered each other's
    /// responses would never stop.
    fn is_bad_answer(&self, invalid: &Invalid) -> Result<bool, StopReason> {
        let awaited = invalid.likeness() != Likeness::Request
            && self.handle.answered_badly(invalid.id(), invalid.reason());
        if awaited || invalid.likeness() != Likeness::Answer {
            return Ok(awaited);
        }
        match self.handle.unmatched() {
            Ok(()) => Ok(true),
            Err(_) => Err(StopReason::policy("the peer answers what nobody has asked")),
        }
    }

    /// Handles an array: responses go to their pending calls, all other entries form one batch.
    fn take_batch(
        &mut self,
        entries: Vec<Entry>,
        length: usize,
        cx: &mut Context<'_>,
    ) -> Result<(), StopReason> {
        let mut rest = Vec::with_capacity(entries.len());
        let mut seen = HashSet::new();
        for entry in entries {
            match entry {
                Entry::Response(response) => self.answered(response)?,
                Entry::Invalid(invalid) if self.is_bad_answer(&invalid)? => {}
                Entry::Request(request) if request.is_notification() => {
                    if !self.intercept(&request) {
                        rest.push(Entry::Request(request));
                    }
                }
                Entry::Request(request) => {
                    let id = request.id().unwrap_or_default();
                    let used = id != "null" && !seen.insert(id.to_owned());
                    rest.push(match used {
                        true => Entry::Invalid(Invalid::request(&request, "its id is in use")),
                        false => Entry::Request(request),
                    });
                }
                invalid => rest.push(invalid),
            }
        }
        if rest.len() > self.dispatcher.max_batch() {
            self.refuse(b"null", ErrorCode::INVALID_REQUEST);
        } else if !rest.is_empty() {
            self.admit(Incoming::Batch(rest), length, cx);
        }
        Ok(())
    }

    /// Handles notifications for the session itself (cancellation, progress, items of
    /// subscriptions), ahead of parked messages. Returns whether it was one.
    fn intercept(&mut self, request: &Request) -> bool {
        let method = request.method();
        if method == self.limits.cancel_method {
            if let Some(id) = request.params().and_then(cancelled) {
                self.cancel(id.get());
            }
            return true;
        }
        if method == PROGRESS
            && let Some(progress) = request.params().and_then(|text| self.progress(text))
        {
            let (tell, value) = progress;
            tell(value);
            return true;
        }
        self.deliver(request)
    }

    fn cancel(&mut self, id: &str) {
        if self.handle.cancel(id.as_bytes()) || !self.parked.cancel(id.as_bytes()) {
            return;
        }
        self.refuse(id.as_bytes(), ErrorCode::CANCELLED);
    }

    /// The progress callback of a pending call, and the value to pass to it.
    fn progress(&self, params: &str) -> Option<(Progress, RawJson)> {
        #[derive(Deserialize)]
        struct ProgressParams<'a> {
            #[serde(borrow)]
            token: &'a RawValue,
            #[serde(borrow)]
            value: &'a RawValue,
        }
        let progress: ProgressParams<'_> = serde_json::from_str(params).ok()?;
        let tell = self.handle.progress(progress.token.get().as_bytes())?;
        let value = RawJson::from_value(progress.value).ok()?;
        Some((tell, value))
    }

    /// Delivers an item to one of our subscriptions; returns `false` if it is not such an item.
    fn deliver(&mut self, request: &Request) -> bool {
        #[derive(Deserialize)]
        struct ItemParams<'a> {
            #[serde(borrow)]
            subscription: &'a RawValue,
            #[serde(borrow)]
            end: Option<&'a RawValue>,
            #[serde(borrow)]
            error: Option<&'a RawValue>,
        }
        if !self.handle.has_inboxes() {
            return false;
        }
        let Some(params) = request.raw_params() else {
            return false;
        };
        let Ok(item) = serde_json::from_str::<ItemParams<'_>>(params.as_str()) else {
            return false;
        };
        let last = item.end.is_some() || item.error.is_some();
        let id = item.subscription.get().to_owned();
        self.handle.deliver(&id, params, last)
    }

    /// Starts a message if nothing is ahead of it. Otherwise parks it, or rejects it if the queue
    /// is full or the session no longer accepts calls.
    fn admit(&mut self, entry: Incoming, length: usize, cx: &mut Context<'_>) {
        if self.refuses() {
            self.reject_overloaded(&entry);
        } else if self.parked.is_empty() && self.may_start(&entry) {
            self.start(entry, None, cx);
        } else if !self.parked.is_full(&self.limits) {
            self.parked.push(entry, length);
        } else {
            self.reject_overloaded(&entry);
        }
    }

    pub(super) fn start_parked(&mut self, cx: &mut Context<'_>) {
        while let Some(entry) = self.parked.front() {
            if !self.may_start(entry) {
                return;
            }
            if let Some((entry, cancels)) = self.parked.pop() {
                self.start(entry, cancels, cx);
            }
        }
    }

    fn may_start(&self, entry: &Incoming) -> bool {
        let running = self.handle.running();
        self.barrier.is_none()
            && !self.is_full()
            && (running == 0 || running + self.weight(entry) <= self.limits.max_running)
    }

    /// The most calls of this message that run concurrently.
    fn weight(&self, entry: &Incoming) -> usize {
        match entry {
            Incoming::Single(_) => 1,
            Incoming::Batch(entries) => entries.len().min(self.dispatcher.batch_concurrency()),
        }
    }

    /// Starts a message; `cancels` holds the calls of a batch that were cancelled while it was
    /// parked.
    fn start(&mut self, entry: Incoming, cancels: Option<Arc<Cancels>>, cx: &mut Context<'_>) {
        let entry = match self.without_duplicates(entry) {
            Ok(entry) => entry,
            Err(id) => return self.refuse(&id, ErrorCode::INVALID_REQUEST),
        };
        let notification = match &entry {
            Incoming::Single(Entry::Request(request)) => request.is_notification(),
            _ => false,
        };
        let weight = self.weight(&entry);
        let (ids, cancels) = match &entry {
            Incoming::Single(_) => (Vec::new(), None),
            Incoming::Batch(entries) => (ids(entries), Some(cancels.unwrap_or_default())),
        };
        let buffer = std::mem::take(&mut self.scratch);
        let origin = Arc::clone(&self.origin);
        match self
            .dispatcher
            .begin(entry, origin, buffer, cancels.as_ref(), cx)
        {
            Begun::Answered(Answered { text, streams }) => {
                if let Some(mut text) = text {
                    self.answer(&mut text);
                    if text.capacity() <= KEPT {
                        self.scratch = text;
                    }
                }
                if !streams.is_empty() {
                    self.handle.open(streams);
                }
            }
            Begun::Waiting(work) => {
                let mut ids = ids;
                ids.extend(work.id().map(Box::from));
                let ticket = self.handle.enter(ids, cancels.as_ref(), weight);
                if notification {
                    self.barrier = Some(ticket);
                }
                spawn(work, &self.handle, ticket);
            }
        }
    }

    /// Replaces calls of a batch whose ids are in use by invalid entries. Fails with the id if a
    /// single call has one.
    fn without_duplicates(&self, entry: Incoming) -> Result<Incoming, Vec<u8>> {
        if self.handle.running() == 0 {
            return Ok(entry);
        }
        let used = |request: &Request| {
            let id = request.id_bytes().filter(|id| *id != b"null");
            id.is_some_and(|id| self.handle.is_running(id))
        };
        match entry {
            Incoming::Single(Entry::Request(request)) if used(&request) => {
                Err(request.id_bytes().unwrap_or_default().to_vec())
            }
            Incoming::Batch(mut entries) => {
                for entry in &mut entries {
                    if let Entry::Request(request) = entry
                        && used(request)
                    {
                        *entry = Entry::Invalid(Invalid::request(request, "its id is in use"));
                    }
                }
                Ok(Incoming::Batch(entries))
            }
            entry => Ok(entry),
        }
    }

    /// Answers a message that is not run: each entry with an id gets `OVERLOADED`.
    fn reject_overloaded(&mut self, entry: &Incoming) {
        let entries = match entry {
            Incoming::Single(entry) => std::slice::from_ref(entry),
            Incoming::Batch(entries) => entries,
        };
        let error = ErrorObject::of(ErrorCode::OVERLOADED);
        let mut text = Vec::new();
        for entry in entries {
            let id = match entry {
                Entry::Request(request) => request.id_bytes(),
                Entry::Invalid(invalid) => Some(invalid.id().as_bytes()),
                Entry::Response(response) => Some(response.id().as_bytes()),
            };
            match id {
                None => tracing::warn!("a notification was dropped: its session is overloaded"),
                Some(id) => {
                    text.push(if text.is_empty() { b'[' } else { b',' });
                    message::write_error(&mut text, id, &error);
                }
            }
        }
        if text.is_empty() {
            return;
        }
        match entry {
            Incoming::Single(_) => drop(text.remove(0)),
            Incoming::Batch(_) => text.push(b']'),
        }
        self.answer(&mut text);
    }

    fn refuse(&mut self, id: &[u8], code: ErrorCode) {
        let mut text = Vec::new();
        message::write_error(&mut text, id, &ErrorObject::of(code));
        self.answer(&mut text);
    }

    /// Sends a response made by the session itself, after everything that was posted before.
    fn answer(&mut self, text: &mut Vec<u8>) {
        self.fetch();
        self.wire.send(text);
    }
}

/// The ids of the calls in a batch, except null.
fn ids(entries: &[Entry]) -> Vec<Box<[u8]>> {
    let id = |entry: &Entry| match entry {
        Entry::Request(request) => {
            let id = request.id_bytes().filter(|id| *id != b"null");
            id.map(Box::from)
        }
        _ => None,
    };
    entries.iter().filter_map(id).collect()
}

/// Spawns a task for a message that is not finished yet. It is not polled while too much output is
/// queued: its response would only be queued as well.
fn spawn(mut work: Work, handle: &SessionHandle, ticket: Ticket) {
    let answers = handle.clone();
    let task = tokio::spawn(async move {
        let answered = poll_fn(|cx| match answers.poll_room(cx) {
            Poll::Ready(()) => Pin::new(&mut work).poll(cx),
            Poll::Pending => Poll::Pending,
        });
        let Answered { text, streams } = answered.await;
        answers.finish(ticket, text, streams);
    });
    handle.attach(ticket, task.abort_handle());
}

/// The id in the parameters of a cancellation: `id` in LSP, `requestId` in the Model Context
/// Protocol.
fn cancelled(params: &str) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct CancelParams {
        id: Option<Box<RawValue>>,
        #[serde(rename = "requestId")]
        request_id: Option<Box<RawValue>>,
    }
    let cancelled: CancelParams = serde_json::from_str(params).ok()?;
    cancelled.id.or(cancelled.request_id)
}
