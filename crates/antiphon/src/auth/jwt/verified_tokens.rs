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

/// Tokens that were verified, by hashes with random keys. The tokens themselves are not kept.
///
/// There are two halves. If the young one is full, it takes the place of the old one, which is
/// forgotten; so none is searched for what has to go.
#[derive(Debug, Default)]
struct TokenCache {
    hashers: (RandomState, RandomState),
    young: HashMap<u128, Identity>,
    old: HashMap<u128, Identity>,
}

impl TokenCache {
    fn hash(&self, token: &CacheKey<'_>) -> u128 {
        let (one, two) = &self.hashers;
        u128::from(one.hash_one(token)) << 64 | u128::from(two.hash_one(token))
    }

    fn find(&mut self, token: &CacheKey<'_>) -> Option<Identity> {
        let hash = self.hash(token);
        if let Some(identity) = self.young.get(&hash) {
            return Some(identity.clone());
        }
        // What is used stays.
        let identity = self.old.remove(&hash)?;
        self.keep(hash, identity.clone());
        Some(identity)
    }

    fn insert(&mut self, token: &CacheKey<'_>, identity: Identity) {
        self.keep(self.hash(token), identity);
    }

    fn keep(&mut self, hash: u128, identity: Identity) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, identity);
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
