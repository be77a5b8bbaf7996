//! Tokens of a client: a fixed one, or those of a provider, which is asked by one call for all.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::bearer::BearerToken;
use super::grant::Grant;
use crate::router::BoxError;

/// How long a provider may take, whoever waits for it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a provider that has failed is not asked again, as long as the old token is good.
const PAUSE: Duration = Duration::from_secs(5);

type Asking = Pin<Box<dyn Future<Output = Result<BearerToken, BoxError>> + Send>>;

/// A function that fetches a token.
pub(in crate::client) type Provider = Arc<dyn Fn() -> Asking + Send + Sync>;

/// Why there is no token. Shared by all calls that have waited for it.
#[derive(Clone, Debug)]
pub(in crate::client) struct TokenFault(Arc<BoxError>);

impl TokenFault {
    fn new(error: impl Into<BoxError>) -> Self {
        Self(Arc::new(error.into()))
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for TokenFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

type Outcome = Result<Arc<Grant>, TokenFault>;

/// The tokens of a client.
pub(in crate::client) enum Tokens {
    Fixed(Arc<Grant>),
    Provided(Provided),
}

/// The tokens of a provider.
pub(in crate::client) struct Provided {
    provider: Provider,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    grant: Option<Arc<Grant>>,
    /// How often the provider was asked.
    asked: u64,
    request: Option<Request>,
    /// When the provider may be asked before it must.
    ready_at: Option<Instant>,
}

/// A request to the provider. It has a task of its own, so that no call that goes away interrupts
/// it: a provider may lose what it was about to receive.
struct Request {
    outcome: watch::Receiver<Option<Outcome>>,
    _task: AbortOnDropHandle<()>,
}

impl Tokens {
    /// A token that never changes.
    ///
    /// # Errors
    ///
    /// If the token cannot be sent.
    pub(in crate::client) fn fixed(token: BearerToken) -> Result<Self, &'static str> {
        Grant::new(token, 1).map(|grant| Self::Fixed(Arc::new(grant)))
    }

    pub(in crate::client) fn provided(provider: Provider) -> Self {
        Self::Provided(Provided {
            provider,
            state: Mutex::default(),
        })
    }

    /// Whether there may be another token than the current one.
    pub(in crate::client) fn are_renewed(&self) -> bool {
        matches!(self, Self::Provided(_))
    }

    /// The token for a call. An old one is used until the next one is there, but not beyond its end.
    pub(in crate::client) async fn current(&self) -> Outcome {
        match self {
            Self::Fixed(grant) => Ok(Arc::clone(grant)),
            Self::Provided(provided) => match provided.at_hand() {
                Ok(grant) => Ok(grant),
                Err(request) => outcome_of(request).await,
            },
        }
    }

    /// A token behind this one, for a server that has refused it; `None` if there will be none.
    pub(in crate::client) async fn after(
        &self,
        number: u64,
    ) -> Result<Option<Arc<Grant>>, TokenFault> {
        let Self::Provided(provided) = self else {
            return Ok(None);
        };
        let outcome = match provided.newer_than(number) {
            Ok(grant) => Ok(grant),
            Err(request) => outcome_of(request).await,
        };
        outcome.map(Some)
    }
}

impl Provided {
    /// The token for now, or what to wait for.
    fn at_hand(&self) -> Result<Arc<Grant>, watch::Receiver<Option<Outcome>>> {
        let mut state = self.lock();
        let now = Instant::now();
        match state.grant.clone() {
            Some(grant) if !grant.is_expired(now) => {
                if grant.is_old(now) && state.ready_at.is_none_or(|at| at <= now) {
                    self.ask(&mut state);
                }
                Ok(grant)
            }
            _ => Err(self.ask(&mut state)),
        }
    }

    fn newer_than(&self, number: u64) -> Result<Arc<Grant>, watch::Receiver<Option<Outcome>>> {
        let mut state = self.lock();
        match &state.grant {
            Some(grant) if grant.number > number => Ok(Arc::clone(grant)),
            _ => Err(self.ask(&mut state)),
        }
    }

    /// The state, with the outcome of a request that has ended.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = state.request.as_ref().and_then(|request| {
            // A task that was aborted leaves no outcome.
            let is_over = request.outcome.has_changed().is_err();
            let outcome = request.outcome.borrow().clone();
            outcome.or_else(|| is_over.then(|| Err(aborted())))
        });
        if let Some(outcome) = ended {
            state.request = None;
            match outcome {
                Ok(grant) => state.grant = Some(grant),
                Err(_) => state.ready_at = Instant::now().checked_add(PAUSE),
            }
        }
        state
    }

    /// Joins the request to the provider, or begins one.
    fn ask(&self, state: &mut State) -> watch::Receiver<Option<Outcome>> {
        if let Some(request) = &state.request {
            return request.outcome.clone();
        }
        state.asked += 1;
        let (number, provider) = (state.asked, Arc::clone(&self.provider));
        let (tell, outcome) = watch::channel(None);
        let task = tokio::spawn(async move {
            let told = match timeout(TIMEOUT, async { provider().await }).await {
                Ok(Ok(token)) => Grant::new(token, number).map_err(TokenFault::new),
                Ok(Err(error)) => Err(TokenFault::new(error)),
                Err(_) => Err(TokenFault::new("the provider takes longer than 30 s")),
            };
            if let Err(fault) = &told {
                tracing::debug!(
                    "there is no new token: {}",
                    antiphon_proto::Printable(fault)
                );
            }
            tell.send_replace(Some(told.map(Arc::new)));
        });
        state.request = Some(Request {
            outcome: outcome.clone(),
            _task: AbortOnDropHandle::new(task),
        });
        outcome
    }
}

fn aborted() -> TokenFault {
    TokenFault::new("the provider has panicked, or its runtime has ended")
}

async fn outcome_of(mut request: watch::Receiver<Option<Outcome>>) -> Outcome {
    match request.wait_for(Option::is_some).await {
        Ok(outcome) => outcome.clone().unwrap_or_else(|| Err(aborted())),
        Err(_) => Err(aborted()),
    }
}
