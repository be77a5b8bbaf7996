//! Authenticators: they turn credentials into an identity, one after the other.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::credentials::Credentials;
use super::subject::Identity;

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
}

/// Why credentials are refused. The reason goes to the log at level `debug`, not to the caller.
#[derive(Debug)]
pub struct AuthenticationError {
    reason: String,
    unavailable: bool,
}

impl AuthenticationError {
    /// The credentials are no good: HTTP 401, and error −32006 on a session.
    pub fn refused(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            reason,
            unavailable: false,
        }
    }

    /// The credentials cannot be checked now: HTTP 503, and error −32000 on a session.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            reason,
            unavailable: true,
        }
    }

    /// Whether the same credentials may be good later.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.unavailable
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
}

impl<A: Authenticator> Erased for A {
    fn ask<'a>(
        &'a self,
        credentials: &'a Credentials,
    ) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(self.authenticate(credentials))
    }
}

/// The authenticators of a server, in their order.
#[derive(Clone, Default)]
pub(crate) struct Authenticators {
    all: Arc<Vec<Arc<dyn Erased>>>,
    /// How many callers may be asked at the same time.
    places: Arc<Places>,
}

struct Places(Semaphore);

impl Default for Places {
    fn default() -> Self {
        Self(Semaphore::new(MAX_ASKED))
    }
}

impl Authenticators {
    pub(crate) fn push(&mut self, authenticator: impl Authenticator) {
        Arc::make_mut(&mut self.all).push(Arc::new(authenticator));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The identity of the first one that knows the credentials; `None` for an anonymous caller.
    pub(crate) async fn authenticate(&self, credentials: &Credentials) -> Verdict {
        let Ok(_place) = self.places.0.try_acquire() else {
            let reason = "too many callers are asked who they are";
            return Err(AuthenticationError::unavailable(reason));
        };
        let asking = timeout(TIMEOUT, self.ask(credentials));
        match asking.await {
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
                    true => Err(AuthenticationError::refused("the identity has expired")),
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
            let found = match both.authenticate(&credentials).await {
                Ok(Some(identity)) => identity.subject().to_owned(),
                Ok(None) => "anonymous".to_owned(),
                Err(error) if error.is_unavailable() => "unavailable".to_owned(),
                Err(_) => "refused".to_owned(),
            };
            assert_eq!(found, expected, "{token:?}");
        }
    }
}
