//! Memory of verified tokens, so that a call costs no signature.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

use crate::identity::Identity;

/// A token, and for what it was verified. Authenticators of several issuers or audiences may share
/// their keys.
#[derive(Clone, Copy, Hash, Debug)]
pub(super) struct Claimed<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    pub(super) token: &'a str,
}

/// Half of the largest number of tokens.
const HALF: usize = 5_000;

/// Tokens that were verified with one set of keys, by hashes with random keys. The tokens themselves are
/// not kept.
///
/// There are two halves. If the young one is full, it takes the place of the old one, which is
/// forgotten; so none is searched for what has to go.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    hashers: (RandomState, RandomState),
    young: HashMap<u128, Identity>,
    old: HashMap<u128, Identity>,
}

impl Remembered {
    fn hash(&self, token: &Claimed<'_>) -> u128 {
        let (one, two) = &self.hashers;
        u128::from(one.hash_one(token)) << 64 | u128::from(two.hash_one(token))
    }

    /// The identity of a token. Whether it has expired is up to the caller.
    pub(super) fn find(&mut self, token: &Claimed<'_>) -> Option<Identity> {
        let hash = self.hash(token);
        if let Some(identity) = self.young.get(&hash) {
            return Some(identity.clone());
        }
        // What is used stays.
        let identity = self.old.remove(&hash)?;
        self.keep(hash, identity.clone());
        Some(identity)
    }

    pub(super) fn insert(&mut self, token: &Claimed<'_>, identity: Identity) {
        self.keep(self.hash(token), identity);
    }

    fn keep(&mut self, hash: u128, identity: Identity) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, identity);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(token: &str) -> Claimed<'_> {
        Claimed {
            issuer: "i",
            audience: "a",
            token,
        }
    }

    #[test]
    fn memory_is_bounded_and_what_is_used_stays() {
        let mut remembered = Remembered::default();
        for number in 0..50_000 {
            remembered.insert(&of(&format!("token {number}")), Identity::new("a"));
            assert!(remembered.find(&of("token 0")).is_some(), "{number}");
            assert!(remembered.len() <= 2 * HALF);
        }
        assert!(remembered.find(&of("token 49999")).is_some());
        assert!(remembered.find(&of("token 1")).is_none());
        assert!(remembered.find(&of("other")).is_none());
    }

    #[test]
    fn a_token_is_remembered_for_its_issuer_and_audience_only() {
        let mut remembered = Remembered::default();
        remembered.insert(&of("t"), Identity::new("a"));
        for (issuer, audience) in [("i", "b"), ("j", "a"), ("", "ia")] {
            let other = Claimed {
                issuer,
                audience,
                token: "t",
            };
            assert!(remembered.find(&other).is_none(), "{other:?}");
        }
        assert!(remembered.find(&of("t")).is_some());
    }
}
