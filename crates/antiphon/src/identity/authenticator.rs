//! Authenticators: they turn credentials into an identity, one after the other.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::credentials::Credentials;
use super::subject::Identity;
use crate::address::client_address::ClientAddress;
use crate::rate_limit::{Guesses, Outcome};

/// How long all authenticators of a server may take for one caller.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How many callers of a server may be asked at the same time who they are.
const MAX_ASKED: usize = 1024;

/// Turns [`Credentials`] into an [`Identity`].
///
/// ```
/// use antiphon::{AuthenticationError, Authenticator, Credentials, Identity, Router, Server};
///
/// struct OneKey;
///
/// impl Authenticator for OneKey {
///     async fn authenticate(
///         &self,
///         credentials: &Credentials,
///     ) -> Result<Option<Identity>, AuthenticationError> {
///         let headers = credentials.headers();
///         let key = headers.and_then(|headers| headers.get("x-api-key"));
///         match key {
///             Some(key) if key == "7f3a" => Ok(Some(Identity::new("the partner"))),
///             Some(_) => Err(AuthenticationError::refused("an unknown key")),
///             None => Ok(None),
///         }
///     }
/// }
///
/// let server = Server::new(Router::new()).authenticate(OneKey);
/// ```
pub trait Authenticator: Send + Sync + 'static {
    /// Says who the caller is. `None` means that the credentials are of another kind: then the next
    /// authenticator is asked, and without one the caller is anonymous, unless it has presented
    /// something, which is then refused.
    ///
    /// A secret should be compared in a time that does not depend on how much of it is right. All
    /// authenticators together have ten seconds for one caller.
    ///
    /// # Errors
    ///
    /// [`AuthenticationError`], if the credentials are of this kind and no good, or cannot be checked
    /// now. The caller is refused; nothing that it sends runs.
    fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> impl Future<Output = Result<Option<Identity>, AuthenticationError>> + Send;

    /// The authorization server that makes the tokens which it takes: its issuer identifier, if there is
    /// one. Clients of the Model Context Protocol are told (RFC 9728), so that they can get a token there.
    fn issuer(&self) -> Option<&str> {
        None
    }
}

/// Why credentials are refused. The reason goes to the log at level `debug`, not to the caller.
#[derive(Debug)]
pub struct AuthenticationError {
    reason: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Refused,
    /// They were good once, so nobody has guessed them.
    Expired,
    Unavailable,
    /// Nobody was asked: the address has presented too many that were refused.
    Limited(Duration),
}

impl AuthenticationError {
    /// The credentials are no good: HTTP 401, and error −32006 on a session.
    pub fn refused(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            reason,
            kind: Kind::Refused,
        }
    }

    /// The credentials were good, and are not any more. That is told like a refusal, and does not count to
    /// the limit of refused credentials: whoever had them does not guess.
    pub fn expired(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            reason,
            kind: Kind::Expired,
        }
    }

    /// The credentials cannot be checked now: HTTP 503, and error −32000 on a session.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            reason,
            kind: Kind::Unavailable,
        }
    }

    /// The credentials are not looked at before this time has passed.
    fn limited(wait: Duration) -> Self {
        Self {
            reason: "the address has presented too many that were refused".to_owned(),
            kind: Kind::Limited(wait),
        }
    }

    /// Whether the same credentials may be good later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::Limited(_))
    }

    /// The time until the credentials are looked at, if too many others were refused.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            Kind::Limited(wait) => Some(wait),
            Kind::Refused | Kind::Expired | Kind::Unavailable => None,
        }
    }
}

impl fmt::Display for AuthenticationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for AuthenticationError {}

type Verdict = Result<Option<Identity>, AuthenticationError>;

/// An authenticator whose type is erased.
trait Erased: Send + Sync {
    fn ask<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

    fn issued_by(&self) -> Option<&str>;
}

impl<A: Authenticator> Erased for A {
    fn ask<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(self.authenticate(credentials))
    }

    fn issued_by(&self) -> Option<&str> {
        self.issuer()
    }
}

/// The authenticators of a server, in their order.
#[derive(Clone, Default)]
pub(crate) struct Authenticators {
    all: Arc<Vec<Arc<dyn Erased>>>,
    /// What all that are asked share.
    shared: Arc<Shared>,
}

struct Shared {
    /// How many callers may be asked at the same time.
    places: Semaphore,
    guesses: Guesses,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            places: Semaphore::new(MAX_ASKED),
            guesses: Guesses::default(),
        }
    }
}

impl Authenticators {
    pub(crate) fn push(&mut self, authenticator: impl Authenticator) {
        Arc::make_mut(&mut self.all).push(Arc::new(authenticator));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The authorization servers that make tokens for this server.
    pub(crate) fn issuers(&self) -> impl Iterator<Item = &str> {
        self.all.iter().filter_map(|one| one.issued_by())
    }

    /// The identity of the first one that knows the credentials; `None` for an anonymous caller. If
    /// they are refused, that counts to the address that `client` finds. Beyond its limit nobody is
    /// asked.
    pub(crate) async fn authenticate(
        &self,
        credentials: &Credentials,
        client: impl Fn() -> ClientAddress,
    ) -> Verdict {
        let attempt = self.shared.guesses.attempt(credentials.tried(), client);
        let attempt = attempt.map_err(AuthenticationError::limited)?;
        let verdict = self.ask_in_time(credentials).await;
        attempt.end(match &verdict {
            Ok(Some(_)) => Outcome::Known,
            Ok(None) => Outcome::Open,
            Err(error) => match error.kind {
                Kind::Refused => Outcome::Refused,
                Kind::Expired | Kind::Unavailable | Kind::Limited(_) => Outcome::Open,
            },
        });
        verdict
    }

    /// Asks, and needs a place and a timer only if that has to wait for something.
    async fn ask_in_time(&self, credentials: &Credentials) -> Verdict {
        let mut asking = pin!(self.ask(credentials));
        let first = poll_fn(|cx| Poll::Ready(asking.as_mut().poll(cx)));
        if let Poll::Ready(verdict) = first.await {
            return verdict;
        }
        let Ok(_place) = self.shared.places.try_acquire() else {
            let reason = "too many callers are asked who they are";
            return Err(AuthenticationError::unavailable(reason));
        };
        match timeout(TIMEOUT, asking).await {
            Ok(verdict) => verdict,
            Err(_) => Err(AuthenticationError::unavailable(
                "an authenticator takes too long",
            )),
        }
    }

    async fn ask(&self, credentials: &Credentials) -> Verdict {
        for authenticator in self.all.iter() {
            if let Some(identity) = authenticator.ask(credentials).await? {
                return match identity.is_expired() {
                    true => Err(AuthenticationError::expired("the identity has expired")),
                    false => Ok(Some(identity)),
                };
            }
        }
        match credentials.is_presented() {
            true => Err(AuthenticationError::refused("nobody knows the credentials")),
            false => Ok(None),
        }
    }
}

impl fmt::Debug for Authenticators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} authenticators", self.all.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    /// Knows one token; `busy` cannot be checked, `slow` takes for ever.
    struct Knows(&'static str);

    impl Authenticator for Knows {
        async fn authenticate(&self, credentials: &Credentials) -> Verdict {
            match credentials.bearer() {
                Some("slow") => std::future::pending().await,
                Some("busy") => Err(AuthenticationError::unavailable("busy")),
                Some("old") => Ok(Some(Identity::new("old").until(SystemTime::UNIX_EPOCH))),
                Some(token) if token == self.0 => Ok(Some(Identity::new(self.0))),
                _ => Ok(None),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_that_knows_the_caller_decides() {
        let mut both = Authenticators::default();
        both.push(Knows("a"));
        both.push(Knows("b"));
        for (token, expected) in [
            (Some("a"), "a"),
            (Some("b"), "b"),
            (None, "anonymous"),
            (Some("c"), "refused"),
            (Some("old"), "refused"),
            (Some("busy"), "unavailable"),
            (Some("slow"), "unavailable"),
        ] {
            let credentials = token.map_or_else(Credentials::default, Credentials::of_token);
            let found = match both
                .authenticate(&credentials, || ClientAddress::None)
                .await
            {
                Ok(Some(identity)) => identity.subject().to_owned(),
                Ok(None) => "anonymous".to_owned(),
                Err(error) if error.is_unavailable() => "unavailable".to_owned(),
                Err(_) => "refused".to_owned(),
            };
            assert_eq!(found, expected, "{token:?}");
        }
    }
}
