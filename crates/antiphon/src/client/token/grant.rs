//! Token in use: the header that carries it, its number, and its times.

use std::fmt;
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use tokio::time::Instant;

use super::bearer::BearerToken;

/// The most bytes in a token.
const MAX_TOKEN: usize = 16 * 1024;

/// A token is replaced this long before it expires, or earlier by a tenth of its time if that is
/// shorter.
const MARGIN: Duration = Duration::from_secs(30);

/// A token in use.
pub(in crate::client) struct Grant {
    /// `Bearer …`, marked as sensitive.
    pub(in crate::client) header: HeaderValue,
    text: Box<str>,
    /// Which token of the client it is, from 1.
    pub(in crate::client) number: u64,
    expiry: Option<Expiry>,
}

/// When a token ends, by both clocks: the system's may be set, and the other may stand still while
/// the machine sleeps.
struct Expiry {
    time: SystemTime,
    instant: Instant,
    /// From when on the next token should be fetched.
    old: Instant,
}

impl Grant {
    /// Checks a token that has just come.
    ///
    /// # Errors
    ///
    /// A text that says why the token cannot be sent. It does not show the token.
    pub(in crate::client) fn new(token: BearerToken, number: u64) -> Result<Self, &'static str> {
        let text = token.text;
        if text.is_empty() {
            return Err("the token is empty");
        }
        if text.len() > MAX_TOKEN {
            return Err("the token is longer than 16 KiB");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the token has characters that a token cannot have");
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {text}"))
            .map_err(|_| "the token cannot be sent in a header")?;
        header.set_sensitive(true);
        let expiry = token.until.and_then(Expiry::at);
        Ok(Self {
            header,
            text,
            number,
            expiry,
        })
    }

    pub(in crate::client) fn text(&self) -> &str {
        &self.text
    }

    /// From when on the next token should be fetched; `None` if it does not expire.
    pub(in crate::client) fn old_at(&self) -> Option<Instant> {
        self.expiry.as_ref().map(|expiry| expiry.old)
    }

    /// Whether the next token should be fetched.
    pub(super) fn is_old(&self, now: Instant) -> bool {
        self.old_at().is_some_and(|old| old <= now)
    }

    pub(super) fn is_expired(&self, now: Instant) -> bool {
        let ended = |expiry: &Expiry| expiry.instant <= now || expiry.time <= SystemTime::now();
        self.expiry.as_ref().is_some_and(ended)
    }
}

impl Expiry {
    /// `None` for a time that is so far away that it does not matter.
    fn at(time: SystemTime) -> Option<Self> {
        let left = time.duration_since(SystemTime::now()).unwrap_or_default();
        let instant = Instant::now().checked_add(left)?;
        let old = instant.checked_sub(MARGIN.min(left / 10));
        Some(Self {
            time,
            instant,
            old: old.unwrap_or(instant),
        })
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_is_old_a_while_before_it_expires() {
        for (seconds, margin) in [(3600, 30), (600, 30), (100, 10), (10, 1), (0, 0)] {
            let until = SystemTime::now() + Duration::from_secs(seconds);
            let grant = Grant::new(BearerToken::new("t").until(until), 1).unwrap();
            let now = Instant::now();
            let at = |seconds: u64| now + Duration::from_secs(seconds);
            let half = Duration::from_millis(500);
            assert!(grant.is_old(at(seconds - margin)), "{seconds}");
            if seconds > 0 {
                assert!(!grant.is_old(at(seconds - margin) - half), "{seconds}");
                assert!(!grant.is_expired(at(seconds) - half), "{seconds}");
            }
            assert!(grant.is_expired(at(seconds)), "{seconds}");
        }
        let lasting = Grant::new("t".into(), 1).unwrap();
        let later = Instant::now() + Duration::from_secs(1 << 30);
        assert!(!lasting.is_old(later) && !lasting.is_expired(later));
    }

    #[test]
    fn what_no_header_can_carry_is_no_token() {
        let long = "x".repeat(MAX_TOKEN);
        for good in ["a", "a.b-c_d~e+f/g==", &long] {
            let grant = Grant::new(good.into(), 1).unwrap();
            assert_eq!(grant.header, format!("Bearer {good}"));
            assert!(grant.header.is_sensitive());
        }
        for bad in ["", "S3 CRET", "S3CRET\n", "S3CRÉT", &format!("{long}x")] {
            let fault = Grant::new(bad.into(), 1).unwrap_err();
            assert!(!fault.contains("S3"), "{fault}");
        }
    }
}
