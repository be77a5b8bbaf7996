//! Order of incoming messages: calls start in the order of their arrival and then run concurrently; a
//! notification that is still running holds back everything behind it.
//!
//! A peer that sends two notifications expects the first to take effect before the second. Calls have
//! responses to wait for, notifications have none, so only a pending notification is a barrier.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use antiphon_proto::message::Invalid;
use antiphon_proto::{Entry, ErrorCode, Incoming, Request};

use super::event_loop::Session;
use super::parking::{Parked, footprint};
use super::wire::Wire;
use crate::call_origin::Origin;
use crate::dispatch::{Answered, Begun, Work};
use crate::memory_budget::{Direction, FREE, Reservation};
use crate::session_state::{SessionHandle, Ticket};

impl<W: Wire> Session<W> {
    /// Starts a message if nothing is ahead of it. Otherwise parks it, or rejects it if the queue
    /// is full or the session no longer accepts calls.
    pub(super) fn admit(&mut self, mut entry: Incoming, length: usize, cx: &mut Context<'_>) {
        let length = match length > FREE {
            true => entry.compact(length),
            false => length,
        };
        let message = Parked {
            message: entry,
            length,
            cancels: None,
            origin: self.on_behalf.take(),
        };
        if self.refuses() {
            self.reject_overloaded(&message.message, message.origin.as_deref());
        } else if self.parked.is_empty() && self.may_start(&message.message) {
            self.start(message, cx);
        } else if self.parked.is_full(&self.limits) {
            self.reject_overloaded(&message.message, message.origin.as_deref());
        } else if let Err(message) = self.parked.push(message) {
            self.reject_overloaded(&message.message, message.origin.as_deref());
        }
    }

    /// Starts parked messages, in the order in which they arrived.
    pub(super) fn start_parked(&mut self, cx: &mut Context<'_>) {
        while let Some(entry) = self.parked.front() {
            if !self.may_start(entry) {
                return;
            }
            if let Some(parked) = self.parked.pop() {
                self.start(parked, cx);
            }
        }
    }

    /// Whether nothing holds the message back: a notification that is still running, output that the
    /// peer does not read, or too many running calls.
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

    /// Starts a message.
    fn start(&mut self, message: Parked, cx: &mut Context<'_>) {
        let Parked {
            message: entry,
            length,
            cancels,
            origin: on_behalf,
        } = message;
        let memory = &self.origin.connection.memory;
        let Ok(held) = Reservation::of(memory, Direction::Request, footprint(&entry, length))
        else {
            return self.reject_overloaded(&entry, on_behalf.as_deref());
        };
        let entry = match self.without_duplicates(entry, on_behalf.as_deref()) {
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
        let origin = on_behalf.as_ref().unwrap_or(&self.origin);
        let cancels = cancels.as_ref();
        match (self.dispatcher).begin(entry, origin, buffer, cancels, cx) {
            Begun::Answered(Answered { text, streams, .. }) => {
                if let Some(mut text) = text {
                    self.answer(&mut text);
                    if text.text.capacity() <= FREE {
                        self.scratch = text.text;
                    }
                }
                if !streams.is_empty() {
                    self.handle.open(streams);
                }
            }
            Begun::Waiting(mut work) => {
                work.hold(held);
                let mut ids = ids;
                ids.extend(work.id().map(Box::from));
                let ticket = self.handle.enter(ids, cancels, weight);
                if notification {
                    self.barrier = Some(ticket);
                }
                spawn(work, &self.handle, ticket);
            }
        }
    }

    /// Replaces calls of a batch whose ids are in use by invalid entries. Fails with the id if a
    /// single call has one.
    fn without_duplicates(
        &self,
        entry: Incoming,
        on_behalf: Option<&Origin>,
    ) -> Result<Incoming, Vec<u8>> {
        if self.handle.running() == 0 {
            return Ok(entry);
        }
        let origin = on_behalf.unwrap_or(&self.origin);
        let used = |request: &Request| {
            let id = request.id_bytes().filter(|id| *id != b"null");
            let used = id.is_some_and(|id| self.handle.is_running(id));
            if used {
                let code = ErrorCode::INVALID_REQUEST;
                self.dispatcher.record_refusal(request, origin, code);
            }
            used
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
        let Answered { text, streams, .. } = answered.await;
        answers.finish(ticket, text, streams);
    });
    handle.attach(ticket, task.abort_handle());
}
