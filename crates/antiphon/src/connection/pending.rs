//! Table of the calls of ours that wait for the peer's answer.

use std::collections::VecDeque;
use std::sync::Arc;

use antiphon_proto::pending::Pending;
use antiphon_proto::{ErrorObject, Id, RawJson};
use tokio::sync::oneshot;

use super::end::End;
use super::inbox::{InboxSender, SubscriptionKey};

/// Answers to no call that a peer may send before it is cut off.
const MAX_UNMATCHED: usize = 16;

/// How many calls that were given up are remembered, so that their late answers are no strangers.
const MAX_ABANDONED: usize = 1024;

/// What has become of a call.
#[derive(Debug)]
pub(crate) enum CallEnd {
    /// The peer's answer.
    Answered(Result<RawJson, ErrorObject>),
    /// What the peer has answered is no answer, for this reason.
    Malformed(&'static str),
    /// The peer could not read a message, perhaps this one.
    Unreadable(ErrorObject),
    /// The session has ended; `sent` says whether the call had left before.
    Lost { sent: bool, end: Arc<End> },
}

/// Hears of the progress of a call.
pub(crate) type Progress = Arc<dyn Fn(RawJson) + Send + Sync>;

/// A call that is about to be made.
pub(crate) struct NewCall {
    pub(crate) id: Id,
    /// Where the items go if the answer is a subscription.
    pub(crate) opens: Option<InboxSender>,
    pub(crate) progress: Option<Progress>,
}

impl From<Id> for NewCall {
    fn from(id: Id) -> Self {
        Self {
            id,
            opens: None,
            progress: None,
        }
    }
}

pub(super) struct Calls {
    pub(super) pending: Pending<Waiter>,
    /// With what a subscription among them is ended by.
    pub(super) abandoned: VecDeque<(Box<[u8]>, Option<SubscriptionKey>)>,
    pub(super) strangers: usize,
    /// The most calls in one message of ours that may still be answered.
    pub(super) largest: usize,
    /// For ids of messages that nobody else has numbered.
    pub(super) next: u64,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            // The bound is the link's, which waits where this would refuse.
            pending: Pending::new(usize::MAX),
            abandoned: VecDeque::new(),
            strangers: 0,
            largest: 0,
            next: 0,
        }
    }
}

pub(super) struct Waiter {
    /// The message that carries the call.
    pub(super) serial: u64,
    pub(super) tell: oneshot::Sender<CallEnd>,
    pub(super) opens: Option<InboxSender>,
    pub(super) progress: Option<Progress>,
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
            let sent = waiter.serial <= taken;
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

/// A peer that answers what nobody has asked.
#[derive(Debug)]
pub(crate) struct TooManyUnmatched;

impl Calls {
    /// Counts an answer that nobody has asked for.
    pub(super) fn unmatched(&mut self) -> Result<(), TooManyUnmatched> {
        self.strangers += 1;
        match self.strangers > MAX_UNMATCHED {
            true => Err(TooManyUnmatched),
            false => Ok(()),
        }
    }
}
