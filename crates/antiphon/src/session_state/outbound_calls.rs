//! Calls to the peer: sending, waiting for the response, abandoning.
//!
//! A response is matched to its call by the bytes of its id, within this connection. Responses that
//! match no call are counted: a late response to an abandoned call is fine, a peer that keeps
//! sending unknown ids is not.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use antiphon_proto::pending::InsertError;
use antiphon_proto::{ErrorObject, Id, RawJson, message};
use tokio::sync::oneshot;

use super::end::End;
use super::handle::{SessionHandle, State};
use super::outbound_table::{CallEnd, NewCall, Progress, TooManyUnmatched, Waiter};
use super::received::{Received, hold_error};
use super::subscriber_queues::{InboxSender, SubscriptionKey};
use crate::identity::Principal;
use crate::memory_budget::{Exhausted, Payload};

/// Why a message with calls was not posted.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another pending call has this id.
    Duplicate(Id),
    /// The session is over.
    Over(Arc<End>),
    /// There is no memory for the message.
    Exhausted,
}

/// The message that carries calls.
struct Carrier<'a> {
    serial: u64,
    /// Who it is sent for, if it is somebody else.
    principal: Option<&'a Principal>,
}

impl SessionHandle {
    /// A new id for one of our calls, unique within this session.
    pub(crate) fn next_id(&self) -> Id {
        let mut state = self.lock();
        state.calls.next += 1;
        let number = state.calls.next;
        match self.0.limits.unguessable_ids {
            true => Id::from(format!("{}-{number}", self.call_prefix())),
            false => Id::from(number),
        }
    }

    /// Waits until `more` calls may be made. Also ready when the session is over.
    pub(crate) fn poll_place(&self, more: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_room(cx).is_pending() {
            return Poll::Pending;
        }
        let mut state = self.lock();
        if state.end.is_some() || self.admits(&state, more) {
            return Poll::Ready(());
        }
        state.waits_for_room(cx);
        Poll::Pending
    }

    /// Whether `more` calls may be made now.
    pub(crate) fn has_place(&self, more: usize) -> bool {
        let state = self.lock();
        self.has_room() && state.end.is_none() && self.admits(&state, more)
    }

    fn admits(&self, state: &State, more: usize) -> bool {
        let waiting = state.calls.pending.len();
        waiting == 0 || waiting + more <= self.0.limits.max_calls
    }

    /// Posts a message with calls in it, on behalf of somebody else if that is said. Returns a future
    /// for each response, and the serial number of the message.
    ///
    /// # Errors
    ///
    /// If the session is over, if an id is in use, or if there is no memory for the message. Then
    /// nothing was posted.
    pub(crate) fn call(
        &self,
        calls: Vec<NewCall>,
        text: Vec<u8>,
        principal: Option<Box<Principal>>,
    ) -> Result<(Vec<Waiting>, u64), Refused> {
        let count = calls.len();
        self.post_with_calls(count, text, principal, |state, about| {
            let mut waiting: Vec<Waiting> = Vec::with_capacity(count);
            for call in calls {
                match self.await_answer(state, call, about) {
                    Ok(call) => waiting.push(call),
                    Err(refused) => {
                        for known in &mut waiting {
                            state.calls.pending.take(known.id.as_ref());
                            known.handle = None;
                        }
                        return Err(refused);
                    }
                }
            }
            Ok(waiting)
        })
    }

    /// Posts a message with one call in it, as [`call`](Self::call) does.
    pub(crate) fn call_one(
        &self,
        call: NewCall,
        text: Vec<u8>,
        principal: Option<Box<Principal>>,
    ) -> Result<Waiting, Refused> {
        let posted = self.post_with_calls(1, text, principal, |state, about| {
            self.await_answer(state, call, about)
        });
        posted.map(|(waiting, _)| waiting)
    }

    /// Posts a message, if its calls can be put into the table.
    fn post_with_calls<W>(
        &self,
        count: usize,
        text: Vec<u8>,
        principal: Option<Box<Principal>>,
        enter: impl FnOnce(&mut State, &Carrier<'_>) -> Result<W, Refused>,
    ) -> Result<(W, u64), Refused> {
        let mut message = Payload::from(text);
        let size = message.text.capacity();
        let held = message.reserve(size, &self.0.memory);
        held.map_err(|Exhausted| Refused::Exhausted)?;
        self.change(|state| {
            if let Some(end) = &state.end {
                return Err(Refused::Over(Arc::clone(end)));
            }
            let serial = state.serial.posted + 1;
            let largest = match state.calls.is_empty() {
                true => 0,
                false => state.calls.largest,
            };
            state.calls.largest = largest.max(count);
            let carrier = Carrier {
                serial,
                principal: principal.as_deref(),
            };
            let waiting = enter(state, &carrier)?;
            Ok((waiting, self.put_for(principal, state, message)))
        })
    }

    /// Puts a call into the table.
    fn await_answer(
        &self,
        state: &mut State,
        call: NewCall,
        carrier: &Carrier<'_>,
    ) -> Result<Waiting, Refused> {
        let (tell, receiver) = oneshot::channel();
        if let (Some(opens), Some(principal)) = (&call.opens, carrier.principal) {
            opens.opened_for(principal);
        }
        let opens = call.opens.as_ref().map(InboxSender::key);
        let waiter = Waiter {
            serial: carrier.serial,
            tell,
            opens: call.opens,
            progress: call.progress,
            room: call.room,
        };
        if let Err(error) = state.calls.pending.insert(call.id.as_str(), waiter) {
            debug_assert!(!matches!(error, InsertError::Full(_)));
            return Err(Refused::Duplicate(call.id));
        }
        Ok(Waiting {
            handle: Some(self.clone()),
            id: call.id,
            opens,
            receiver,
        })
    }

    /// Delivers a response in this message to its pending call.
    ///
    /// # Errors
    ///
    /// If the peer has sent too many unmatched responses.
    pub(crate) fn answered(
        &self,
        id: &str,
        outcome: Result<RawJson, ErrorObject>,
        message: &mut Received,
    ) -> Result<(), TooManyUnmatched> {
        let mut state = self.lock();
        let Some(waiter) = state.calls.pending.take(id.as_bytes()) else {
            let known = &mut state.calls.abandoned;
            if let Some(at) = known
                .iter()
                .position(|(known, _)| **known == *id.as_bytes())
            {
                let opens = known.remove(at).and_then(|(_, opens)| opens);
                state.inboxes.has_left(id);
                if let (Some(key), Ok(result)) = (opens, &outcome) {
                    self.decline(&mut state, result.as_str(), &key);
                }
                return Ok(());
            }
            return match (id, outcome) {
                ("null", Err(error)) => {
                    self.unreadable(&mut state, &error);
                    Ok(())
                }
                _ => state.calls.unmatched(),
            };
        };
        let opens = waiter.opens.as_ref().map(InboxSender::key);
        if let (Some(inbox), Ok(result)) = (waiter.opens, &outcome) {
            state.inboxes.open(result.as_str(), inbox);
        }
        let room = std::mem::take(&mut state.room);
        drop(state);
        let memory = &self.0.memory;
        let kept = match outcome {
            Ok(result) => {
                let kept = message.result(result, memory);
                kept.map(|(result, held)| (Ok(result), held))
            }
            Err(error) => hold_error(&error, memory).map(|held| (Err(error), held)),
        };
        let end = match (kept, waiter.room) {
            (Ok((outcome, held)), Some(room)) => room.admit(outcome, held),
            (Ok((outcome, held)), None) => CallEnd::Answered(outcome, held),
            (Err(Exhausted), _) => CallEnd::Exhausted,
        };
        let sent = waiter.tell.send(end);
        // The caller has dropped its future just now, too late to cancel: unsubscribe here.
        if let (Err(CallEnd::Answered(Ok(id), _)), Some(key)) = (sent, opens) {
            self.forget(id.as_str(), &key);
        }
        room.into_iter().for_each(std::task::Waker::wake);
        Ok(())
    }

    /// Fails a pending call because of a malformed response; returns `false` if no call has this
    /// id.
    pub(crate) fn answered_badly(&self, id: &str, reason: &'static str) -> bool {
        let mut state = self.lock();
        let Some(waiter) = state.calls.pending.take(id.as_bytes()) else {
            return false;
        };
        let room = std::mem::take(&mut state.room);
        drop(state);
        let _ = waiter.tell.send(CallEnd::Malformed(reason));
        room.into_iter().for_each(std::task::Waker::wake);
        true
    }

    /// Counts an unmatched response.
    ///
    /// # Errors
    ///
    /// If there were too many.
    pub(crate) fn unmatched(&self) -> Result<(), TooManyUnmatched> {
        self.lock().calls.unmatched()
    }

    /// Handles an error with the id null: the peer could not read one of our messages. It cannot
    /// say which, and the oldest is the most likely, so the calls of that one fail instead of
    /// waiting for responses that will not come.
    fn unreadable(&self, state: &mut State, error: &ErrorObject) {
        let calls = &mut state.calls;
        let Some(oldest) = calls.pending.oldest().map(|waiter| waiter.serial) else {
            return;
        };
        for (id, waiter) in calls.pending.take_all(|waiter| waiter.serial == oldest) {
            calls.abandon(&id, waiter.opens.as_ref().map(InboxSender::key));
            // Each gets a copy.
            let end = match hold_error(error, &self.0.memory) {
                Ok(held) => CallEnd::Unreadable(error.clone(), held),
                Err(Exhausted) => CallEnd::Exhausted,
            };
            let _ = waiter.tell.send(end);
        }
        // There is room for other calls now.
        std::mem::take(&mut state.room)
            .into_iter()
            .for_each(std::task::Waker::wake);
    }

    /// The progress callback of a pending call.
    pub(crate) fn progress(&self, id: &[u8]) -> Option<Progress> {
        self.lock().calls.pending.get(id)?.progress.clone()
    }

    /// Posts a call and ignores its response. Returns its id.
    pub(super) fn call_and_forget(
        &self,
        state: &mut State,
        method: &str,
        params: &str,
        principal: Option<Box<Principal>>,
    ) -> Id {
        state.calls.next += 1;
        // A string, so that it cannot collide with the numbers that callers use.
        let id = Id::from(format!("antiphon-{}", state.calls.next));
        state.calls.abandon(id.as_str().as_bytes(), None);
        let mut text = Vec::new();
        message::write_request(&mut text, "2.0", Some(id.as_str()), method, Some(params));
        self.put_for(principal, state, text);
        id
    }

    /// Abandons a pending call and sends a cancellation to the peer.
    fn abandon(&self, id: &Id) {
        self.change(|state| {
            let Some(waiter) = state.calls.pending.take(id.as_ref()) else {
                return;
            };
            let opens = waiter.opens.as_ref().map(InboxSender::key);
            drop(waiter);
            state.calls.abandon(id.as_ref(), opens);
            let mut text = Vec::new();
            let name = if self.speaks_mcp() { "requestId" } else { "id" };
            let params = format!("{{\"{name}\":{}}}", id.as_str());
            let cancel = &self.0.limits.cancel;
            message::write_request(&mut text, "2.0", None, cancel, Some(&params));
            self.put(state, text);
            let room = std::mem::take(&mut state.room);
            room.into_iter().for_each(std::task::Waker::wake);
        });
    }
}

/// A future of the response to one of our calls. Dropping it cancels the call.
pub(crate) struct Waiting {
    /// `None` once there is nothing to cancel.
    handle: Option<SessionHandle>,
    id: Id,
    /// The subscription that the response opens.
    opens: Option<SubscriptionKey>,
    receiver: oneshot::Receiver<CallEnd>,
}

impl Future for Waiting {
    type Output = CallEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CallEnd> {
        let polled = Pin::new(&mut self.receiver).poll(cx);
        polled.map(|received| {
            self.handle = None;
            // The sender is never dropped without sending.
            received.unwrap_or_else(|_| CallEnd::Lost {
                sent: true,
                end: Arc::new(End {
                    reason: "the session has dropped the call".into(),
                    ours: false,
                    misbehaved: false,
                    drained: false,
                }),
            })
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else {
            return;
        };
        // After `close`, sending fails and the sender cleans up; what was sent before is received
        // below. Otherwise a response could be lost between `try_recv` and the drop of the
        // receiver.
        self.receiver.close();
        match (self.receiver.try_recv(), &self.opens) {
            (Err(_), _) => handle.abandon(&self.id),
            // The call is answered, so there is nothing to cancel, but a subscription was opened.
            (Ok(CallEnd::Answered(Ok(id), _)), Some(key)) => handle.forget(id.as_str(), key),
            _ => {}
        }
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Waiting").field(&self.id).finish()
    }
}
