//! Identity of a caller, signed by who passes it on.
//!
//! The signature is about one message: its subject, its text, where its answer goes, and when it was made. So
//! nobody can take it to another message, to another service, or to a later time.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_nats::{HeaderMap, Message};
use tokio::time::Instant;

use super::identity_keys::{IdentityKeys, hash};
use super::replays::Seen;
use crate::identity::{Identity, Statement, milliseconds};

const IDENTITY: &str = "rpc-identity";
const SIGNATURE: &str = "rpc-signature";

/// How long a signature holds, and how far the clocks of two machines may be apart.
const HOLDS: Duration = Duration::from_secs(60);

/// The longest text of an identity, in bytes.
pub(super) const LONGEST: usize = 16 * 1024;

/// Signs the identities of callers.
pub(super) struct Signer {
    keys: IdentityKeys,
    from: u64,
    next: AtomicU64,
}

impl Signer {
    pub(super) fn new(keys: IdentityKeys) -> Self {
        Self {
            keys,
            from: RandomState::new().hash_one(0),
            next: AtomicU64::new(1),
        }
    }

    /// Adds an identity to the headers of a message. Returns whether it is short enough.
    pub(super) fn sign(
        &self,
        headers: &mut HeaderMap,
        identity: &Identity,
        subject: &str,
        reply: Option<&str>,
        text: &[u8],
    ) -> bool {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let now = milliseconds(SystemTime::now());
        let statement = Statement::new(identity, now, self.from, number);
        let Some(statement) = statement.to_text() else {
            return false;
        };
        if statement.len() > LONGEST {
            return false;
        }
        let signed = bound(subject, reply, &statement, text);
        headers.insert(SIGNATURE, self.keys.sign(signed.as_bytes()).as_str());
        headers.insert(IDENTITY, statement.as_str());
        true
    }
}

/// Believes what was signed.
pub(super) struct Verifier {
    keys: IdentityKeys,
    seen: Mutex<Seen>,
}

impl Verifier {
    pub(super) fn new(keys: IdentityKeys) -> Self {
        Self {
            keys,
            seen: Mutex::default(),
        }
    }

    /// The identity of who calls; `None` if it is not said, or not signed.
    ///
    /// # Errors
    ///
    /// Why a signed identity is not believed.
    pub(super) fn identify(
        &self,
        message: &Message,
        reply: Option<&str>,
    ) -> Result<Option<Identity>, &'static str> {
        let header = |name: &str| Some(message.headers.as_ref()?.get(name)?.as_str());
        let (Some(text), Some(signature)) = (header(IDENTITY), header(SIGNATURE)) else {
            return Ok(None);
        };
        let payload = &message.payload;
        let signed = bound(&message.subject, reply, text, payload);
        if text.len() > LONGEST || !self.keys.have_signed(signed.as_bytes(), signature) {
            return Err("its signature is that of no key");
        }
        let statement = Statement::parse(text).ok_or("it is no identity")?;
        let (now, holds) = (milliseconds(SystemTime::now()), HOLDS.as_millis());
        if u128::from(now.abs_diff(statement.at)) > holds {
            return Err("it was signed too long ago, or by a clock that is wrong");
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.note(statement.from, statement.number, Instant::now()) {
            return Err("it was there before");
        }
        drop(seen);
        let identity = statement.identity().ok_or("its end is no time")?;
        Ok(Some(identity))
    }
}

/// What is signed: all that the identity is for. No part but the last has a line break.
fn bound(subject: &str, reply: Option<&str>, statement: &str, text: &[u8]) -> String {
    let reply = reply.unwrap_or_default();
    let text = hash(text);
    format!("antiphon identity 1\n{subject}\n{reply}\n{text}\n{statement}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const OTHER: &str = "another key of thirty-two or more characters";
    const SUBJECT: &str = "shop.rpc.add";
    const REPLY: &str = "_INBOX.a.b";
    const TEXT: &str = "{}";

    fn keys(text: &str) -> IdentityKeys {
        let path = std::env::temp_dir().join(format!(
            "antiphon-identity-{}-{:x}",
            std::process::id(),
            RandomState::new().hash_one(text)
        ));
        std::fs::write(&path, text).unwrap();
        let keys = IdentityKeys::read(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        keys
    }

    fn message(headers: HeaderMap) -> Message {
        Message {
            subject: SUBJECT.into(),
            reply: None,
            payload: TEXT.into(),
            headers: Some(headers),
            status: None,
            description: None,
            length: 0,
        }
    }

    /// A signed message, whose statement may have been changed before it was signed.
    fn signed(key: &str, change: impl FnOnce(&mut Statement)) -> Message {
        let signer = Signer::new(keys(key));
        let mut headers = HeaderMap::new();
        let alice = Identity::new("alice")
            .scope("write")
            .until(SystemTime::now() + HOLDS);
        assert!(signer.sign(&mut headers, &alice, SUBJECT, Some(REPLY), TEXT.as_bytes()));
        let text = headers.get(IDENTITY).unwrap().as_str();
        let mut statement = Statement::parse(text).unwrap();
        change(&mut statement);
        let text = statement.to_text().unwrap();
        let bound = bound(SUBJECT, Some(REPLY), &text, TEXT.as_bytes());
        headers.insert(SIGNATURE, signer.keys.sign(bound.as_bytes()).as_str());
        headers.insert(IDENTITY, text.as_str());
        message(headers)
    }

    #[tokio::test]
    async fn an_identity_counts_for_its_message_once_and_for_a_minute() {
        let check = |message: &Message, reply: Option<&str>, expected: Result<Option<&str>, ()>| {
            let verifier = Verifier::new(keys(KEY));
            let found = verifier.identify(message, reply);
            let subject = match &found {
                Ok(identity) => Ok(identity.as_ref().map(Identity::subject)),
                Err(_) => Err(()),
            };
            assert_eq!(subject, expected);
        };
        let now = milliseconds(SystemTime::now());
        let good = || signed(KEY, |_| ());
        check(&good(), Some(REPLY), Ok(Some("alice")));
        check(&signed(OTHER, |_| ()), Some(REPLY), Err(()));
        check(&good(), Some("_INBOX.a.c"), Err(()));
        check(&good(), None, Err(()));
        check(
            &signed(KEY, |it| it.at = now - 61_000),
            Some(REPLY),
            Err(()),
        );
        check(
            &signed(KEY, |it| it.at = now + 65_000),
            Some(REPLY),
            Err(()),
        );
        check(
            &signed(KEY, |it| it.at = now - 50_000),
            Some(REPLY),
            Ok(Some("alice")),
        );
        check(
            &signed(KEY, |it| it.until = Some(u64::MAX)),
            Some(REPLY),
            Ok(Some("alice")),
        );
        let mut elsewhere = good();
        elsewhere.subject = "shop.rpc.remove".into();
        check(&elsewhere, Some(REPLY), Err(()));
        let mut other_text = good();
        other_text.payload = "[]".into();
        check(&other_text, Some(REPLY), Err(()));
        let mut other_name = good();
        let headers = other_name.headers.as_mut().unwrap();
        let text = headers
            .get(IDENTITY)
            .unwrap()
            .as_str()
            .replace("alice", "admin");
        headers.insert(IDENTITY, text.as_str());
        check(&other_name, Some(REPLY), Err(()));
        // What is not signed says nothing.
        let mut unsigned = HeaderMap::new();
        unsigned.insert(IDENTITY, text.as_str());
        check(&message(unsigned), Some(REPLY), Ok(None));
        check(&message(HeaderMap::new()), Some(REPLY), Ok(None));

        let verifier = Verifier::new(keys(&format!("{OTHER}\n{KEY}")));
        let once = good();
        assert!(verifier.identify(&once, Some(REPLY)).is_ok());
        assert!(verifier.identify(&once, Some(REPLY)).is_err());
        let old = verifier.identify(&signed(KEY, |it| it.until = Some(1)), Some(REPLY));
        assert!(old.unwrap().unwrap().is_expired());
    }

    #[test]
    fn an_identity_that_is_too_long_is_not_sent() {
        let signer = Signer::new(keys(KEY));
        let long = Identity::new("alice").scopes_from(vec!["scope"; 4_000]);
        let mut headers = HeaderMap::new();
        assert!(!signer.sign(&mut headers, &long, SUBJECT, None, b""));
        assert!(headers.is_empty());
    }
}
