//! Calls of ours that wait for the peer's answer.
//!
//! An answer finds its call by the bytes of its id, on this connection alone. One that fits no call
//! is counted: a late answer to a call that was given up is no fault, a peer that goes on inventing
//! ids is.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use antiphon_proto::pending::InsertError;
use antiphon_proto::{ErrorObject, Id, RawJson, message};
use tokio::sync::oneshot;

use super::end::End;
use super::handle::{SessionHandle, State};
use super::inbox::{InboxSender, SubscriptionKey};
use super::pending::{CallEnd, NewCall, Progress, TooManyUnmatched, Waiter};

/// Why a message with calls was not posted.
#[derive(Debug)]
pub(crate) enum Refused {
    /// Another call of this id waits for its answer.
    Duplicate(Id),
    /// The session is over.
    Over(Arc<End>),
}

impl SessionHandle {
    /// An id for a call of ours: the same for nobody else on this session.
    pub(crate) fn next_id(&self) -> Id {
        let mut state = self.lock();
        state.calls.next += 1;
        Id::from(state.calls.next)
    }

    /// Waits until `more` calls may be made. Ready at the end, too.
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

    /// Posts a message with calls in it; gives their answers to come, and the message's number.
    ///
    /// # Errors
    ///
    /// When the session is over, or an id is in use; then nothing was posted.
    pub(crate) fn call(
        &self,
        calls: Vec<NewCall>,
        text: Vec<u8>,
    ) -> Result<(Vec<Waiting>, u64), Refused> {
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
                let (tell, told) = oneshot::channel();
                let opens = call.opens.as_ref().map(InboxSender::key);
                let waiter = Waiter {
                    serial,
                    tell,
                    opens: call.opens,
                    progress: call.progress,
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
                    told,
                });
            }
            Ok((waiting, self.put(state, text)))
        })
    }

    /// Takes an answer to whoever asked.
    ///
    /// # Errors
    ///
    /// When the peer has sent too many answers that nobody has asked for.
    pub(crate) fn answered(
        &self,
        id: &str,
        outcome: Result<RawJson, ErrorObject>,
    ) -> Result<(), TooManyUnmatched> {
        let mut state = self.lock();
        let Some(waiter) = state.calls.pending.take(id.as_bytes()) else {
            let known = &mut state.calls.abandoned;
            if let Some(at) = known
                .iter()
                .position(|(known, _)| **known == *id.as_bytes())
            {
                let opens = known.remove(at).and_then(|(_, opens)| opens);
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
        if let (Some(spec), Ok(result)) = (waiter.opens, &outcome) {
            state.inboxes.open(result.as_str(), spec);
        }
        let room = std::mem::take(&mut state.room);
        drop(state);
        let told = waiter.tell.send(CallEnd::Answered(outcome));
        // Who asked has gone in this moment, too late to cancel: what has begun is ended here.
        if let (Err(CallEnd::Answered(Ok(id))), Some(key)) = (told, opens) {
            self.forget(id.as_str(), &key);
        }
        room.into_iter().for_each(std::task::Waker::wake);
        Ok(())
    }

    /// Takes an answer that is none to whoever asked; false if nobody did.
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

    /// Counts an answer that nobody has asked for.
    ///
    /// # Errors
    ///
    /// When there were too many.
    pub(crate) fn unmatched(&self) -> Result<(), TooManyUnmatched> {
        self.lock().calls.unmatched()
    }

    /// The peer could not read something. Which message that was it cannot say, and the oldest is
    /// the likeliest: its calls are told, so that nobody waits for what will not come.
    fn unreadable(&self, state: &mut State, error: &ErrorObject) {
        let calls = &mut state.calls;
        let Some(oldest) = calls.pending.oldest().map(|waiter| waiter.serial) else {
            return;
        };
        for (id, waiter) in calls.pending.take_all(|waiter| waiter.serial == oldest) {
            calls.abandon(&id, waiter.opens.as_ref().map(InboxSender::key));
            let _ = waiter.tell.send(CallEnd::Unreadable(error.clone()));
        }
        // Their places are free.
        std::mem::take(&mut state.room)
            .into_iter()
            .for_each(std::task::Waker::wake);
    }

    /// Whom to tell of the progress of a call.
    pub(crate) fn progress(&self, id: &[u8]) -> Option<Progress> {
        self.lock().calls.pending.get(id)?.progress.clone()
    }

    /// Posts a call whose answer is of no interest.
    pub(super) fn call_and_forget(&self, state: &mut State, method: &str, params: &str) {
        state.calls.next += 1;
        // A text, so that it meets none of the numbers that callers use.
        let id = Id::from(format!("antiphon-{}", state.calls.next));
        state.calls.abandon(id.as_str().as_bytes(), None);
        let mut text = Vec::new();
        message::write_request(&mut text, "2.0", Some(id.as_str()), method, Some(params));
        self.put(state, text);
    }

    /// Gives a call up: if the peer may know of it, it is told.
    fn abandon(&self, id: &Id) {
        self.change(|state| {
            let Some(waiter) = state.calls.pending.take(id.as_ref()) else {
                return;
            };
            let opens = waiter.opens.as_ref().map(InboxSender::key);
            drop(waiter);
            state.calls.abandon(id.as_ref(), opens);
            let mut text = Vec::new();
            let params = format!("{{\"id\":{id}}}");
            let cancel = &self.0.limits.cancel;
            message::write_request(&mut text, "2.0", None, cancel, Some(&params));
            self.put(state, text);
            let room = std::mem::take(&mut state.room);
            room.into_iter().for_each(std::task::Waker::wake);
        });
    }
}

/// The answer to a call of ours, to come. Dropping it cancels the call.
pub(crate) struct Waiting {
    /// None once there is nothing to cancel.
    handle: Option<SessionHandle>,
    id: Id,
    /// The subscription that the answer opens.
    opens: Option<SubscriptionKey>,
    told: oneshot::Receiver<CallEnd>,
}

impl Future for Waiting {
    type Output = CallEnd;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CallEnd> {
        let told = Pin::new(&mut self.told).poll(cx);
        told.map(|told| {
            self.handle = None;
            // The sender always tells before it is dropped.
            told.unwrap_or_else(|_| CallEnd::Lost {
                sent: true,
                end: Arc::new(End {
                    reason: "the session has dropped the call".into(),
                    ours: false,
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
        // From here on it is the sender that learns that nobody listens; what it has told before is
        // found below. Without this an answer could fall between the two.
        self.told.close();
        match (self.told.try_recv(), &self.opens) {
            (Err(_), _) => handle.abandon(&self.id),
            // What is told already needs no cancel, but a subscription has begun.
            (Ok(CallEnd::Answered(Ok(id))), Some(key)) => handle.forget(id.as_str(), key),
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

    use antiphon_proto::RawJson;

    use super::super::{InboxSender, NewCall, SessionHandle};

    /// Whoever comes first, the answer or the drop: the subscription that has begun is ended.
    #[test]
    fn an_answer_and_a_drop_at_the_same_time_leave_no_subscription() {
        for round in 0..5_000 {
            let handle = SessionHandle::new(Arc::default(), true);
            let (opens, _inbox) = InboxSender::new(1, "unsubscribe");
            let call = NewCall {
                id: 1.into(),
                opens: Some(opens),
                progress: None,
            };
            let (waiting, _) = handle.call(vec![call], Vec::new()).unwrap();
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
            handle.answered("1", Ok(id)).unwrap();
            dropper.join().unwrap();
            let mut posted = VecDeque::new();
            handle.fetch(1024, &mut posted);
            let last = posted.pop_back().unwrap().text;
            let last = String::from_utf8(last).unwrap();
            assert!(last.contains("unsubscribe"), "round {round}: {last}");
            assert!(!handle.has_inboxes());
        }
    }
}
