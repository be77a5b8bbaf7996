//! Bytes → calls → bytes: the only place that knows messages and batches.
//!
//! Every call with an id gets exactly one answer, whatever happens to it; a notification gets none.
//! Panics, deadlines and the count of calls in flight are guarded here, around the layers.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Dispatcher`]: one message in, at most one message out |
//! | `limits.rs` | [`Limits`]: what a dispatcher allows |
//! | `run.rs` | one call: start it, guard it, write its answer |
//! | `batch.rs` | many calls: bounded, concurrent, answered in order |

mod batch;
mod limits;
mod run;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use antiphon_proto::{Entry, ErrorCode, ErrorObject, Incoming, Rejection, Rules, message, parse};
use bytes::Bytes;

use crate::call::CallLimits;
use crate::connection::Cancels;
use crate::describe::Tree;
use crate::metrics::counters::{Counters, RouterState};
use crate::metrics::status::ServerStatus;
use crate::origin::{Connection, Origin, Transport};
use crate::router::{Endpoint, Router, RouterError};
use crate::subscription::Opening;
use batch::Batch;
pub use limits::Limits;
use run::{Echo, Running, Started, start};

/// Room for a usual answer, so that writing one does not grow its buffer step by step.
const ANSWER_SIZE: usize = 128;

/// A frozen router with its limits: takes messages, gives answers. Cheap to clone.
///
/// ```
/// use antiphon::Router;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let dispatcher = Router::default().method_fn("add", |a: f64, b: f64| a + b).build().unwrap();
///
/// let answer = dispatcher.handle(r#"{"jsonrpc":"2.0","id":"x","method":"add","params":[3,7]}"#).await;
/// assert_eq!(answer.unwrap(), r#"{"jsonrpc":"2.0","id":"x","result":10.0}"#);
///
/// let notification = dispatcher.handle(r#"{"jsonrpc":"2.0","method":"add","params":[3,7]}"#).await;
/// assert_eq!(notification, None);
/// # });
/// ```
#[derive(Clone)]
pub struct Dispatcher(Arc<Shared>);

struct Shared {
    endpoint: Endpoint,
    rules: Rules,
    limits: Limits,
    call_limits: CallLimits,
    /// Where calls of this process come from; it also has what all scopes share.
    in_process: Arc<Origin>,
}

impl Router {
    /// Freezes the router, with the default [`Limits`].
    ///
    /// # Errors
    ///
    /// All that is wrong with its names.
    pub fn build(self) -> Result<Dispatcher, RouterError> {
        self.build_with(Limits::default())
    }

    /// Freezes the router, with limits.
    ///
    /// # Errors
    ///
    /// All that is wrong with its names.
    pub fn build_with(self, limits: Limits) -> Result<Dispatcher, RouterError> {
        let frozen = self.freeze()?;
        let common = Arc::new(RouterState {
            counters: Arc::new(Counters::new(frozen.tree.len())),
            tree: frozen.tree,
        });
        let connection = Connection::new(Transport::InProcess, None);
        let in_process = Origin::new(common, connection, true);
        Ok(Dispatcher::of(
            frozen.endpoint,
            Arc::new(in_process),
            limits,
        ))
    }
}

impl Dispatcher {
    fn of(endpoint: Endpoint, in_process: Arc<Origin>, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            endpoint,
            rules: Rules::default().max_batch(limits.max_batch),
            call_limits: CallLimits {
                max_result: limits.max_response,
                timeout: limits.call_timeout,
                in_batch: false,
            },
            limits,
            in_process,
        }))
    }

    /// The same router with other limits. Calls in flight are counted together.
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self::of(
            self.0.endpoint.clone(),
            Arc::clone(&self.0.in_process),
            limits,
        )
    }

    /// The same router as a part of a server, with its limits.
    pub(crate) fn served(&self, server: &Arc<ServerStatus>, limits: Option<Limits>) -> Self {
        let limits = limits.unwrap_or_else(|| self.0.limits.clone());
        let Origin {
            common, connection, ..
        } = &*self.0.in_process;
        let mut in_process = Origin::new(Arc::clone(common), Arc::clone(connection), true);
        in_process.server = Some(Arc::clone(server));
        Self::of(self.0.endpoint.clone(), Arc::new(in_process), limits)
    }

    /// What its calls have in common.
    pub(crate) fn common(&self) -> Arc<RouterState> {
        Arc::clone(&self.0.in_process.common)
    }

    /// Answers a message from this process: a call, a notification or a batch.
    ///
    /// `None` if there is nothing to answer. Dropping the future cancels what still runs. It must be
    /// polled inside a tokio runtime with its timer enabled if a method has to wait for anything.
    pub async fn handle(&self, message: impl Into<Bytes>) -> Option<Bytes> {
        let origin = Arc::clone(&self.0.in_process);
        let answered = self.dispatch(message.into(), origin).await;
        answered.text.map(Bytes::from)
    }

    /// Everything that can be called here.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.0.in_process.common.tree
    }

    /// How many calls are waiting for something right now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.counters().in_flight()
    }

    /// The place a message on this connection comes from.
    pub(crate) fn origin(&self, connection: Arc<Connection>, local: bool) -> Origin {
        let common = Arc::clone(&self.0.in_process.common);
        Origin {
            server: self.0.in_process.server.clone(),
            ..Origin::new(common, connection, local)
        }
    }

    /// Answers a message. Calls that are ready at once are answered at the first poll.
    pub(crate) fn dispatch(&self, message: Bytes, origin: Arc<Origin>) -> Dispatch<'_> {
        Dispatch {
            shared: &self.0,
            state: State::New(message, origin),
        }
    }

    /// What a message is; an array may have as many entries as `max`, answers to calls of ours
    /// included.
    ///
    /// # Errors
    ///
    /// The answer to a message of which nothing runs.
    pub(crate) fn read(&self, message: Bytes, max: usize) -> Result<Incoming, Vec<u8>> {
        let rules = &self.0.rules;
        let read = if max <= rules.max_batch {
            parse(message, rules)
        } else {
            parse(message, &rules.clone().max_batch(max))
        };
        read.map_err(|rejection| reject(&rejection))
    }

    /// How many calls a batch may have.
    pub(crate) fn max_batch(&self) -> usize {
        self.0.limits.max_batch
    }

    /// How many calls a batch may run at a time.
    pub(crate) fn batch_concurrency(&self) -> usize {
        self.0.limits.batch_concurrency
    }

    /// Starts a message that was read before. What is ready at once is answered at once, in `buffer`
    /// if it is a single call; the rest waits on its own, and a batch hears of its `cancels`.
    pub(crate) fn begin(
        &self,
        entry: Incoming,
        origin: Arc<Origin>,
        buffer: Vec<u8>,
        cancels: Option<&Arc<Cancels>>,
        cx: &mut Context<'_>,
    ) -> Begun {
        let state = match entry {
            Incoming::Single(entry) => match self.0.open_single(entry, origin, buffer, cx) {
                Opened::Answer(answered) => return Begun::Answered(answered),
                Opened::Call(running, echo) => State::Call(running, echo),
            },
            Incoming::Batch(entries) => {
                let mut batch = Box::new(Batch::new(entries, origin, cancels.cloned()));
                match batch.poll(&self.0, cx) {
                    Poll::Ready(answered) => return Begun::Answered(answered),
                    Poll::Pending => State::Batch(batch),
                }
            }
        };
        Begun::Waiting(Work {
            shared: Arc::clone(&self.0),
            state,
        })
    }
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("endpoint", &self.0.endpoint)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

/// The answer to a message, and what follows it.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// `None` if there is nothing to answer.
    pub(crate) text: Option<Vec<u8>>,
    /// The subscriptions whose ids are in the answer.
    pub(crate) streams: Vec<Opening>,
}

impl From<Vec<u8>> for Answered {
    fn from(text: Vec<u8>) -> Self {
        Self {
            text: Some(text),
            streams: Vec::new(),
        }
    }
}

/// What came of starting a message.
pub(crate) enum Begun {
    Answered(Answered),
    Waiting(Work),
}

/// A message that waits, on its own.
pub(crate) struct Work {
    shared: Arc<Shared>,
    state: State,
}

impl Work {
    /// The id of a single call.
    pub(crate) fn id(&self) -> Option<&[u8]> {
        match &self.state {
            State::Call(_, echo) if !echo.is_notification() => {
                Some(echo.id()).filter(|id| *id != b"null")
            }
            _ => None,
        }
    }
}

impl Future for Work {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered> {
        let this = &mut *self;
        this.state.poll(&this.shared, cx)
    }
}

/// The future answer to one message, which borrows from its dispatcher.
pub(crate) struct Dispatch<'a> {
    shared: &'a Shared,
    state: State,
}

enum State {
    New(Bytes, Arc<Origin>),
    Call(Running, Echo),
    Batch(Box<Batch>),
    Done,
}

impl Future for Dispatch<'_> {
    type Output = Answered;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered> {
        let shared = self.shared;
        self.state.poll(shared, cx)
    }
}

impl State {
    fn poll(&mut self, shared: &Shared, cx: &mut Context<'_>) -> Poll<Answered> {
        let answered = match self {
            Self::New(..) => {
                let Self::New(message, origin) = std::mem::replace(self, Self::Done) else {
                    return Poll::Ready(Answered::default());
                };
                match parse(message, &shared.rules) {
                    Ok(Incoming::Single(entry)) => {
                        let buffer = Vec::with_capacity(ANSWER_SIZE);
                        match shared.open_single(entry, origin, buffer, cx) {
                            Opened::Answer(answered) => return Poll::Ready(answered),
                            Opened::Call(running, echo) => {
                                // It has been polled once, and waits.
                                *self = Self::Call(running, echo);
                                return Poll::Pending;
                            }
                        }
                    }
                    Ok(Incoming::Batch(entries)) => {
                        *self = Self::Batch(Box::new(Batch::new(entries, origin, None)));
                        return self.poll(shared, cx);
                    }
                    Err(rejection) => return Poll::Ready(reject(&rejection).into()),
                }
            }
            Self::Call(running, echo) => {
                let reply = ready!(running.poll(shared, cx));
                echo.finish(reply, shared.limits.max_response, shared.counters())
            }
            Self::Batch(batch) => ready!(batch.poll(shared, cx)),
            Self::Done => Answered::default(),
        };
        *self = Self::Done;
        Poll::Ready(answered)
    }
}

/// What came of starting a single entry.
enum Opened {
    Answer(Answered),
    Call(Running, Echo),
}

impl Shared {
    fn counters(&self) -> &Arc<Counters> {
        &self.in_process.common.counters
    }

    /// The name of a method by its index, for the log.
    fn method_name(&self, route: usize) -> String {
        let method = self.in_process.common.tree.method(route);
        method.map_or_else(String::new, |method| method.name().to_owned())
    }

    fn open_single(
        &self,
        entry: Entry,
        origin: Arc<Origin>,
        buffer: Vec<u8>,
        cx: &mut Context<'_>,
    ) -> Opened {
        let Entry::Request(request) = entry else {
            return Opened::Answer(refuse(&entry).into());
        };
        match start(self, origin, request, self.call_limits, buffer, cx) {
            (Started::Replied(reply), echo) => {
                Opened::Answer(echo.finish(reply, self.limits.max_response, self.counters()))
            }
            (Started::Waiting(running), echo) => Opened::Call(running, echo),
        }
    }
}

/// The answer to a message of which nothing runs.
fn reject(rejection: &Rejection) -> Vec<u8> {
    tracing::debug!("a message was rejected: {rejection}");
    let mut answer = Vec::new();
    message::write_error(&mut answer, b"null", &rejection.error());
    answer
}

/// What is no request is answered as one that is invalid; an answer where nobody asked, too.
fn refuse(entry: &Entry) -> Vec<u8> {
    let (id, reason) = match entry {
        Entry::Invalid(invalid) => (invalid.id(), invalid.reason()),
        Entry::Response(response) => (response.id(), "an answer to no call"),
        Entry::Request(request) => (request.id().unwrap_or("null"), ""),
    };
    tracing::debug!("an invalid request: {reason}");
    let mut answer = Vec::new();
    message::write_error(
        &mut answer,
        id.as_bytes(),
        &ErrorObject::of(ErrorCode::INVALID_REQUEST),
    );
    answer
}
