//! Key set, with a cache of the tokens that it has verified: a call costs no signature.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::key_set::KeySet;
use crate::identity::Identity;

/// Half of the largest number of tokens.
const HALF: usize = 5_000;

/// Keys, and the tokens that they have verified. New keys begin with an empty cache, so that no token
/// outlives its key.
#[derive(Debug)]
pub(super) struct CachingKeySet {
    pub(super) keys: KeySet,
    tokens: Mutex<TokenCache>,
}

impl CachingKeySet {
    pub(super) fn new(keys: KeySet) -> Self {
        Self {
            keys,
            tokens: Mutex::default(),
        }
    }

    fn tokens(&self) -> MutexGuard<'_, TokenCache> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The identity of a token that was verified before. Whether it has expired is up to the caller.
    pub(super) fn find(&self, token: &CacheKey<'_>) -> Option<Identity> {
        self.tokens().find(token)
    }

    pub(super) fn insert(&self, token: &CacheKey<'_>, identity: &Identity) {
        self.tokens().insert(token, identity.clone());
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tokens().len()
    }
}

/// A token, and for what it was verified. Authenticators of several issuers or audiences may share
/// their keys.
#[derive(Clone, Copy, Hash, Debug)]
pub(super) struct CacheKey<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    pub(super) token: &'a str,
}

/// Tokens that were verified, by a hash with a random key. The tokens themselves are not kept, but for the
/// end of their signatures.
///
/// To be taken for one of them, another token has to have the same end, and the same hash, whose key nobody
/// knows: one attempt in 2⁶⁴.
///
/// There are two halves. If the young one is full, it takes the place of the old one, which is
/// forgotten; so none is searched for what has to go.
#[derive(Debug, Default)]
struct TokenCache {
    hasher: RandomState,
    young: HashMap<u64, Verified>,
    old: HashMap<u64, Verified>,
}

/// A token that was verified.
#[derive(Clone, Debug)]
struct Verified {
    end: End,
    identity: Identity,
}

/// The last bytes of a token, which are of its signature.
type End = [u8; 16];

fn end_of(token: &str) -> End {
    token.as_bytes().last_chunk().copied().unwrap_or_default()
}

impl TokenCache {
    fn find(&mut self, token: &CacheKey<'_>) -> Option<Identity> {
        let (hash, end) = (self.hasher.hash_one(token), end_of(token.token));
        let is_it = |found: &&Verified| found.end == end;
        if let Some(found) = self.young.get(&hash) {
            return Some(found)
                .filter(is_it)
                .map(|found| found.identity.clone());
        }
        // What is used stays.
        self.old.get(&hash).filter(is_it)?;
        let found = self.old.remove(&hash)?;
        let identity = found.identity.clone();
        self.keep(hash, found);
        Some(identity)
    }

    fn insert(&mut self, token: &CacheKey<'_>, identity: Identity) {
        let end = end_of(token.token);
        self.keep(self.hasher.hash_one(token), Verified { end, identity });
    }

    fn keep(&mut self, hash: u64, verified: Verified) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, verified);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(token: &str) -> CacheKey<'_> {
        CacheKey {
            issuer: "i",
            audience: "a",
            token,
        }
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let mut cache = TokenCache::default();
        for number in 0..50_000 {
            cache.insert(&of(&format!("token {number}")), Identity::new("a"));
            assert!(cache.find(&of("token 0")).is_some(), "{number}");
            assert!(cache.len() <= 2 * HALF);
        }
        assert!(cache.find(&of("token 49999")).is_some());
        assert!(cache.find(&of("token 1")).is_none());
        assert!(cache.find(&of("other")).is_none());
    }

    #[test]
    fn a_token_is_cached_for_its_issuer_and_audience_only() {
        let mut cache = TokenCache::default();
        cache.insert(&of("t"), Identity::new("a"));
        for (issuer, audience) in [("i", "b"), ("j", "a"), ("", "ia")] {
            let other = CacheKey {
                issuer,
                audience,
                token: "t",
            };
            assert!(cache.find(&other).is_none(), "{other:?}");
        }
        assert!(cache.find(&of("t")).is_some());
    }
}
