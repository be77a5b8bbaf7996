//! Reconnecting: the connection of a client that uses a session is opened on demand, watched, and
//! reopened when it is lost.
//!
//! One task owns the connection. It belongs to the client: dropping the last clone closes it.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::connect::refusal;
use super::session_connector::{ConnectedSession, SessionConnector};
use crate::error::Printable;
use crate::router::BoxError;
use crate::session_state::{End, SessionHandle};

/// How a client reconnects after its connection was lost: exponential backoff with full jitter.
///
/// A server ends a connection that is idle, and sooner one that carries no message at all. So a
/// client that has sent nothing on two connections in a row waits for the next call before it
/// reconnects.
///
/// The upper bound of the pause doubles with each attempt. Each pause is a random fraction of it,
/// so that clients that were disconnected together do not reconnect together.
///
/// ```
/// use std::time::Duration;
/// use antiphon::client::Reconnect;
///
/// let reconnect = Reconnect::default().max_attempts(5);
/// assert_eq!(reconnect.max_pause, Duration::from_secs(10));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reconnect {
    /// The upper bound of the first pause. Default: 100 ms.
    pub first_pause: Duration,
    /// The upper bound of every pause. Default: 10 s.
    pub max_pause: Duration,
    /// The most attempts in a row; `None` retries for as long as the client exists. Default:
    /// `None`.
    pub max_attempts: Option<u32>,
}

/// After so many connections in a row on which nothing was sent, a client waits for the next call.
const MAX_UNUSED: u32 = 2;

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(100),
            max_pause: Duration::from_secs(10),
            max_attempts: None,
        }
    }
}

impl Reconnect {
    /// Sets [`first_pause`](Self::first_pause).
    #[must_use]
    pub fn first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// Sets [`max_pause`](Self::max_pause).
    #[must_use]
    pub fn max_pause(mut self, pause: Duration) -> Self {
        self.max_pause = pause;
        self
    }

    /// Sets [`max_attempts`](Self::max_attempts).
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = Some(attempts);
        self
    }

    /// A random pause before this attempt.
    fn pause(&self, attempt: u32) -> Duration {
        let max = self.first_pause.saturating_mul(1 << attempt.min(20));
        let max = max.min(self.max_pause);
        // A hash with fresh random keys is a random number.
        let random = RandomState::new().hash_one(attempt) >> 32;
        max.mul_f64(random as f64 / f64::from(u32::MAX))
    }
}

/// The state of a client's connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Not connected yet; the first call connects.
    Idle,
    /// Connecting; the number counts attempts in a row, from 1.
    Connecting(u32),
    /// Connected.
    Open,
    /// The connection was lost or could not be opened; the text says why, on one line. A client with
    /// [`Reconnect`] keeps trying.
    Lost(String),
}

/// Watches the connection of a client; see [`Client::connection`](super::Client::connection).
///
/// ```no_run
/// # async fn example() -> Result<(), antiphon::client::Error> {
/// use antiphon::client::{Client, ConnectionState, Reconnect};
///
/// let client = Client::builder("tcp://localhost:8061").reconnect(Reconnect::default()).build()?;
/// let mut connection = client.connection();
/// tokio::spawn(async move {
///     while let Some(state) = connection.changed().await {
///         if let ConnectionState::Lost(reason) = state {
///             eprintln!("the connection is gone: {reason}");
///         }
///     }
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ConnectionWatch(watch::Receiver<State>);

impl ConnectionWatch {
    /// A watch for clients without a connection of their own; it never changes.
    pub(super) fn none() -> Self {
        Self(watch::channel(State::Idle).1)
    }

    /// The current state.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.0.borrow().public()
    }

    /// Waits for the next state; short-lived states may be skipped. Returns `None` when the client
    /// is dropped, and always for clients over HTTP, whose connections are pooled.
    pub async fn changed(&mut self) -> Option<ConnectionState> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().public())
    }
}

#[derive(Clone, Debug)]
enum State {
    Idle,
    Connecting(u32),
    Open(SessionHandle),
    /// The connection was lost.
    Lost(Arc<End>),
    /// The connection could not be opened.
    Failed(Arc<BoxError>),
}

impl State {
    fn public(&self) -> ConnectionState {
        match self {
            Self::Idle => ConnectionState::Idle,
            Self::Connecting(attempt) => ConnectionState::Connecting(*attempt),
            Self::Open(_) => ConnectionState::Open,
            Self::Lost(end) => ConnectionState::Lost(Printable(&end.reason).to_string()),
            Self::Failed(error) => ConnectionState::Lost(Printable(error).to_string()),
        }
    }
}

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

    pub(super) fn reconnects(&self) -> bool {
        match self {
            Self::Own(driver) => driver.core.reconnect.is_some(),
            Self::Peer(_) => false,
        }
    }

    pub(super) fn tells_deadlines(&self) -> bool {
        match self {
            Self::Own(driver) => driver.core.tells_deadlines,
            Self::Peer(_) => true,
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
    reconnect: Option<Reconnect>,
    tells_deadlines: bool,
    state: watch::Sender<State>,
    /// Tells the task that a call waits for a connection.
    wanted: Notify,
    task: Mutex<Option<AbortHandle>>,
}

impl Driver {
    pub(super) fn new(
        connector: SessionConnector,
        reconnect: Option<Reconnect>,
        tells_deadlines: bool,
    ) -> Self {
        Self {
            core: Arc::new(Core {
                connector,
                reconnect,
                tells_deadlines,
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
                State::Lost(end) if self.core.reconnect.is_none() => {
                    return Err(SessionError::Over(end));
                }
                State::Failed(error) if begun => {
                    if let Some((status, text)) = refusal(&error) {
                        return Err(SessionError::Refused(status, text.to_owned()));
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
        {
            return false;
        }
        self.state.send_replace(State::Connecting(1));
        *task = Some(tokio::spawn(Arc::clone(self).run()).abort_handle());
        true
    }

    async fn run(self: Arc<Self>) {
        let mut attempt = 0;
        // Connections in a row that were ended because the server misbehaved: to connect at once
        // would only let it go on.
        let mut faults: u32 = 0;
        let mut unused = 0;
        loop {
            self.state.send_replace(State::Connecting(attempt + 1));
            match self.connector.connect().await {
                Ok(ConnectedSession { handle, session }) => {
                    attempt = 0;
                    tracing::debug!("connected to {}", self.connector.place());
                    self.state.send_replace(State::Open(handle.clone()));
                    let end = session.await;
                    unused = if handle.has_sent() { 0 } else { unused + 1 };
                    tracing::debug!("the connection has ended: {}", Printable(&end.reason));
                    let ours = end.ours;
                    faults = match end.misbehaved {
                        true => faults.saturating_add(1),
                        false => 0,
                    };
                    self.state.send_replace(State::Lost(end));
                    if ours {
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!("no connection to {}: {error}", self.connector.place());
                    let failed = State::Failed(Arc::new(error));
                    let last = |max: u32| attempt + 1 >= max;
                    if self
                        .reconnect
                        .as_ref()
                        .is_none_or(|r| r.max_attempts.is_some_and(last))
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
