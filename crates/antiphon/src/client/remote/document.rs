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
use crate::client::error::{Error, ErrorKind};
use crate::client::handle::Client;
use crate::current_call::CurrentCall;
use crate::describe::{RemoteMethods, RemoteSource};
use crate::error::Printable;
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
    /// When it is asked again.
    due: Option<Instant>,
    asking: Option<AbortHandle>,
}

/// What a request for a description has found.
enum Found {
    Methods(RemoteMethods),
    /// The server has none, or none that can be used.
    None,
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
            if state.has_answered {
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
        match state.has_answered {
            true => Ok(state.methods.clone()),
            false => Err(fault::unavailable(false)),
        }
    }

    /// Asks again if it is time to.
    fn refresh(self: &Arc<Self>) {
        let due = self.state().due;
        if due.is_none_or(|due| due <= Instant::now()) {
            self.ask();
        }
    }

    /// Asks in a task of its own, unless one does so already. The task ends with this.
    fn ask(self: &Arc<Self>) {
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
        let now = Instant::now();
        let mut state = self.state();
        // Another one may be begun as soon as somebody hears that this one has ended.
        state.asking = None;
        match found {
            Found::Away => {}
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
        state.due = self
            .limits
            .interval
            .and_then(|pause| now.checked_add(pause));
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
                ErrorKind::Refused(_) => return Found::None,
                _ => Err(error.to_string()),
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

/// A description for the documents of a router.
pub(super) struct Source(pub(super) Arc<Documents>);

impl RemoteSource for Source {
    fn described(&self) -> Option<(u64, Arc<RemoteMethods>)> {
        self.0.refresh();
        let state = self.0.state();
        Some((state.number, Arc::clone(state.methods.as_ref()?)))
    }
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").finish_non_exhaustive()
    }
}
