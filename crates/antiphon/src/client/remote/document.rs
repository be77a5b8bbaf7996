//! Description of another server's methods: asked for at the first call, and again from time to time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use antiphon_proto::ErrorObject;
use serde_json::value::RawValue;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::fault;
use crate::client::error::{Error, ErrorKind, Reason};
use crate::client::handle::Client;
use crate::current_call::CurrentCall;
use crate::describe::RemoteMethods;
use crate::error::{Printable, not_run};
use crate::identity::Principal;

/// The name that the OpenRPC specification gives to the method that describes all others.
const DISCOVER: &str = "rpc.discover";

/// How long the other server may take to describe its methods.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How much of a description is taken, and how often it is asked for.
#[derive(Clone, Debug)]
pub(super) struct DocumentLimits {
    /// `None` if it is never asked for.
    pub(super) interval: Option<Duration>,
    pub(super) max_bytes: usize,
    pub(super) max_methods: usize,
}

/// After which time a server is asked again that did not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// What a server has told of its methods.
pub(super) enum Told {
    Methods(Arc<RemoteMethods>),
    /// It has answered that it tells nothing, or nothing of use.
    None,
    /// It has not answered yet.
    Silent,
}

/// What is known of another server's methods.
pub(super) struct Documents {
    /// A client for all of its methods.
    client: Client,
    /// What the names begin with that are forwarded.
    prefix: Box<str>,
    limits: DocumentLimits,
    state: Mutex<State>,
    /// How many requests have ended.
    ended: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    methods: Option<Arc<RemoteMethods>>,
    /// The number of that description.
    number: u64,
    /// Whether the server has answered once, with a description or without one.
    has_answered: bool,
    /// Whether it was asked and has not answered in time, so that calls need not wait for that.
    was_silent: bool,
    /// When it is asked again.
    due: Option<Instant>,
    asking: Option<AbortHandle>,
}

/// What a request for a description has found.
enum Found {
    Methods(RemoteMethods),
    /// The server has none, or none that can be used.
    None,
    /// It has got the request, perhaps, and has not answered.
    Silent,
    Away,
}

impl Documents {
    pub(super) fn new(client: Client, prefix: &str, limits: DocumentLimits) -> Self {
        Self {
            client,
            prefix: prefix.into(),
            limits,
            state: Mutex::default(),
            ended: watch::Sender::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known, also of a server that could not be asked anew. Nobody can tell whether a method
    /// opens a subscription before the server has answered once, so the first calls wait for that.
    ///
    /// # Errors
    ///
    /// If the server has never answered, and cannot be reached.
    pub(super) async fn known(self: &Arc<Self>) -> Result<Option<Arc<RemoteMethods>>, ErrorObject> {
        if self.limits.interval.is_none() {
            return Ok(None);
        }
        let mut ended = self.ended.subscribe();
        let before = *ended.borrow_and_update();
        {
            let state = self.state();
            if state.has_answered || state.was_silent {
                let methods = state.methods.clone();
                drop(state);
                self.refresh();
                return Ok(methods);
            }
        }
        self.ask();
        while *ended.borrow_and_update() == before {
            if ended.changed().await.is_err() {
                break;
            }
        }
        let state = self.state();
        match state.has_answered || state.was_silent {
            true => Ok(state.methods.clone()),
            false => Err(fault::unavailable(false)),
        }
    }

    /// What the server has told, as far as it is known now.
    pub(super) fn told(self: &Arc<Self>) -> Told {
        let state = self.state();
        let told = match (&state.methods, state.has_answered) {
            (Some(methods), _) => Told::Methods(Arc::clone(methods)),
            (None, true) => Told::None,
            (None, false) => Told::Silent,
        };
        drop(state);
        if !matches!(told, Told::Silent) {
            self.refresh();
        }
        told
    }

    /// The description as it is known now, and its number.
    pub(super) fn described(self: &Arc<Self>) -> Option<(u64, Arc<RemoteMethods>)> {
        self.refresh();
        let state = self.state();
        Some((state.number, Arc::clone(state.methods.as_ref()?)))
    }

    /// Whether the server is ever asked.
    pub(super) fn is_asked(&self) -> bool {
        self.limits.interval.is_some()
    }

    /// Asks again if it is time to.
    pub(super) fn refresh(self: &Arc<Self>) {
        let due = self.state().due;
        if due.is_none_or(|due| due <= Instant::now()) {
            self.ask();
        }
    }

    /// Asks in a task of its own, unless one does so already. The task ends with this.
    pub(super) fn ask(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else {
            return;
        };
        let mut state = self.state();
        let is_asking = state
            .asking
            .as_ref()
            .is_some_and(|task| !task.is_finished());
        if self.limits.interval.is_none() || is_asking {
            return;
        }
        let asking = ask(Arc::downgrade(self), self.client.clone());
        state.asking = Some(runtime.spawn(asking).abort_handle());
    }

    /// Takes note of an answer.
    fn note(&self, answer: Result<Box<RawValue>, Error>) {
        let found = self.read(answer);
        let is_told = matches!(found, Found::Methods(_) | Found::None);
        let now = Instant::now();
        let mut state = self.state();
        // Another one may be begun as soon as somebody hears that this one has ended.
        state.asking = None;
        match found {
            Found::Away => {}
            Found::Silent => state.was_silent = true,
            Found::None => state.has_answered = true,
            Found::Methods(methods) => {
                let known = state.methods.as_ref();
                if known.is_none_or(|known| known.document.get() != methods.document.get()) {
                    state.methods = Some(Arc::new(methods));
                    state.number += 1;
                }
                state.has_answered = true;
            }
        }
        let pause = self.limits.interval.map(|pause| match is_told {
            true => pause,
            false => pause.min(AGAIN),
        });
        state.due = pause.and_then(|pause| now.checked_add(pause));
        drop(state);
        self.ended.send_modify(|count| *count += 1);
    }

    fn read(&self, answer: Result<Box<RawValue>, Error>) -> Found {
        let max = self.limits.max_bytes;
        let read = match answer {
            Ok(text) if text.get().len() > max => Err(format!("it has more than {max} bytes")),
            Ok(text) => RemoteMethods::read(text, &self.prefix, self.limits.max_methods),
            Err(error) => match error.kind() {
                ErrorKind::NotSent => return Found::Away,
                // Many servers do not describe themselves.
                ErrorKind::Refused(error) if !is_passing(error) => return Found::None,
                _ => match error.reason() {
                    Some(Reason::TooLong(_) | Reason::Decode(_) | Reason::Answer(_)) => {
                        Err(error.to_string())
                    }
                    _ => {
                        let text = error.to_string();
                        tracing::warn!(
                            "a server whose methods are forwarded does not describe them: {}",
                            Printable(&text)
                        );
                        return Found::Silent;
                    }
                },
            },
        };
        match read {
            Ok(methods) => Found::Methods(methods),
            Err(fault) => {
                tracing::warn!(
                    "the OpenRPC document of a server whose methods are forwarded is ignored: {}",
                    Printable(&fault)
                );
                Found::None
            }
        }
    }
}

/// Whether a server says that it refuses because of what goes on there, so that it may tell its methods a
/// little later. The code alone does not: other servers mean something else by it.
fn is_passing(error: &ErrorObject) -> bool {
    not_run(error).is_some() || error.retry_after().is_some()
}

async fn ask(documents: Weak<Documents>, client: Client) {
    // Nobody in particular asks: a client that forwards identities shows what is public.
    let nobody = CurrentCall {
        caller: Some(Principal::nobody()),
        ..CurrentCall::default()
    };
    let call = client.call::<Box<RawValue>>(DISCOVER, ()).timeout(TIMEOUT);
    let answer = nobody.scope(call.into_future()).await;
    if let Some(documents) = documents.upgrade() {
        documents.note(answer);
    }
}

impl Drop for Documents {
    fn drop(&mut self) {
        if let Some(task) = self.state().asking.take() {
            task.abort();
        }
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").finish_non_exhaustive()
    }
}
