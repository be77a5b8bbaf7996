//! A set of keys with the tokens that it has verified.

use std::sync::{Mutex, PoisonError};

use super::key_set::KeySet;
use super::remembered::{Claimed, Remembered};
use crate::identity::Identity;

/// Keys, and what they have verified: both go together.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) keys: KeySet,
    tokens: Mutex<Remembered>,
}

impl Verified {
    pub(super) fn new(keys: KeySet) -> Self {
        Self {
            keys,
            tokens: Mutex::default(),
        }
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, Remembered> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, token: &Claimed<'_>) -> Option<Identity> {
        self.tokens().find(token)
    }

    pub(super) fn remember(&self, token: &Claimed<'_>, identity: &Identity) {
        self.tokens().insert(token, identity.clone());
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tokens().len()
    }
}
