//! Connection of a client that uses a session: opened on demand, watched, and reopened when it is
//! lost.
//!
//! One task owns the connection. It belongs to the client: dropping the last clone closes it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::connect::refusal;
use super::connection_state::{ConnectionWatch, State};
use super::reconnect::Reconnect;
use super::session_authentication::{AuthenticationFault, SessionAuthentication, is_refused};
use super::session_connector::{ConnectedSession, SessionConnector};
use crate::error::Printable;
use crate::router::BoxError;
use crate::session_state::{End, SessionHandle};

/// After so many connections in a row on which nothing was sent, a client waits for the next call.
const MAX_UNUSED: u32 = 2;

/// Where a client gets its session from.
pub(super) enum SessionSource {
    /// The client's own connection.
    Own(Driver),
    /// The session of the call that a method is answering.
    Peer(SessionHandle),
}

/// Why there is no session.
#[derive(Debug)]
pub(super) enum SessionError {
    /// Connecting to this place failed.
    Connect(Box<str>, BoxError),
    /// An HTTP server has rejected the WebSocket handshake.
    Refused(StatusCode, String),
    /// There is no token, or the server has refused it.
    Unauthenticated(AuthenticationFault),
    /// The session has ended, and there will be no other.
    Over(Arc<End>),
}

impl SessionSource {
    pub(super) async fn handle(&self) -> Result<SessionHandle, SessionError> {
        match self {
            Self::Own(driver) => driver.handle().await,
            Self::Peer(handle) => match handle.end() {
                Some(end) => Err(SessionError::Over(end)),
                None => Ok(handle.clone()),
            },
        }
    }

    /// The session, if it is open and need not be waited for.
    pub(super) fn open_handle(&self) -> Option<SessionHandle> {
        match self {
            Self::Own(driver) => match &*driver.core.state.borrow() {
                State::Open(handle) => Some(handle.clone()),
                _ => None,
            },
            Self::Peer(handle) => Some(handle.clone()),
        }
    }

    pub(super) fn reconnects(&self) -> bool {
        match self {
            Self::Own(driver) => driver.core.reconnect().is_some(),
            Self::Peer(_) => false,
        }
    }

    /// From now on a call does not wait while the connection is lost: it connects, and fails if that
    /// fails. For a client that is one of several, whose calls can go elsewhere.
    pub(super) fn connect_on_demand(&self) {
        if let Self::Own(driver) = self {
            driver.core.on_demand.store(true, Ordering::Relaxed);
        }
    }

    /// The pause before another attempt at what has failed so often; `None` if the client does not try
    /// again.
    pub(super) fn pause(&self, attempt: u32) -> Option<Duration> {
        let Self::Own(driver) = self else {
            return None;
        };
        let reconnect = driver.core.reconnect()?;
        let may = reconnect
            .max_attempts
            .is_none_or(|max| attempt.saturating_add(1) < max);
        may.then(|| reconnect.pause(attempt))
    }

    /// Waits until a session of the client's own connection is over.
    pub(super) async fn until_over(&self, handle: &SessionHandle) {
        let Self::Own(driver) = self else {
            return;
        };
        let mut states = driver.core.state.subscribe();
        // The session ends first, and then the state changes.
        while handle.end().is_none() {
            // This cannot fail: the sender is in `core`.
            let _ = states.changed().await;
        }
    }

    pub(super) fn tells_deadlines(&self) -> bool {
        match self {
            Self::Own(driver) => driver.core.tells_deadlines,
            Self::Peer(_) => true,
        }
    }

    /// Whether messages are sent on behalf of the caller of the method that sends them.
    pub(super) fn forwards_identity(&self) -> bool {
        match self {
            Self::Own(driver) => driver.core.connector.forwards_identity(),
            Self::Peer(_) => false,
        }
    }

    /// The number of the token of this session, if a refused one can be replaced.
    pub(super) fn token_number(&self) -> Option<u64> {
        match self {
            Self::Own(driver) => driver.core.authentication.as_ref()?.number(),
            Self::Peer(_) => None,
        }
    }

    /// Replaces a token that was refused.
    pub(super) async fn renew_token(
        &self,
        handle: &SessionHandle,
        number: u64,
    ) -> Result<(), AuthenticationFault> {
        match self {
            Self::Own(Driver { core }) => match &core.authentication {
                Some(authentication) => authentication.renew(handle, number).await,
                None => Ok(()),
            },
            Self::Peer(_) => Ok(()),
        }
    }

    pub(super) fn watch(&self) -> ConnectionWatch {
        match self {
            Self::Own(driver) => ConnectionWatch(driver.core.state.subscribe()),
            Self::Peer(_) => ConnectionWatch::none(),
        }
    }
}

/// Opens and keeps the connection of a client. Dropping it closes the connection.
pub(super) struct Driver {
    core: Arc<Core>,
}

struct Core {
    connector: SessionConnector,
    authentication: Option<SessionAuthentication>,
    reconnect: Option<Reconnect>,
    tells_deadlines: bool,
    /// Whether each call connects by itself, instead of waiting for the reconnection.
    on_demand: AtomicBool,
    state: watch::Sender<State>,
    /// Tells the task that a call waits for a connection.
    wanted: Notify,
    task: Mutex<Option<AbortHandle>>,
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
                task: Mutex::default(),
            }),
        }
    }

    /// The session: connects if there is none yet, and waits while it is connecting.
    async fn handle(&self) -> Result<SessionHandle, SessionError> {
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
        let task = self.core.task().take();
        let state = self.core.state.borrow().clone();
        match (state, task) {
            // The task ends when everything is written.
            (State::Open(handle), _) => handle.shut_down(),
            (_, Some(task)) => task.abort(),
            _ => {}
        }
    }
}

impl Core {
    /// The policy of reconnecting, if calls wait for it.
    fn reconnect(&self) -> Option<&Reconnect> {
        let waits = !self.on_demand.load(Ordering::Relaxed);
        self.reconnect.as_ref().filter(|_| waits)
    }

    fn task(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the task, unless it is running, or has ended and does not reconnect. Returns whether
    /// it was started.
    fn begin(self: &Arc<Self>) -> bool {
        let mut task = self.task();
        if task.as_ref().is_some_and(|task| !task.is_finished()) {
            return false;
        }
        if matches!(&*self.state.borrow(), State::Lost(_) | State::Open(_))
            && self.reconnect.is_none()
            && !self.on_demand.load(Ordering::Relaxed)
        {
            return false;
        }
        self.state.send_replace(State::Connecting(1));
        *task = Some(tokio::spawn(Arc::clone(self).run()).abort_handle());
        true
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
                            authentication.accompany(&mut session, &handle).await
                        }
                    };
                    let was_used = handle.sent() > self.told() - told;
                    unused = if was_used { 0 } else { unused + 1 };
                    tracing::debug!("the connection has ended: {}", Printable(&end.reason));
                    let ours = end.ours;
                    faults = match end.misbehaved {
                        true => faults.saturating_add(1),
                        false => 0,
                    };
                    // Under one lock, so that a caller that sees the loss can start a new task.
                    let mut task = self.task();
                    self.state.send_replace(State::Lost(end));
                    if ours || self.reconnect().is_none() {
                        *task = None;
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
                        let mut task = self.task();
                        self.state.send_replace(failed);
                        *task = None;
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
