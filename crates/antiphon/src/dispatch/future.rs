//! Futures of whole messages: [`Dispatch`] borrows its dispatcher, [`Work`] owns its state.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use antiphon_proto::{Entry, Incoming, parse};
use bytes::Bytes;

use super::answer::{ANSWER_SIZE, Answered, refuse, reject};
use super::batch::Batch;
use super::envelope::Envelope;
use super::run::{Running, Started, start};
use super::shared::Shared;
use crate::call_origin::Origin;
use crate::memory_budget::{Account, Reservation};
use crate::session_state::Cancels;

/// A message after its first poll.
pub(crate) enum Begun {
    Answered(Answered),
    Waiting(Work),
}

impl Begun {
    /// Starts a message; see [`Dispatcher::begin`](super::Dispatcher::begin).
    pub(super) fn of(
        shared: Arc<Shared>,
        entry: Incoming,
        origin: Arc<Origin>,
        buffer: Vec<u8>,
        cancels: Option<&Arc<Cancels>>,
        account: &Arc<Account>,
        cx: &mut Context<'_>,
    ) -> Self {
        let state = match entry {
            Incoming::Single(entry) => {
                match open_single(&shared, entry, origin, buffer, account, cx) {
                    Opened::Answer(answered) => return Self::Answered(answered),
                    Opened::Call(running, envelope) => State::Call(running, envelope),
                }
            }
            Incoming::Batch(entries) => {
                let mut batch = Box::new(Batch::new(entries, origin, cancels.cloned()));
                match batch.poll(&shared, cx) {
                    Poll::Ready(answered) => return Self::Answered(answered),
                    Poll::Pending => State::Batch(batch),
                }
            }
        };
        Self::Waiting(Work {
            shared,
            account: Arc::clone(account),
            state,
            held: None,
        })
    }
}

/// A pending message that owns its state, so that it can be spawned.
pub(crate) struct Work {
    shared: Arc<Shared>,
    account: Arc<Account>,
    state: State,
    /// What is reserved for the message while its calls run.
    held: Option<Box<Reservation>>,
}

impl Work {
    /// Keeps what is reserved for the message until its calls have ended.
    pub(crate) fn hold(&mut self, held: Option<Box<Reservation>>) {
        self.held = held;
    }

    /// The id of a single call; `None` for notifications, batches and the id null.
    pub(crate) fn id(&self) -> Option<&[u8]> {
        match &self.state {
            State::Call(_, envelope) if !envelope.is_notification() => {
                Some(envelope.id()).filter(|id| *id != b"null")
            }
            _ => None,
        }
    }
}

impl Future for Work {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered> {
        let this = &mut *self;
        this.state.poll(&this.shared, &this.account, cx)
    }
}

/// A future of the response to one message, which borrows its dispatcher.
pub(crate) struct Dispatch<'a> {
    shared: &'a Shared,
    account: &'a Arc<Account>,
    state: State,
}

enum State {
    New(Bytes, Arc<Origin>),
    Call(Running, Envelope),
    Batch(Box<Batch>),
    Done,
}

impl<'a> Dispatch<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        message: Bytes,
        origin: Arc<Origin>,
        account: &'a Arc<Account>,
    ) -> Self {
        Self {
            shared,
            account,
            state: State::New(message, origin),
        }
    }
}

impl Future for Dispatch<'_> {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered> {
        let (shared, account) = (self.shared, self.account);
        self.state.poll(shared, account, cx)
    }
}

impl State {
    fn poll(
        &mut self,
        shared: &Shared,
        account: &Arc<Account>,
        cx: &mut Context<'_>,
    ) -> Poll<Answered> {
        let answered = match self {
            Self::New(..) => {
                let Self::New(message, origin) = std::mem::replace(self, Self::Done) else {
                    return Poll::Ready(Answered::default());
                };
                match parse(message, &shared.rules) {
                    Ok(Incoming::Single(entry)) => {
                        let buffer = Vec::with_capacity(ANSWER_SIZE);
                        match open_single(shared, entry, origin, buffer, account, cx) {
                            Opened::Answer(answered) => return Poll::Ready(answered),
                            Opened::Call(running, envelope) => {
                                // It was polled once already, and is pending.
                                *self = Self::Call(running, envelope);
                                return Poll::Pending;
                            }
                        }
                    }
                    Ok(Incoming::Batch(entries)) => {
                        *self = Self::Batch(Box::new(Batch::new(entries, origin, None)));
                        return self.poll(shared, account, cx);
                    }
                    Err(rejection) => return Poll::Ready(reject(&rejection).into()),
                }
            }
            Self::Call(running, envelope) => {
                let reply = ready!(running.poll(shared, cx));
                envelope.finish(
                    reply,
                    shared.limits.max_response,
                    shared.counters(),
                    account,
                )
            }
            Self::Batch(batch) => ready!(batch.poll(shared, cx)),
            Self::Done => Answered::default(),
        };
        *self = Self::Done;
        Poll::Ready(answered)
    }
}

/// A single entry after its first poll.
enum Opened {
    Answer(Answered),
    Call(Running, Envelope),
}

/// Starts a single entry.
fn open_single(
    shared: &Shared,
    entry: Entry,
    origin: Arc<Origin>,
    buffer: Vec<u8>,
    account: &Arc<Account>,
    cx: &mut Context<'_>,
) -> Opened {
    let Entry::Request(request) = entry else {
        return Opened::Answer(refuse(&entry).into());
    };
    match start(shared, origin, request, shared.call_limits, buffer, cx) {
        (Started::Replied(reply), envelope) => {
            let max = shared.limits.max_response;
            Opened::Answer(envelope.finish(reply, max, shared.counters(), account))
        }
        (Started::Waiting(running), envelope) => Opened::Call(running, envelope),
    }
}
