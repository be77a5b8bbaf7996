//! Futures of whole messages: [`Dispatch`] borrows its dispatcher, [`Work`] owns its state.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use antiphon_proto::{Entry, ErrorCode, Incoming, Rejection, parse};
use bytes::Bytes;

use super::answer::{ANSWER_SIZE, Answered, refuse, reject};
use super::batch::Batch;
use super::elsewhere::{Parsing, goes_elsewhere};
use super::envelope::Envelope;
use super::exchange::{self, Redirected};
use super::rate_check::Denial;
use super::run::{Running, Started, start};
use super::shared::Shared;
use crate::call::Reply;
use crate::call_origin::{Connection, Origin};
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
        origin: &Arc<Origin>,
        buffer: Vec<u8>,
        cancels: Option<&Arc<Cancels>>,
        cx: &mut Context<'_>,
    ) -> Self {
        let state = match entry {
            Incoming::Single(entry) => {
                let connection = &origin.connection;
                let origin = Arc::clone(origin);
                match open_single(&shared, entry, connection, origin, buffer, cx) {
                    Opened::Answer(answered) => return Self::Answered(answered),
                    Opened::Call(running, envelope) => State::Call(running, envelope),
                }
            }
            Incoming::Batch(entries) => {
                let origin = Arc::clone(origin);
                let mut batch = Box::new(Batch::new(
                    entries,
                    origin,
                    cancels.cloned(),
                    shared.audit.clone(),
                ));
                match batch.poll(&shared, cx) {
                    Poll::Ready(answered) => return Self::Answered(answered),
                    Poll::Pending => State::Batch(batch),
                }
            }
        };
        Self::Waiting(Work {
            shared,
            account: Arc::clone(&origin.connection.memory),
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
    connection: &'a Connection,
    stage: Stage,
}

/// What has become of a message.
enum Stage {
    New(Bytes, Arc<Origin>),
    /// It is large, and parsed on another thread.
    Parsing(Parsing, Arc<Origin>),
    Begun(State),
}

/// A message that was parsed.
enum State {
    Call(Running, Envelope),
    Batch(Box<Batch>),
    Done,
}

impl<'a> Dispatch<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        message: Bytes,
        origin: Arc<Origin>,
        connection: &'a Connection,
    ) -> Self {
        Self {
            shared,
            connection,
            stage: Stage::New(message, origin),
        }
    }

    /// Starts a parsed message and polls it once.
    fn begin(
        &mut self,
        parsed: Result<Incoming, Rejection>,
        origin: Arc<Origin>,
        cx: &mut Context<'_>,
    ) -> Poll<Answered> {
        match parsed {
            Ok(Incoming::Single(entry)) => {
                let buffer = Vec::with_capacity(ANSWER_SIZE);
                match open_single(self.shared, entry, self.connection, origin, buffer, cx) {
                    Opened::Answer(answered) => Poll::Ready(answered),
                    Opened::Call(running, envelope) => {
                        // It was polled once already, and is pending.
                        self.stage = Stage::Begun(State::Call(running, envelope));
                        Poll::Pending
                    }
                }
            }
            Ok(Incoming::Batch(entries)) => {
                let audit = self.shared.audit.clone();
                let mut batch = State::Batch(Box::new(Batch::new(entries, origin, None, audit)));
                let polled = batch.poll(self.shared, &self.connection.memory, cx);
                self.stage = Stage::Begun(batch);
                polled
            }
            Err(rejection) => Poll::Ready(Answered {
                code: Some(rejection.error().code()),
                ..reject(&rejection).into()
            }),
        }
    }
}

impl Future for Dispatch<'_> {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered> {
        let this = &mut *self;
        if let Stage::Begun(state) = &mut this.stage {
            return state.poll(this.shared, &this.connection.memory, cx);
        }
        let (message, origin) = match std::mem::replace(&mut this.stage, Stage::Begun(State::Done))
        {
            Stage::New(message, origin) if goes_elsewhere(message.len()) => {
                let rules = this.shared.rules.clone();
                (Err(this.shared.threads.parse(message, rules)), origin)
            }
            Stage::New(message, origin) => (Ok(message), origin),
            Stage::Parsing(parsing, origin) => (Err(parsing), origin),
            Stage::Begun(_) => return Poll::Ready(Answered::default()),
        };
        let parsed = match message {
            Ok(message) => parse(message, &this.shared.rules),
            Err(mut parsing) => match parsing.as_mut().poll(cx) {
                Poll::Ready(parsed) => parsed,
                Poll::Pending => {
                    this.stage = Stage::Parsing(parsing, origin);
                    return Poll::Pending;
                }
            },
        };
        this.begin(parsed, origin, cx)
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
    connection: &Connection,
    origin: Arc<Origin>,
    buffer: Vec<u8>,
    cx: &mut Context<'_>,
) -> Opened {
    let Entry::Request(request) = entry else {
        return Opened::Answer(Answered {
            code: Some(ErrorCode::INVALID_REQUEST),
            ..refuse(&entry).into()
        });
    };
    let limits = shared.call_limits;
    let started = 'begun: {
        let (request, exchanged) = match &shared.mcp {
            None => (request, None),
            Some(service) => {
                match exchange::begin(shared, service, connection, &origin, request, limits, cx) {
                    Redirected::Call(request, exchanged) => (request, Some(exchanged)),
                    Redirected::Own(begun) => break 'begun *begun,
                }
            }
        };
        // The only place from which single calls start, so that this is compiled into it.
        start(
            shared, connection, origin, request, exchanged, limits, buffer, cx,
        )
    };
    match started {
        (Started::Replied(reply), mut envelope) => {
            let max = shared.limits.max_response;
            Opened::Answer(envelope.finish(reply, max, shared.counters(), &connection.memory))
        }
        (Started::Waiting(running), envelope) => Opened::Call(running, envelope),
        (Started::Denied(denial), mut envelope) => {
            let Denial { error, denied, .. } = *denial;
            let (reply, max) = (Reply::error(error), shared.limits.max_response);
            let mut answered = envelope.finish(reply, max, shared.counters(), &connection.memory);
            answered.denied = answered.text.is_some().then(|| Box::new(denied));
            Opened::Answer(answered)
        }
    }
}
