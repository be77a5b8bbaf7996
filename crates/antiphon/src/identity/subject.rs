//! Identity of a caller: subject, scopes, claims, expiry.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};

/// A caller that an [`Authenticator`](crate::Authenticator) knows. Cheap to clone.
///
/// ```
/// use antiphon::Identity;
///
/// let reader = Identity::new("reports").scope("accounts:read").scope("calc:random");
/// assert_eq!(reader.subject(), "reports");
/// assert!(reader.has_scope("calc:random") && !reader.has_scope("calc"));
/// ```
#[derive(Clone, PartialEq)]
pub struct Identity(Arc<Inner>);

#[derive(Clone, PartialEq)]
struct Inner {
    subject: Arc<str>,
    scopes: Vec<Box<str>>,
    claims: Map<String, Value>,
    expires_at: Option<SystemTime>,
}

impl Identity {
    /// An identity without scopes, which does not expire. The subject names the caller to
    /// methods and in rate limits; no two callers should have the same.
    pub fn new(subject: impl Into<Arc<str>>) -> Self {
        Self(Arc::new(Inner {
            subject: subject.into(),
            scopes: Vec::new(),
            claims: Map::new(),
            expires_at: None,
        }))
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Adds a scope.
    #[must_use]
    pub fn scope(self, scope: impl Into<Box<str>>) -> Self {
        self.scopes_from([scope])
    }

    /// Adds scopes.
    #[must_use]
    pub fn scopes_from<S: Into<Box<str>>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.change(|inner| inner.scopes.extend(scopes.into_iter().map(Into::into)))
    }

    /// Sets further claims, for the methods of the program.
    #[must_use]
    pub fn claims_from(self, claims: Map<String, Value>) -> Self {
        self.change(|inner| inner.claims = claims)
    }

    /// Sets when the identity ends. From then on calls that need one get error −32006.
    #[must_use]
    pub fn until(self, time: SystemTime) -> Self {
        self.change(|inner| inner.expires_at = Some(time))
    }

    /// The name of the caller.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The name of the caller, for those that keep it.
    pub(crate) fn shared_subject(&self) -> Arc<str> {
        Arc::clone(&self.0.subject)
    }

    /// The scopes, in the order in which they were added.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.0.scopes.iter().map(|scope| &**scope)
    }

    /// Whether it has this scope. Scopes are compared as a whole: `calc` does not include
    /// `calc:random`.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|known| known == scope)
    }

    /// A claim: what a token says beside subject, scopes and expiry.
    #[must_use]
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.0.claims.get(name)
    }

    /// All claims.
    #[cfg(feature = "nats")]
    pub(crate) fn claims(&self) -> &Map<String, Value> {
        &self.0.claims
    }

    /// When it ends; `None` if it does not.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expires_at
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        (self.0.expires_at).is_some_and(|end| end <= SystemTime::now())
    }
}

/// Claims may be personal, so they are not shown.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("subject", &self.subject())
            .field("scopes", &self.0.scopes)
            .field("expires_at", &self.0.expires_at)
            .finish_non_exhaustive()
    }
}
