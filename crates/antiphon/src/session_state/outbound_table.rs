//! Table of the calls to the peer that wait for a response.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use antiphon_proto::pending::Pending;
use antiphon_proto::{ErrorObject, Id, RawJson};
use tokio::sync::oneshot;

use super::end::End;
use super::received::{Held, error_size};
use super::subscriber_queues::{InboxSender, SubscriptionKey};

/// How many unmatched responses a peer may send before it is disconnected.
const MAX_UNMATCHED: usize = 16;

/// How many abandoned calls are remembered, so that late responses to them are not unmatched.
const MAX_ABANDONED: usize = 1024;

/// The outcome of a call.
#[derive(Debug)]
pub(crate) enum CallEnd {
    /// The peer's response, reserved until it is taken.
    Answered(Result<RawJson, ErrorObject>, Held),
    /// The peer's response is malformed, for this reason.
    Malformed(&'static str),
    /// The peer could not read a message, probably the one with this call.
    Unreadable(ErrorObject, Held),
    /// With this response those to its batch are longer than this many bytes.
    TooLong(usize),
    /// There is no memory for the peer's response.
    Exhausted,
    /// The session has ended; `sent` says whether the call was handed to the transport before.
    Lost { sent: bool, end: Arc<End> },
}

/// The callback for progress notifications of a call.
pub(crate) type Progress = Arc<dyn Fn(RawJson) + Send + Sync>;

/// A call that is about to be made.
pub(crate) struct NewCall {
    pub(crate) id: Id,
    /// Where items are delivered, if the call opens a subscription.
    pub(crate) opens: Option<InboxSender>,
    pub(crate) progress: Option<Progress>,
    /// The room for the results of its batch.
    pub(crate) room: Option<Arc<BatchRoom>>,
}

impl From<Id> for NewCall {
    fn from(id: Id) -> Self {
        Self {
            id,
            opens: None,
            progress: None,
            room: None,
        }
    }
}

/// Bytes of results that may be held for one batch until they are taken.
#[derive(Debug)]
pub(crate) struct BatchRoom {
    max: usize,
    left: AtomicUsize,
}

impl BatchRoom {
    pub(crate) fn new(max: usize) -> Self {
        let left = AtomicUsize::new(max);
        Self { max, left }
    }

    /// The outcome, if there is room for it.
    pub(super) fn admit(&self, outcome: Result<RawJson, ErrorObject>, held: Held) -> CallEnd {
        let bytes = match &outcome {
            Ok(result) => result.as_str().len(),
            Err(error) => error_size(error),
        };
        let rest = |left: usize| left.checked_sub(bytes);
        match self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest)
        {
            Ok(_) => CallEnd::Answered(outcome, held),
            Err(_) => CallEnd::TooLong(self.max),
        }
    }
}

pub(super) struct Calls {
    pub(super) pending: Pending<Waiter>,
    /// The ids of abandoned calls, and the keys of the subscriptions that they may still open.
    pub(super) abandoned: VecDeque<(Box<[u8]>, Option<SubscriptionKey>)>,
    pub(super) unmatched: usize,
    /// The most calls in one message, among those sent since the table was last empty.
    pub(super) largest: usize,
    /// The last id that was generated.
    pub(super) next: u64,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            // `SessionHandle::poll_place` bounds it, by waiting; this table would refuse.
            pending: Pending::new(usize::MAX),
            abandoned: VecDeque::new(),
            unmatched: 0,
            largest: 0,
            next: 0,
        }
    }
}

pub(super) struct Waiter {
    /// The serial number of the message that carries the call.
    pub(super) serial: u64,
    pub(super) tell: oneshot::Sender<CallEnd>,
    pub(super) opens: Option<InboxSender>,
    pub(super) progress: Option<Progress>,
    pub(super) room: Option<Arc<BatchRoom>>,
}

impl Calls {
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    pub(super) fn largest(&self) -> usize {
        self.largest
    }

    pub(super) fn lose(mut self, taken: u64, end: &Arc<End>) {
        for (_, waiter) in self.pending.drain() {
            let sent = waiter.serial <= taken && !end.drained;
            let end = Arc::clone(end);
            let _ = waiter.tell.send(CallEnd::Lost { sent, end });
        }
    }

    pub(super) fn abandon(&mut self, id: &[u8], opens: Option<SubscriptionKey>) {
        if self.abandoned.len() >= MAX_ABANDONED {
            self.abandoned.pop_front();
        }
        self.abandoned.push_back((id.into(), opens));
    }
}

/// The peer has sent too many unmatched responses.
#[derive(Debug)]
pub(crate) struct TooManyUnmatched;

impl Calls {
    /// Counts an unmatched response.
    pub(super) fn unmatched(&mut self) -> Result<(), TooManyUnmatched> {
        self.unmatched += 1;
        match self.unmatched > MAX_UNMATCHED {
            true => Err(TooManyUnmatched),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that has answered all that it has taken has not run the others.
    #[tokio::test]
    async fn a_lost_call_may_have_run_if_it_was_handed_over_and_the_peer_has_not_said_otherwise() {
        for (serial, taken, drained, expected) in [
            (3, 2, false, false),
            (3, 3, false, true),
            (3, 4, false, true),
            (3, 2, true, false),
            (3, 3, true, false),
        ] {
            let mut calls = Calls::default();
            let (tell, told) = oneshot::channel();
            let waiter = Waiter {
                serial,
                tell,
                opens: None,
                progress: None,
                room: None,
            };
            assert!(calls.pending.insert("1", waiter).is_ok());
            let end = End {
                reason: "x".into(),
                ours: false,
                misbehaved: false,
                drained,
            };
            calls.lose(taken, &Arc::new(end));
            let Ok(CallEnd::Lost { sent, .. }) = told.await else {
                panic!("it was not lost");
            };
            assert_eq!(sent, expected, "{serial} {taken} {drained}");
        }
    }
}
