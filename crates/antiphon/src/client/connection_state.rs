//! State of a client's connection, as its user watches it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::Printable;
use crate::router::BoxError;
use crate::session_state::{End, SessionHandle};

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
    /// [`Reconnect`](crate::client::Reconnect) keeps trying.
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
pub struct ConnectionWatch(pub(super) watch::Receiver<State>);

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

/// The state with everything that calls need of it.
#[derive(Clone, Debug)]
pub(super) enum State {
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
