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

use antiphon_proto::{Entry, ErrorCode, ErrorObject, Incoming, Rules, message, parse};
use bytes::Bytes;

use crate::call::CallLimits;
use crate::router::{Endpoint, Router, RouterError};
use crate::scope::{Connection, InFlight, Scope, Transport};
use crate::tree::Tree;
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
    in_process: Arc<Scope>,
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
        let in_flight = Arc::<InFlight>::default();
        let connection = Connection::new(Transport::InProcess, None);
        let in_process = Scope::new(frozen.tree, in_flight, connection, true);
        Ok(Dispatcher::of(
            frozen.endpoint,
            Arc::new(in_process),
            limits,
        ))
    }
}

impl Dispatcher {
    fn of(endpoint: Endpoint, in_process: Arc<Scope>, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            endpoint,
            rules: Rules::default().max_batch(limits.max_batch),
            call_limits: CallLimits {
                max_result: limits.max_response,
                timeout: limits.call_timeout,
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

    /// Answers a message from this process: a call, a notification or a batch.
    ///
    /// `None` if there is nothing to answer. Dropping the future cancels what still runs. It must be
    /// polled inside a tokio runtime with its timer enabled if a method has to wait for anything.
    pub async fn handle(&self, message: impl Into<Bytes>) -> Option<Bytes> {
        let scope = Arc::clone(&self.0.in_process);
        let answer = self.dispatch(message.into(), scope).await;
        answer.map(Bytes::from)
    }

    /// Everything that can be called here.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.0.in_process.tree
    }

    /// How many calls are waiting for something right now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.0.in_process.in_flight.count()
    }

    /// The place a message on this connection comes from.
    #[cfg(feature = "http")]
    pub(crate) fn scope(&self, connection: Arc<Connection>, local: bool) -> Scope {
        let Scope {
            tree, in_flight, ..
        } = &*self.0.in_process;
        Scope::new(tree.clone(), Arc::clone(in_flight), connection, local)
    }

    /// Answers a message. Calls that are ready at once are answered at the first poll.
    pub(crate) fn dispatch(&self, message: Bytes, scope: Arc<Scope>) -> Dispatch<'_> {
        Dispatch {
            shared: &self.0,
            state: State::New(message, scope),
        }
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

/// The future answer to one message.
pub(crate) struct Dispatch<'a> {
    shared: &'a Shared,
    state: State,
}

enum State {
    New(Bytes, Arc<Scope>),
    Call(Running, Echo),
    Batch(Box<Batch>),
    Done,
}

impl Future for Dispatch<'_> {
    type Output = Option<Vec<u8>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let answer = match &mut this.state {
            State::New(..) => {
                let State::New(message, scope) = std::mem::replace(&mut this.state, State::Done)
                else {
                    return Poll::Ready(None);
                };
                match this.shared.open(message, scope, cx) {
                    Opened::Answer(answer) => return Poll::Ready(answer),
                    Opened::Call(running, echo) => {
                        // It has been polled once, and waits.
                        this.state = State::Call(running, echo);
                        return Poll::Pending;
                    }
                    Opened::Batch(batch) => {
                        this.state = State::Batch(batch);
                        return self.poll(cx);
                    }
                }
            }
            State::Call(running, echo) => {
                let reply = ready!(running.poll(cx));
                echo.finish(reply, this.shared.limits.max_response)
            }
            State::Batch(batch) => ready!(batch.poll(this.shared, cx)),
            State::Done => None,
        };
        this.state = State::Done;
        Poll::Ready(answer)
    }
}

/// What came of reading a message.
enum Opened {
    Answer(Option<Vec<u8>>),
    Call(Running, Echo),
    Batch(Box<Batch>),
}

impl Shared {
    /// Reads a message and starts it.
    fn open(&self, message: Bytes, scope: Arc<Scope>, cx: &mut Context<'_>) -> Opened {
        match parse(message, &self.rules) {
            Ok(Incoming::Single(Entry::Request(request))) => {
                let buffer = Vec::with_capacity(ANSWER_SIZE);
                let (started, echo) = start(self, scope, request, self.call_limits, buffer, cx);
                match started {
                    Started::Replied(reply) => {
                        Opened::Answer(echo.finish(reply, self.limits.max_response))
                    }
                    Started::Waiting(running) => Opened::Call(running, echo),
                }
            }
            Ok(Incoming::Single(entry)) => Opened::Answer(Some(refuse(&entry))),
            Ok(Incoming::Batch(entries)) => Opened::Batch(Box::new(Batch::new(entries, scope))),
            Err(rejection) => {
                tracing::debug!("a message was rejected: {rejection}");
                let mut answer = Vec::new();
                message::write_error(&mut answer, b"null", &rejection.error());
                Opened::Answer(Some(answer))
            }
        }
    }
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
