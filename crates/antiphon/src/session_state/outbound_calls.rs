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

impl SessionHandle {
    /// A new id for one of our calls, unique within this session.
    pub(crate) fn next_id(&self) -> Id {
        let mut state = self.lock();
        state.calls.next += 1;
        Id::from(state.calls.next)
    }

    /// Waits until `more` calls may be made. Also ready when the session is over.
    pub(crate) fn poll_place(&self, more: usize, cx: &mut Context<'_>) -> Poll<()> {
        if self.poll_room(cx).is_pending() {
            return Poll::Pending;
        }
        let mut state = self.lock();
        let waiting = state.calls.pending.len();
        if state.end.is_some() || waiting == 0 || waiting + more <= self.0.limits.max_calls {
            return Poll::Ready(());
        }
        state.waits_for_room(cx);
        Poll::Pending
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
            state.calls.largest = largest.max(calls.len());
            let mut waiting: Vec<Waiting> = Vec::with_capacity(calls.len());
            for call in calls {
                let (tell, receiver) = oneshot::channel();
                if let (Some(opens), Some(principal)) = (&call.opens, &principal) {
                    opens.opened_for(principal);
                }
                let opens = call.opens.as_ref().map(InboxSender::key);
                let waiter = Waiter {
                    serial,
                    tell,
                    opens: call.opens,
                    progress: call.progress,
                    room: call.room,
                };
                if let Err(error) = state.calls.pending.insert(call.id.as_str(), waiter) {
                    debug_assert!(!matches!(error, InsertError::Full(_)));
                    for known in &mut waiting {
                        state.calls.pending.take(known.id.as_ref());
                        known.handle = None;
                    }
                    return Err(Refused::Duplicate(call.id));
                }
                waiting.push(Waiting {
                    handle: Some(self.clone()),
                    id: call.id,
                    opens,
                    receiver,
                });
            }
            Ok((waiting, self.put_for(principal, state, message)))
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
            let params = format!("{{\"id\":{}}}", id.as_str());
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Barrier};
    use std::thread;

    use antiphon_proto::{ErrorObject, Id, RawJson};

    use super::super::{Arrivals, CallEnd, InboxSender, NewCall, Received, SessionHandle};
    use super::{Refused, Waiting};
    use crate::memory_budget::Account;
    use crate::memory_budget::account::Accounts;

    /// What a method says to its caller is held for that peer, too.
    #[test]
    fn a_message_to_the_peer_is_reserved_or_refused() {
        let accounts = Accounts::new(0, 50_000);
        let handle = SessionHandle::new(Arc::default(), &accounts.open(), true);
        let used = || accounts.budgets.responses.used();
        let post = |size: usize| handle.call(Vec::new(), vec![b'x'; size], None).map(|_| ());
        post(4_000).unwrap();
        assert_eq!(used(), 0);
        post(20_000).unwrap();
        assert_eq!(used(), 20_000);
        assert!(matches!(post(20_000), Err(Refused::Exhausted)));
        let mut posted = VecDeque::new();
        handle.fetch(0, &mut posted, &mut Arrivals::default());
        assert_eq!((posted.len(), used()), (2, 20_000));
        drop(posted);
        assert_eq!(used(), 0);
    }

    /// A call whose answer is about to come.
    fn call(handle: &SessionHandle, id: u64) -> Waiting {
        let (mut waiting, _) = handle
            .call(vec![NewCall::from(Id::from(id))], vec![], None)
            .unwrap();
        waiting.pop().unwrap()
    }

    fn text(length: usize) -> RawJson {
        RawJson::from_value(&"x".repeat(length - 2)).unwrap()
    }

    /// On a server the answer of a peer is in the budget until the method takes it.
    #[tokio::test]
    async fn an_answer_is_reserved_or_the_call_fails() {
        let accounts = Accounts::new(100_000, 0);
        let handle = SessionHandle::new(Arc::default(), &accounts.open(), true);
        let used = || accounts.budgets.requests.used();
        let error = |length| ErrorObject::new(1, "x".repeat(length));
        let mut calls = Vec::new();
        for (outcome, message, held, fits) in [
            (Ok(text(4_000)), 4_000, 0, true),
            (Ok(text(20_000)), 20_100, 20_100, true),
            (Err(error(5_000)), 5_100, 25_100, true),
            // It is copied, because it is short.
            (Ok(text(5_000)), 90_000, 30_100, true),
            // The whole message stays.
            (Ok(text(12_000)), 90_000, 30_100, false),
            (Err(error(30_000)), 30_100, 30_100, false),
            (Ok(text(4_000)), 4_000, 30_100, true),
        ] {
            let id = calls.len() as u64;
            calls.push((call(&handle, id), fits));
            let mut message = Received::new(message);
            handle
                .answered(&id.to_string(), outcome, &mut message)
                .unwrap();
            assert_eq!(used(), held, "call {id}");
        }
        // Nobody waits for this one any more.
        drop(calls.remove(1));
        assert_eq!(used(), 10_000);
        for (waiting, fits) in calls {
            match waiting.await {
                CallEnd::Answered(..) => assert!(fits),
                end => assert!(!fits && matches!(end, CallEnd::Exhausted), "{end:?}"),
            }
        }
        assert_eq!(used(), 0);
    }

    #[tokio::test]
    async fn answers_in_one_message_are_reserved_once() {
        let accounts = Accounts::new(100_000, 0);
        let handle = SessionHandle::new(Arc::default(), &accounts.open(), true);
        let mut message = Received::new(40_000);
        let mut calls = Vec::new();
        for id in 0..3 {
            calls.push(call(&handle, id));
            handle
                .answered(&id.to_string(), Ok(text(13_000)), &mut message)
                .unwrap();
        }
        drop(message);
        for waiting in calls {
            assert_eq!(accounts.budgets.requests.used(), 40_000);
            assert!(matches!(waiting.await, CallEnd::Answered(Ok(_), _)));
        }
        assert_eq!(accounts.budgets.requests.used(), 0);
    }

    /// An error without an id ends all calls of the oldest message, each with a copy.
    #[tokio::test]
    async fn copies_of_an_error_are_reserved() {
        let accounts = Accounts::new(100_000, 0);
        let handle = SessionHandle::new(Arc::default(), &accounts.open(), true);
        let calls = (0..4).map(|id: u64| NewCall::from(Id::from(id))).collect();
        let (waiting, _) = handle.call(calls, Vec::new(), None).unwrap();
        let error = ErrorObject::new(1, "x".repeat(20_000));
        handle
            .answered("null", Err(error), &mut Received::new(20_100))
            .unwrap();
        assert_eq!(accounts.budgets.requests.used(), 40_000);
        let mut exhausted = 0;
        for waiting in waiting {
            exhausted += usize::from(matches!(waiting.await, CallEnd::Exhausted));
        }
        assert_eq!((exhausted, accounts.budgets.requests.used()), (2, 0));
    }

    /// Whichever comes first, the response or the drop: the subscription is ended.
    #[test]
    fn an_answer_and_a_drop_at_the_same_time_leave_no_subscription() {
        for round in 0..5_000 {
            let handle = SessionHandle::new(Arc::default(), &Account::unlimited(), true);
            let (opens, _inbox) = InboxSender::new(1, "unsubscribe");
            let call = NewCall {
                id: 1.into(),
                opens: Some(opens),
                progress: None,
                room: None,
            };
            let (waiting, _) = handle.call(vec![call], Vec::new(), None).unwrap();
            let both = Arc::new(Barrier::new(2));
            let dropper = {
                let both = Arc::clone(&both);
                thread::spawn(move || {
                    both.wait();
                    drop(waiting);
                })
            };
            let id = RawJson::from_value("s1").unwrap();
            both.wait();
            let mut message = Received::new(id.as_str().len());
            handle.answered("1", Ok(id), &mut message).unwrap();
            dropper.join().unwrap();
            let mut posted = VecDeque::new();
            handle.fetch(1024, &mut posted, &mut Arrivals::default());
            let last = posted.pop_back().unwrap().payload.text;
            let last = String::from_utf8(last).unwrap();
            assert!(last.contains("unsubscribe"), "round {round}: {last}");
            assert!(handle.lock().inboxes.is_empty());
        }
    }
}
