//! Routing of incoming messages: responses and cancellations are handled at once, calls in order
//! (`order.rs`).

use std::collections::HashSet;
use std::task::{Context, Poll};

use antiphon_proto::message::{Invalid, Likeness};
use antiphon_proto::{Entry, ErrorCode, Incoming, RawJson, Rejection, Request, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::event_loop::Session;
use super::phase::StopReason;
use super::unasked::strangers;
use super::wire::Wire;
use crate::context::PROGRESS;
use crate::dispatch::{Reading, reject};
use crate::session_state::{Progress, Received};

/// Why a connection ends after too many responses without a call.
const UNMATCHED: &str = "the peer answers what nobody has asked";

/// What became of a notification.
enum Notice {
    /// An item of one of our subscriptions.
    Item,
    /// Progress or a cancellation, which was handled.
    Handled,
    /// Something for the router.
    Call,
}

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
        match self.dispatcher.read(message, max) {
            Reading::Done(parsed) => self.parsed(parsed, length, cx),
            Reading::Elsewhere(parsing) => {
                self.parsing = Some((parsing, length));
                Ok(())
            }
        }
    }

    /// Polls a message that is being parsed on another thread, and handles it. Returns whether there
    /// is none any more: messages are handled in their order.
    pub(super) fn poll_parsing(&mut self, cx: &mut Context<'_>) -> Result<bool, StopReason> {
        let Some((parsing, length)) = &mut self.parsing else {
            return Ok(true);
        };
        let Poll::Ready(parsed) = parsing.as_mut().poll(cx) else {
            return Ok(false);
        };
        let length = *length;
        self.parsing = None;
        self.parsed(parsed, length, cx)?;
        Ok(true)
    }

    /// Handles a message of this length that was parsed.
    fn parsed(
        &mut self,
        parsed: Result<Incoming, Rejection>,
        length: usize,
        cx: &mut Context<'_>,
    ) -> Result<(), StopReason> {
        let entry = match parsed {
            Ok(incoming) => incoming,
            Err(rejection) => {
                self.count_unasked(1, length)?;
                self.answer(&mut reject(&rejection).into());
                return Ok(());
            }
        };
        let mut message = Received::new(length);
        match entry {
            Incoming::Single(Entry::Response(response)) => self.answered(response, &mut message)?,
            Incoming::Single(Entry::Invalid(invalid)) if self.is_bad_answer(&invalid)? => {}
            Incoming::Single(Entry::Request(request)) if request.is_notification() => {
                match self.intercept(&request, &mut message) {
                    Notice::Item => {}
                    Notice::Handled => self.count_unasked(1, length)?,
                    Notice::Call => {
                        self.call_in(Incoming::Single(Entry::Request(request)), length, cx)?;
                    }
                }
            }
            Incoming::Batch(entries) => self.take_batch(entries, message, cx)?,
            entry => self.call_in(entry, length, cx)?,
        }
        Ok(())
    }

    /// Takes calls of the peer in.
    fn call_in(
        &mut self,
        entry: Incoming,
        length: usize,
        cx: &mut Context<'_>,
    ) -> Result<(), StopReason> {
        self.count_unasked(self.strangers(&entry), length)?;
        self.admit(entry, length, cx);
        Ok(())
    }

    /// Counts messages that nobody has asked for, of so many bytes together.
    fn count_unasked(&mut self, messages: usize, bytes: usize) -> Result<(), StopReason> {
        match &mut self.unasked {
            Some(unasked) => unasked.count(messages, bytes),
            None => Ok(()),
        }
    }

    /// How many entries nobody has asked for, if that is counted.
    fn strangers(&self, message: &Incoming) -> usize {
        match &self.unasked {
            Some(_) => strangers(message, &self.dispatcher),
            None => 0,
        }
    }

    /// Handles a response in this message.
    fn answered(&mut self, response: Response, message: &mut Received) -> Result<(), StopReason> {
        let id = response.id().to_owned();
        if id == "null" {
            // It belongs to a message of ours that could not be read, or to none.
            self.count_unasked(1, message.len())?;
        }
        let outcome = response.into_outcome();
        let answered = self.handle.answered(&id, outcome, message);
        answered.map_err(|_| StopReason::policy(UNMATCHED))
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
            Err(_) => Err(StopReason::policy(UNMATCHED)),
        }
    }

    /// Handles an array: responses go to their pending calls, all other entries form one batch.
    fn take_batch(
        &mut self,
        entries: Vec<Entry>,
        mut message: Received,
        cx: &mut Context<'_>,
    ) -> Result<(), StopReason> {
        let mut rest = Vec::with_capacity(entries.len());
        let mut seen = HashSet::new();
        let mut handled = 0;
        for entry in entries {
            match entry {
                Entry::Response(response) => self.answered(response, &mut message)?,
                Entry::Invalid(invalid) if self.is_bad_answer(&invalid)? => {}
                Entry::Request(request) if request.is_notification() => {
                    match self.intercept(&request, &mut message) {
                        Notice::Item => {}
                        Notice::Handled => handled += 1,
                        Notice::Call => rest.push(Entry::Request(request)),
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
        let length = message.len();
        let rest = Incoming::Batch(rest);
        self.count_unasked(handled + self.strangers(&rest), length)?;
        match &rest {
            Incoming::Batch(entries) if entries.is_empty() => {}
            Incoming::Batch(entries) if entries.len() > self.dispatcher.max_batch() => {
                self.refuse(b"null", ErrorCode::INVALID_REQUEST);
            }
            _ => self.admit(rest, length, cx),
        }
        Ok(())
    }

    /// Handles notifications for the session itself (cancellation, progress, items of
    /// subscriptions), ahead of parked messages.
    fn intercept(&mut self, request: &Request, message: &mut Received) -> Notice {
        let method = request.method();
        if method == self.limits.cancel_method {
            if let Some(id) = request.params().and_then(cancelled) {
                self.cancel(id.get());
            }
            return Notice::Handled;
        }
        if method == PROGRESS
            && let Some(progress) = request.params().and_then(|text| self.progress(text))
        {
            let (tell, value) = progress;
            tell(value);
            return Notice::Handled;
        }
        match self.deliver(request, message) {
            true => Notice::Item,
            false => Notice::Call,
        }
    }

    fn cancel(&mut self, id: &str) {
        if self.handle.cancel(id.as_bytes()) {
            return;
        }
        let Some(cancelled) = self.parked.cancel(id.as_bytes()) else {
            return;
        };
        let on_behalf = cancelled.origin.as_deref();
        self.record_refused(&cancelled.message, on_behalf, ErrorCode::CANCELLED);
        if !self.handle.speaks_mcp() {
            self.refuse(id.as_bytes(), ErrorCode::CANCELLED);
        }
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
    fn deliver(&mut self, request: &Request, message: &mut Received) -> bool {
        #[derive(Deserialize)]
        struct ItemParams<'a> {
            #[serde(borrow)]
            subscription: &'a RawValue,
            #[serde(borrow)]
            end: Option<&'a RawValue>,
            #[serde(borrow)]
            error: Option<&'a RawValue>,
        }
        if !self.handle.expects_items() {
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
        self.handle.deliver(&id, params, last, message)
    }
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
