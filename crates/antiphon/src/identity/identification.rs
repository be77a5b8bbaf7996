//! Identification: what is known of the caller of a message.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::authenticator::{AuthenticationError, Authenticators};
use super::credentials::Credentials;
use super::subject::Identity;
use crate::address::client_address::ClientAddress;

/// How many tokens of a session may be refused before it ends.
const MAX_REFUSED: u8 = 5;

/// What is known of a caller.
#[derive(Clone, Debug, Default)]
pub(crate) enum Identification {
    /// The server has no authenticators, or the caller is this program: nothing is asked.
    #[default]
    Unasked,
    /// The caller of one request, who has presented nothing.
    Anonymous,
    /// The caller of one request.
    Known(Identity),
    /// The peer of a session.
    Session(Arc<SessionIdentity>),
}

impl Identification {
    /// Of the caller of one request.
    pub(crate) fn of(identity: Option<Identity>) -> Self {
        identity.map_or(Self::Anonymous, Self::Known)
    }

    /// Of the peer of a session from this address, which may authenticate itself later.
    pub(crate) fn of_session(
        authenticators: &Authenticators,
        client: ClientAddress,
        identity: Option<Identity>,
    ) -> Self {
        if authenticators.is_empty() {
            return Self::Unasked;
        }
        Self::Session(Arc::new(SessionIdentity {
            authenticators: authenticators.clone(),
            client,
            current: Mutex::new(identity),
            refused: AtomicU8::new(0),
            attempt: tokio::sync::Mutex::default(),
        }))
    }

    /// The identity, as long as it holds.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let identity = match self {
            Self::Unasked | Self::Anonymous => None,
            Self::Known(identity) => Some(identity.clone()),
            Self::Session(session) => session.lock().clone(),
        };
        identity.filter(|identity| !identity.is_expired())
    }

    /// Whether so many tokens of a session were refused that it should end.
    pub(crate) fn is_guessing(&self) -> bool {
        matches!(self, Self::Session(session) if session.is_guessing())
    }

    /// Whether the caller is asked who it is.
    pub(crate) fn is_asked(&self) -> bool {
        !matches!(self, Self::Unasked)
    }

    /// Whether the caller is asked who it is, and has not said.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.is_asked() && self.identity().is_none()
    }
}

/// The identity of the peer of a session, which `rpc.authenticate` may change.
#[derive(Debug)]
pub(crate) struct SessionIdentity {
    authenticators: Authenticators,
    /// Whose refused tokens count together, whatever their sessions.
    client: ClientAddress,
    current: Mutex<Option<Identity>>,
    refused: AtomicU8,
    /// One attempt at a time: otherwise many could be made before the first one counts.
    attempt: tokio::sync::Mutex<()>,
}

/// How an attempt to authenticate a session has ended, if it was not successful.
#[derive(Debug)]
pub(crate) enum Attempt {
    Refused,
    Unavailable,
    /// Too many tokens from the same address were refused; another one is looked at after this time.
    Limited(Duration),
}

impl SessionIdentity {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Identity>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes on the identity of a token. If it is refused, the one before holds.
    pub(crate) async fn authenticate(&self, token: &str) -> Result<Identity, Attempt> {
        let _attempt = self.attempt.lock().await;
        if self.is_guessing() {
            return Err(Attempt::Refused);
        }
        let credentials = Credentials::of_token(token);
        let client = || self.client;
        let refused = match self.authenticators.authenticate(&credentials, client).await {
            Ok(Some(identity)) => {
                *self.lock() = Some(identity.clone());
                self.refused.store(0, Ordering::Relaxed);
                return Ok(identity);
            }
            Ok(None) => AuthenticationError::refused("nobody knows the credentials"),
            Err(error) => error,
        };
        tracing::debug!(
            "a token was refused: {}",
            antiphon_proto::Printable(&refused)
        );
        if let Some(wait) = refused.retry_after() {
            return Err(Attempt::Limited(wait));
        }
        if refused.is_unavailable() {
            return Err(Attempt::Unavailable);
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        Err(Attempt::Refused)
    }

    /// Whether so many tokens were refused that the peer seems to guess.
    fn is_guessing(&self) -> bool {
        self.refused.load(Ordering::Relaxed) >= MAX_REFUSED
    }
}
