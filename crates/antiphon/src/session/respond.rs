//! Responses that a session makes itself: refusals and parse errors.

use antiphon_proto::{Entry, ErrorCode, ErrorObject, Incoming, message};

use super::event_loop::Session;
use super::wire::Wire;
use crate::call_origin::Origin;
use crate::error::stopping;
use crate::memory_budget::Payload;

impl<W: Wire> Session<W> {
    /// Answers a message that is not run: each entry with an id gets `OVERLOADED`.
    pub(super) fn reject_overloaded(&mut self, entry: &Incoming, on_behalf: Option<&Origin>) {
        self.record_refused(entry, on_behalf, ErrorCode::OVERLOADED);
        let entries = entries(entry);
        let error = match self.refuses() {
            true => stopping(),
            false => ErrorObject::of(ErrorCode::OVERLOADED),
        };
        let mut text = Vec::new();
        for entry in entries {
            let id = match entry {
                Entry::Request(request) => request.id_bytes(),
                Entry::Invalid(invalid) => Some(invalid.id().as_bytes()),
                Entry::Response(response) => Some(response.id().as_bytes()),
            };
            match id {
                None => {
                    tracing::warn!("a notification was dropped: its session is overloaded or stops")
                }
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
        self.answer(&mut text.into());
    }

    /// Answers a call with an error of this code.
    pub(super) fn refuse(&mut self, id: &[u8], code: ErrorCode) {
        let mut text = Vec::new();
        message::write_error(&mut text, id, &ErrorObject::of(code));
        self.answer(&mut text.into());
    }

    /// Sends a response made by the session itself, after everything that was posted before.
    pub(super) fn answer(&mut self, payload: &mut Payload) {
        self.fetch();
        self.send(payload);
    }
}

/// Records for the audit log.
impl<W> Session<W> {
    /// Records the calls of a message that is not run.
    pub(super) fn record_refused(
        &self,
        message: &Incoming,
        on_behalf: Option<&Origin>,
        code: ErrorCode,
    ) {
        let origin = on_behalf.unwrap_or(&self.origin);
        for entry in entries(message) {
            if let Entry::Request(request) = entry {
                self.dispatcher.record_refusal(request, origin, code);
            }
        }
    }

    /// Records the calls that still wait at the end: they do not run.
    pub(super) fn record_parked(&mut self) {
        while let Some(parked) = self.parked.pop() {
            let on_behalf = parked.origin.as_deref();
            self.record_refused(&parked.message, on_behalf, ErrorCode::CANCELLED);
        }
    }
}

fn entries(message: &Incoming) -> &[Entry] {
    match message {
        Incoming::Single(entry) => std::slice::from_ref(entry),
        Incoming::Batch(entries) => entries,
    }
}
