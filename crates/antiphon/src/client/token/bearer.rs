//! Bearer token: its text, and when it expires.

use std::fmt;
use std::time::SystemTime;

/// A bearer token (RFC 6750) for [`ClientBuilder::bearer`](crate::client::ClientBuilder::bearer) and
/// [`bearer_from`](crate::client::ClientBuilder::bearer_from).
///
/// It has 1 to 16,384 characters: ASCII without spaces and control characters. Another text is an
/// error of the client, not of this type. `Debug` does not show it.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use antiphon::client::BearerToken;
///
/// let token = BearerToken::new("eyJhbGciOi").until(SystemTime::now() + Duration::from_secs(300));
/// assert!(!format!("{token:?}").contains("eyJ"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BearerToken {
    pub(super) text: Box<str>,
    pub(super) until: Option<SystemTime>,
}

impl BearerToken {
    /// A token that does not tell when it expires.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self {
            text: text.into(),
            until: None,
        }
    }

    /// Sets when it expires. Shortly before, a provider is asked for the next one.
    #[must_use]
    pub fn until(mut self, time: SystemTime) -> Self {
        self.until = Some(time);
        self
    }
}

impl<T: Into<Box<str>>> From<T> for BearerToken {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerToken")
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}
