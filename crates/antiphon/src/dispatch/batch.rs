//! Batch: its calls start in order, run with bounded concurrency, and are answered in order
//! (JSON-RPC 2.0, section 6).

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use antiphon_proto::{Entry, ErrorCode, Request, message};
use tokio::time::Sleep;

use super::answer::{ANSWER_SIZE, Answered, refuse};
use super::envelope::Envelope;
use super::run::{Running, Started, start, timer};
use super::shared::Shared;
use crate::audit::{AuditLog, CallRecord};
use crate::call::{CallLimits, Reply};
use crate::call_origin::Origin;
use crate::memory_budget::{FREE, Payload};
use crate::session_state::Cancels;
use crate::subscription::Opening;

/// The typical size of a response in a batch, in bytes.
const TYPICAL_RESPONSE: usize = 48;

pub(super) struct Batch {
    entries: vec::IntoIter<Entry>,
    origin: Arc<Origin>,
    /// Pending calls, at most `batch_concurrency`.
    running: Vec<Waiting>,
    /// The response so far: everything before the oldest pending call.
    answer: Payload,
    /// The buffer that calls write their responses into, one after the other. It is separate from
    /// `answer` because a call that panics drops its buffer.
    scratch: Vec<u8>,
    /// The responses after `answer`, in order; `None` is pending.
    window: VecDeque<Option<Payload>>,
    /// How many responses were moved from the window to `answer`.
    written: usize,
    /// The timer, started when the batch is first pending.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Whether `deadline` was set; it stays `None` without a timeout.
    timed: bool,
    expired: bool,
    /// The subscriptions whose ids are in the response.
    streams: Vec<Opening>,
    /// Cancellations by the peer, if the batch runs on a session.
    cancels: Option<Arc<Cancels>>,
    /// Cancelled calls that have not started yet.
    cancelled: Vec<Box<[u8]>>,
    /// Where calls are recorded, if they are.
    audit: Option<AuditLog>,
}

struct Waiting {
    running: Running,
    envelope: Envelope,
    /// The index of its response in the batch.
    place: usize,
}

impl Batch {
    pub(super) fn new(
        entries: Vec<Entry>,
        origin: Arc<Origin>,
        cancels: Option<Arc<Cancels>>,
        audit: Option<AuditLog>,
    ) -> Self {
        let mut answer = Payload::default();
        let typical = entries.len() * TYPICAL_RESPONSE;
        if typical <= FREE || answer.reserve(typical, &origin.connection.memory).is_ok() {
            answer.text.reserve_exact(typical);
        }
        Self {
            answer,
            entries: entries.into_iter(),
            origin,
            running: Vec::new(),
            scratch: Vec::new(),
            window: VecDeque::new(),
            written: 0,
            deadline: None,
            timed: false,
            expired: false,
            streams: Vec::new(),
            cancels,
            cancelled: Vec::new(),
            audit,
        }
    }

    pub(super) fn poll(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<Answered> {
        self.poll_running(shared, cx);
        self.poll_cancels(shared, cx);
        loop {
            while self.running.len() < shared.limits.batch_concurrency.max(1) {
                match self.entries.next() {
                    Some(entry) => self.start(entry, shared, cx),
                    None => break,
                }
            }
            if self.running.is_empty() {
                return Poll::Ready(Answered {
                    text: self.take_answer(),
                    streams: std::mem::take(&mut self.streams),
                    ..Answered::default()
                });
            }
            if !self.timed {
                self.timed = true;
                self.deadline = timer(shared.limits.batch_timeout);
            }
            let deadline = self.deadline.as_mut();
            if !deadline.is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready()) {
                return Poll::Pending;
            }
            self.expire(shared);
        }
    }

    /// Starts the next entry, and takes its response if it is ready.
    fn start(&mut self, entry: Entry, shared: &Shared, cx: &mut Context<'_>) {
        let Entry::Request(request) = entry else {
            return self.push(Some(refuse(&entry).into()));
        };
        let room = self.room(shared);
        let limits = CallLimits {
            max_result: shared.limits.max_response.min(room),
            in_batch: true,
            ..shared.call_limits
        };
        let refused = match (self.expired, room) {
            _ if self.is_cancelled(&request) => Some(ErrorCode::CANCELLED),
            (true, _) => Some(ErrorCode::TIMEOUT),
            (_, 0) if !request.is_notification() => Some(ErrorCode::RESPONSE_TOO_LARGE),
            _ => None,
        };
        if let Some(code) = refused {
            shared.counters().called(usize::MAX);
            let mut envelope = Envelope::of(shared, &request, &self.origin);
            if let Some(answer) = self.finish(&mut envelope, Reply::error(code), 0, shared) {
                self.push(Some(answer));
            }
            return;
        }
        let mut buffer = std::mem::take(&mut self.scratch);
        buffer.reserve(ANSWER_SIZE);
        let origin = Arc::clone(&self.origin);
        let (started, mut envelope) = start(
            shared,
            &self.origin.connection,
            origin,
            request,
            None,
            limits,
            buffer,
            cx,
        );
        let reply = match started {
            Started::Replied(reply) => reply,
            Started::Denied(denial) => Reply::error(denial.error),
            Started::Waiting(running) => {
                let place = self.written + self.window.len();
                if !envelope.is_notification() {
                    self.push(None);
                }
                self.running.push(Waiting {
                    running,
                    envelope,
                    place,
                });
                return;
            }
        };
        match self.finish(&mut envelope, reply, limits.max_result, shared) {
            Some(answer) if self.window.is_empty() => {
                self.write(&answer);
                self.keep(answer);
            }
            Some(answer) => self.push(Some(answer)),
            None => {}
        }
    }

    fn poll_running(&mut self, shared: &Shared, cx: &mut Context<'_>) {
        let mut at = 0;
        while let Some(waiting) = self.running.get_mut(at) {
            match waiting.running.poll(shared, cx) {
                Poll::Pending => at += 1,
                Poll::Ready(reply) => {
                    let done = self.running.remove(at);
                    self.settle(done, reply, shared);
                }
            }
        }
    }

    /// Drops and answers calls that the peer has cancelled.
    fn poll_cancels(&mut self, shared: &Shared, cx: &Context<'_>) {
        let Some(cancels) = &self.cancels else {
            return;
        };
        for id in cancels.take(cx) {
            let mut running = self.running.iter();
            if let Some(at) = running.position(|waiting| waiting.envelope.id() == &*id) {
                let waiting = self.running.remove(at);
                self.settle(waiting, Reply::error(ErrorCode::CANCELLED), shared);
            } else if !self.cancelled.contains(&id) && self.is_to_come(&id) {
                self.cancelled.push(id);
            }
        }
    }

    fn is_cancelled(&self, request: &Request) -> bool {
        let id = request.id_bytes();
        self.cancelled.iter().any(|known| id == Some(&**known))
    }

    fn is_to_come(&self, id: &[u8]) -> bool {
        let mut entries = self.entries.as_slice().iter();
        entries.any(|entry| match entry {
            Entry::Request(request) => request.id_bytes() == Some(id),
            _ => false,
        })
    }

    /// The text of a response. A stream that the call has opened is kept for later.
    fn finish(
        &mut self,
        envelope: &mut Envelope,
        reply: Reply,
        limit: usize,
        shared: &Shared,
    ) -> Option<Payload> {
        let account = &self.origin.connection.memory;
        let Answered { text, streams, .. } =
            envelope.finish(reply, limit, shared.counters(), account);
        if !streams.is_empty() {
            self.streams.extend(streams);
        }
        text
    }

    /// Handles the timeout: running calls are dropped and answered, and no further ones start.
    fn expire(&mut self, shared: &Shared) {
        self.expired = true;
        for waiting in std::mem::take(&mut self.running) {
            self.settle(waiting, Reply::error(ErrorCode::TIMEOUT), shared);
        }
    }

    /// Puts the response of a pending call into its place.
    fn settle(&mut self, mut waiting: Waiting, reply: Reply, shared: &Shared) {
        let limit = shared.limits.max_response.min(self.room(shared));
        let Some(answer) = self.finish(&mut waiting.envelope, reply, limit, shared) else {
            return;
        };
        let place = waiting.place.checked_sub(self.written);
        if let Some(slot) = place.and_then(|place| self.window.get_mut(place)) {
            *slot = Some(answer);
        }
        self.flush();
    }

    fn push(&mut self, answer: Option<Payload>) {
        self.window.push_back(answer);
        self.flush();
    }

    /// Moves ready responses from the front of the window to `answer`.
    fn flush(&mut self) {
        while matches!(self.window.front(), Some(Some(_))) {
            if let Some(Some(answer)) = self.window.pop_front() {
                self.write(&answer);
            }
        }
    }

    /// Appends a response. If there is no memory for it, an error takes its place, which is short
    /// enough to need none.
    fn write(&mut self, answer: &Payload) {
        let separator = if self.written == 0 { b'[' } else { b',' };
        self.written += 1;
        if self.answer.len() + answer.len() < self.answer.text.capacity() {
            self.answer.text.push(separator);
            self.answer.text.extend_from_slice(&answer.text);
            return;
        }
        self.answer.extend_anyway(&[separator]);
        let account = &self.origin.connection.memory;
        if let Err(exhausted) = self.answer.extend(&answer.text, account) {
            let mut error = Vec::with_capacity(ANSWER_SIZE);
            let id = message::response_id(&answer.text);
            message::write_error(&mut error, id, &exhausted.into());
            self.answer.extend_anyway(&error);
        }
    }

    /// Keeps a buffer for the next call, unless a large result has grown it.
    fn keep(&mut self, answer: Payload) {
        let mut buffer = answer.text;
        if buffer.capacity() <= FREE {
            buffer.clear();
            self.scratch = buffer;
        }
    }

    /// How many more bytes the response may have.
    fn room(&self, shared: &Shared) -> usize {
        let waiting: usize = self.window.iter().flatten().map(Payload::len).sum();
        let used = self.answer.len() + waiting;
        shared.limits.max_batch_response.saturating_sub(used)
    }

    /// Takes the whole response; `None` if there were only notifications (section 6).
    fn take_answer(&mut self) -> Option<Payload> {
        if self.written == 0 {
            return None;
        }
        self.answer.extend_anyway(b"]");
        Some(std::mem::take(&mut self.answer))
    }
}

/// Calls that have not started when nobody waits for the batch any more do not run.
impl Drop for Batch {
    fn drop(&mut self) {
        let Some(audit) = &self.audit else { return };
        for entry in self.entries.by_ref() {
            if let Entry::Request(request) = entry {
                CallRecord::refused(audit, &request, &self.origin, ErrorCode::CANCELLED);
            }
        }
    }
}
