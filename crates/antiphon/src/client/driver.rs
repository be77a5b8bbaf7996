//! Connection of a client that uses a session: opened on demand, watched, and reopened when it is
//! lost.
//!
//! One task owns the connection. It belongs to the client: dropping the last clone closes it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use antiphon_proto::ErrorObject;
use http::StatusCode;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::connect::refusal;
use super::connection_state::State;
use super::reconnect::Reconnect;
use super::session_authentication::{AuthenticationFault, SessionAuthentication, is_refused};
use super::session_connector::{ConnectedSession, SessionConnector};
use super::unserved::Unserved;
use crate::error::Printable;
use crate::router::BoxError;
use crate::session_state::{End, SessionHandle};

/// After so many connections in a row on which nothing was sent, a client waits for the next call.
const MAX_UNUSED: u32 = 2;

/// How many connections whose servers stop may be open beside the one in use.
const MAX_RETIRED: usize = 8;

/// Why there is no session.
#[derive(Debug)]
pub(super) enum SessionError {
    /// Connecting to this place failed.
    Connect(Box<str>, BoxError),
    /// An HTTP server has rejected the WebSocket handshake.
    Refused(StatusCode, String),
    /// There is no token, or the server has refused it.
    Unauthenticated(AuthenticationFault),
    /// No server serves the method of a session: what a call of it would be answered with.
    Unserved(ErrorObject),
    /// The session has ended, and there will be no other.
    Over(Arc<End>),
}

/// Opens and keeps the connection of a client. Dropping it closes the connection.
pub(super) struct Driver {
    pub(super) core: Arc<Core>,
}

pub(super) struct Core {
    pub(super) connector: SessionConnector,
    pub(super) authentication: Option<SessionAuthentication>,
    reconnect: Option<Reconnect>,
    pub(super) tells_deadlines: bool,
    /// Whether each call connects by itself, instead of waiting for the reconnection.
    pub(super) on_demand: AtomicBool,
    pub(super) state: watch::Sender<State>,
    /// Tells the task that a call waits for a connection.
    wanted: Notify,
    tasks: Mutex<Tasks>,
}

#[derive(Default)]
struct Tasks {
    /// What opens and drives the connection.
    current: Option<AbortHandle>,
    /// Connections whose servers stop. Their tasks only drive them.
    retired: Vec<SessionHandle>,
}

impl Driver {
    pub(super) fn new(
        connector: SessionConnector,
        authentication: Option<SessionAuthentication>,
        reconnect: Option<Reconnect>,
        tells_deadlines: bool,
    ) -> Self {
        Self {
            core: Arc::new(Core {
                connector,
                authentication,
                reconnect,
                tells_deadlines,
                on_demand: AtomicBool::new(false),
                state: watch::Sender::new(State::Idle),
                wanted: Notify::new(),
                tasks: Mutex::default(),
            }),
        }
    }

    /// The session: connects if there is none yet, and waits while it is connecting.
    pub(super) async fn handle(&self) -> Result<SessionHandle, SessionError> {
        let mut states = self.core.state.subscribe();
        // A failure from before this call does not count.
        let mut begun = self.core.begin();
        loop {
            let state = states.borrow_and_update().clone();
            let is_lost = matches!(state, State::Lost(_));
            match state {
                State::Open(handle) if handle.end().is_none() => {
                    return Ok(handle);
                }
                State::Lost(end) if self.core.reconnect().is_none() => {
                    if begun || !self.core.on_demand.load(Ordering::Relaxed) {
                        return Err(SessionError::Over(end));
                    }
                    self.core.begin();
                    begun = true;
                    continue;
                }
                State::Failed(error) if begun => {
                    if let Some((status, text)) = refusal(&error) {
                        return Err(SessionError::Refused(status, text.to_owned()));
                    }
                    if let Some(Unserved(answer)) = error.downcast_ref() {
                        return Err(SessionError::Unserved(answer.clone()));
                    }
                    match error.downcast_ref() {
                        None | Some(AuthenticationFault::Unanswered(_)) => {}
                        Some(fault) => return Err(SessionError::Unauthenticated(fault.clone())),
                    }
                    let place = self.core.connector.place().into();
                    return Err(SessionError::Connect(place, Box::new(Shared(error))));
                }
                State::Idle | State::Failed(_) => begun = self.core.begin() || begun,
                _ => begun = true,
            }
            if is_lost {
                self.core.wanted.notify_one();
            }
            // This cannot fail: the sender is in `core`.
            let _ = states.changed().await;
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let tasks = std::mem::take(&mut *self.core.tasks());
        let state = self.core.state.borrow().clone();
        tasks.retired.iter().for_each(SessionHandle::shut_down);
        match (state, tasks.current) {
            // The task ends when everything is written.
            (State::Open(handle), _) => handle.shut_down(),
            (_, Some(task)) => task.abort(),
            _ => {}
        }
    }
}

impl Core {
    /// The policy of reconnecting, if calls wait for it.
    pub(super) fn reconnect(&self) -> Option<&Reconnect> {
        let waits = !self.on_demand.load(Ordering::Relaxed);
        self.reconnect.as_ref().filter(|_| waits)
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the task, unless it is running, or has ended and does not reconnect. Returns whether
    /// it was started.
    fn begin(self: &Arc<Self>) -> bool {
        let mut tasks = self.tasks();
        if tasks
            .current
            .as_ref()
            .is_some_and(|task| !task.is_finished())
        {
            return false;
        }
        if matches!(&*self.state.borrow(), State::Lost(_) | State::Open(_))
            && self.reconnect.is_none()
            && !self.on_demand.load(Ordering::Relaxed)
        {
            return false;
        }
        self.state.send_replace(State::Connecting(1));
        tasks.current = Some(tokio::spawn(Arc::clone(self).run()).abort_handle());
        true
    }

    /// Opens another connection in the place of this one, whose server stops: calls on it still get their
    /// results, and nothing new is sent. Returns false if it cannot, because many such connections are
    /// open.
    pub(super) fn retire(self: &Arc<Self>, handle: &SessionHandle) -> bool {
        let mut tasks = self.tasks();
        let is_open = match &*self.state.borrow() {
            State::Open(current) => current.is(handle) && current.end().is_none(),
            _ => false,
        };
        let on_demand = self.on_demand.load(Ordering::Relaxed);
        if !is_open || (self.reconnect.is_none() && !on_demand) {
            return true;
        }
        if tasks.retired.len() >= MAX_RETIRED {
            return false;
        }
        tracing::debug!("{} stops", self.connector.place());
        tasks.retired.push(handle.clone());
        let Some(reconnect) = self.reconnect() else {
            self.state.send_replace(State::Idle);
            tasks.current = None;
            return true;
        };
        self.state.send_replace(State::Connecting(1));
        // The clients of a server do not all connect at once.
        let (core, pause) = (Arc::clone(self), reconnect.pause(0));
        let running = async move {
            sleep(pause).await;
            core.run().await;
        };
        tasks.current = Some(tokio::spawn(running).abort_handle());
        true
    }

    /// Tells that a connection is lost, unless it was retired. Returns whether its task goes on.
    fn lose(&self, handle: &SessionHandle, end: Arc<End>) -> bool {
        // Under one lock, so that a caller that sees the loss can start a new task.
        let mut tasks = self.tasks();
        if let Some(place) = tasks.retired.iter().position(|other| other.is(handle)) {
            tasks.retired.swap_remove(place);
            return false;
        }
        let goes_on = !end.ours && self.reconnect().is_some();
        self.state.send_replace(State::Lost(end));
        if !goes_on {
            tasks.current = None;
        }
        goes_on
    }

    fn is_current(&self, handle: &SessionHandle) -> bool {
        matches!(&*self.state.borrow(), State::Open(current) if current.is(handle))
    }

    /// Connects, and authenticates the session if there is a token.
    async fn open(&self) -> Result<ConnectedSession, BoxError> {
        match &self.authentication {
            None => self.connector.connect(None).await,
            Some(authentication) => authentication.open(&self.connector).await,
        }
    }

    /// How many messages with tokens were sent.
    fn told(&self) -> u64 {
        (self.authentication.as_ref()).map_or(0, SessionAuthentication::told)
    }

    async fn run(self: Arc<Self>) {
        let mut attempt = 0;
        // Connections in a row that were ended because the server misbehaved: to connect at once
        // would only let it go on.
        let mut faults: u32 = 0;
        let mut unused = 0;
        loop {
            self.state.send_replace(State::Connecting(attempt + 1));
            let told = self.told();
            match self.open().await {
                Ok(ConnectedSession {
                    handle,
                    mut session,
                }) => {
                    attempt = 0;
                    tracing::debug!("connected to {}", self.connector.place());
                    self.state.send_replace(State::Open(handle.clone()));
                    let end = match &self.authentication {
                        None => session.await,
                        Some(authentication) => {
                            let is_current = || self.is_current(&handle);
                            (authentication.accompany(&mut session, &handle, is_current)).await
                        }
                    };
                    tracing::debug!("the connection has ended: {}", Printable(&end.reason));
                    let was_used = handle.sent() > self.told() - told;
                    unused = if was_used { 0 } else { unused + 1 };
                    faults = match end.misbehaved {
                        true => faults.saturating_add(1),
                        false => 0,
                    };
                    if !self.lose(&handle, end) {
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!("no connection to {}: {error}", self.connector.place());
                    let is_refused = self.authentication.is_some() && is_refused(&error);
                    let failed = State::Failed(Arc::new(error));
                    let last = |max: u32| attempt + 1 >= max;
                    if self
                        .reconnect()
                        .is_none_or(|r| is_refused || r.max_attempts.is_some_and(last))
                    {
                        // Under one lock, so that a caller that sees the failure can start a new
                        // task.
                        let mut tasks = self.tasks();
                        self.state.send_replace(failed);
                        tasks.current = None;
                        return;
                    }
                    attempt += 1;
                }
            }
            let Some(reconnect) = &self.reconnect else {
                return;
            };
            if unused >= MAX_UNUSED {
                // Nobody needs a connection at the moment.
                self.wanted.notified().await;
                unused = 0;
            }
            sleep(reconnect.pause(attempt.saturating_add(faults))).await;
        }
    }
}

/// An error shared by several callers.
#[derive(Debug)]
struct Shared(Arc<BoxError>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
