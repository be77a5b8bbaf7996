//! Envelope of a request, kept for its response: the id, and the data for metrics.

use std::sync::Arc;

use antiphon_proto::{ErrorCode, ErrorObject, Request, message};

use super::answer::{ANSWER_SIZE, Answered, Denied};
use super::shared::Shared;
use crate::audit::CallRecord;
use crate::call::{Call, Output, Reply};
use crate::call_origin::Origin;
use crate::error::internal_error;
use crate::mcp::Exchange;
use crate::memory_budget::{Account, Exhausted, Payload};
use crate::metrics::Stopwatch;
use crate::metrics::counters::Counters;

/// The id and the metrics of a request, kept while the call runs.
pub(super) struct Envelope {
    id: EnvelopeId,
    /// The index of the method.
    pub(super) route: usize,
    pub(super) watch: Stopwatch,
    /// Whether the reply is certainly that of this call: no layer has had it.
    pub(super) is_own: bool,
    /// How a reply becomes an answer of the Model Context Protocol, if the client speaks it.
    pub(super) exchange: Option<Box<Exchange>>,
    /// The record for the audit log, if there is one.
    record: Option<Box<CallRecord>>,
}

/// The JSON text of the id. Short ids need no allocation.
enum EnvelopeId {
    Notification,
    Short([u8; 22], u8),
    Long(Box<[u8]>),
}

impl Envelope {
    pub(super) fn of(shared: &Shared, request: &Request, origin: &Origin) -> Self {
        let audit = shared.audit.as_ref();
        Self {
            id: EnvelopeId::of(request),
            route: usize::MAX,
            watch: Stopwatch::start(request.params_len()),
            is_own: false,
            exchange: None,
            record: audit.map(|audit| CallRecord::begin(audit, request, origin)),
        }
    }

    /// Records whose call it is, now that it has its identity.
    pub(super) fn record_caller(&mut self, call: &Call) {
        if let Some(record) = &mut self.record {
            record.known_as(call.identity.as_ref());
        }
    }

    pub(super) fn is_notification(&self) -> bool {
        matches!(self.id, EnvelopeId::Notification)
    }

    pub(super) fn id(&self) -> &[u8] {
        match &self.id {
            EnvelopeId::Notification => b"null",
            EnvelopeId::Short(bytes, length) => {
                bytes.get(..usize::from(*length)).unwrap_or_default()
            }
            EnvelopeId::Long(bytes) => bytes,
        }
    }

    /// The whole response, held for `account`; empty for a notification, even if it has failed.
    pub(super) fn finish(
        &mut self,
        reply: Reply,
        max_result: usize,
        counters: &Counters,
        account: &Arc<Account>,
    ) -> Answered {
        let reply = match &self.exchange {
            Some(exchange) if !self.is_notification() => {
                exchange.shape(reply, self.id(), max_result, account)
            }
            _ => reply,
        };
        let (answered, code) = self.answer(reply, max_result, counters, account);
        let sent = answered.text.as_ref().map_or(0, Payload::len);
        if let Some(method) = counters.method(self.route) {
            self.watch.stop(&method.metrics, sent);
        }
        if let Some(record) = self.record.take() {
            record.finish(code, sent);
        }
        answered
    }

    /// The response, and the code if it is an error.
    fn answer(
        &self,
        reply: Reply,
        max_result: usize,
        counters: &Counters,
        account: &Arc<Account>,
    ) -> (Answered, Option<ErrorCode>) {
        let error = match reply.0 {
            Err(error) => error,
            Ok(_) if self.is_notification() => return (Answered::default(), None),
            Ok(output) if output.result().len() > max_result => {
                ErrorObject::response_too_large(max_result)
            }
            Ok(output) if output.result().is_empty() => {
                internal_error(&"a layer has answered a call as if it were a notification")
            }
            Ok(mut output) => {
                let streams = match output.stream.take() {
                    Some(opening) => vec![*opening],
                    None => Vec::new(),
                };
                match self.enclose(output, account) {
                    Ok(payload) => {
                        let answered = Answered {
                            text: Some(payload),
                            streams,
                            ..Answered::default()
                        };
                        return (answered, None);
                    }
                    Err(exhausted) => exhausted.into(),
                }
            }
        };
        if let Some(method) = counters.method(self.route) {
            method.failed(&error);
        }
        if self.is_notification() {
            tracing::debug!("a notification failed: {error}");
            return (Answered::default(), Some(error.code()));
        }
        let answered = Answered {
            text: Some(self.error(&error, account)),
            denied: Denied::of(&error).or_else(|| self.refused(&error)),
            code: Some(error.code()),
            ..Answered::default()
        };
        (answered, Some(error.code()))
    }

    /// What goes with an error of the Model Context Protocol that has a status of its own.
    fn refused(&self, error: &ErrorObject) -> Option<Box<Denied>> {
        let status = self.exchange.as_ref()?.status(error)?;
        let header = None;
        Some(Box::new(Denied { status, header }))
    }

    /// Completes a result in place if the buffer starts with this call's envelope. If a layer has
    /// answered with another result, or with that of another call, the response is written to a new
    /// buffer.
    fn enclose(&self, output: Output, account: &Arc<Account>) -> Result<Payload, Exhausted> {
        let envelope = output.payload.text.get(..output.start).unwrap_or_default();
        let mut answer = if self.is_own || message::begins_result(envelope, self.id()) {
            output.payload
        } else {
            let mut answer = Payload::from(Vec::with_capacity(ANSWER_SIZE));
            message::begin_result(&mut answer.text, self.id());
            answer.extend(output.result(), account)?;
            answer
        };
        answer.text.push(b'}');
        answer.settle(account)?;
        Ok(answer)
    }

    /// The response with an error. If there is no memory for what the method has put into it, another
    /// one takes its place.
    fn error(&self, error: &ErrorObject, account: &Arc<Account>) -> Payload {
        let mut answer = Payload::from(Vec::with_capacity(ANSWER_SIZE));
        message::write_error(&mut answer.text, self.id(), error);
        if let Err(exhausted) = answer.settle(account) {
            answer = Payload::from(Vec::with_capacity(ANSWER_SIZE));
            message::write_error(&mut answer.text, self.id(), &exhausted.into());
        }
        answer
    }
}

impl EnvelopeId {
    fn of(request: &Request) -> Self {
        let Some(id) = request.id_bytes() else {
            return Self::Notification;
        };
        let mut short = [0; 22];
        match (short.get_mut(..id.len()), u8::try_from(id.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(id);
                Self::Short(short, length)
            }
            _ => Self::Long(id.into()),
        }
    }
}
