//! Keys behind a URL: when they are fetched, and how long they are used.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::fetch::JwksUrl;
use super::key_set::{Found, KeySet};
use super::verified_tokens::CachingKeySet;
use crate::auth::error::AuthSetupError;

/// After this time in use the keys are fetched again, while calls go on with those that are known.
const REFRESH: Duration = Duration::from_secs(10 * 60);

/// After this time without a new fetch the keys are not used any more.
const STALE: Duration = Duration::from_secs(60 * 60);

/// Shortest time between two fetches, while there are keys. Names of keys are a caller's to make up.
const PAUSE: Duration = Duration::from_secs(60);

/// Shortest time between two fetches, while there are no keys.
const PAUSE_WITHOUT: Duration = Duration::from_secs(5);

/// Keys behind a URL.
pub(super) struct RemoteKeys {
    url: JwksUrl,
    state: Mutex<State>,
    /// Held by the fetch that is in progress.
    fetching: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    /// The keys, and when they were fetched last.
    keys: Option<(Arc<CachingKeySet>, Instant)>,
    last_fetch: Option<Instant>,
    fetches: u64,
    /// How often the authorities of the URL have changed.
    changes: u64,
}

impl RemoteKeys {
    pub(super) fn new(url: JwksUrl) -> Self {
        Self {
            url,
            state: Mutex::default(),
            fetching: Arc::default(),
        }
    }

    pub(super) fn url(&self) -> &JwksUrl {
        &self.url
    }

    /// Reads the authorities of the URL again. If they have changed, keys that were fetched under the old
    /// ones are not used any more.
    pub(super) fn reload(&self) -> Result<(), AuthSetupError> {
        if self.url.authorities().reload()? {
            let mut state = self.lock();
            state.changes += 1;
            state.keys = None;
            state.last_fetch = None;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys, as long as they may be used.
    fn usable(&self) -> Option<Arc<CachingKeySet>> {
        let state = self.lock();
        let (keys, fetched) = state.keys.as_ref()?;
        (fetched.elapsed() < STALE).then(|| Arc::clone(keys))
    }

    /// The keys that are in use. They are fetched again on the side if that is due.
    pub(super) fn current(self: &Arc<Self>) -> Option<Arc<CachingKeySet>> {
        let keys = self.usable()?;
        self.refresh_if_due();
        Some(keys)
    }

    /// The keys for a token whose name was checked by `is_known`. They are fetched first if there are
    /// none, or none of that name. `None` if they cannot be fetched.
    pub(super) async fn keys(
        self: &Arc<Self>,
        is_known: impl Fn(&CachingKeySet) -> bool,
    ) -> Option<Arc<CachingKeySet>> {
        match self.usable() {
            Some(keys) if is_known(&keys) => {
                self.refresh_if_due();
                return Some(keys);
            }
            Some(_) => self.refresh(PAUSE).await,
            None => self.refresh(PAUSE_WITHOUT).await,
        }
        self.usable()
    }

    /// Fetches the keys on the side, if they are in use for long enough.
    fn refresh_if_due(self: &Arc<Self>) {
        let is_due = match &self.lock().keys {
            Some((_, fetched)) => fetched.elapsed() >= REFRESH,
            None => false,
        };
        if !is_due || self.is_recent(PAUSE) {
            return;
        }
        if let Ok(fetching) = Arc::clone(&self.fetching).try_lock_owned() {
            self.start_fetch(fetching);
        }
    }

    /// Fetches the keys, or waits for the fetch in progress, unless the last one is too recent.
    async fn refresh(self: &Arc<Self>, pause: Duration) {
        let before = self.lock().fetches;
        if self.is_recent(pause) && self.fetching.try_lock().is_ok() {
            return;
        }
        let fetching = Arc::clone(&self.fetching).lock_owned().await;
        if self.lock().fetches != before || self.is_recent(pause) {
            return;
        }
        let _ = self.start_fetch(fetching).await;
    }

    fn is_recent(&self, pause: Duration) -> bool {
        let last = self.lock().last_fetch;
        last.is_some_and(|last| last.elapsed() < pause)
    }

    /// Fetches in a task, which ends by its deadline: a caller that goes away must not end it.
    fn start_fetch(self: &Arc<Self>, fetching: OwnedMutexGuard<()>) -> JoinHandle<()> {
        let changes = {
            let mut state = self.lock();
            state.last_fetch = Some(Instant::now());
            state.fetches += 1;
            state.changes
        };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let fetched = this.url.fetch().await;
            let fetched = fetched.and_then(|text| KeySet::of_jwks(&text));
            this.finish_fetch(fetched, changes);
            drop(fetching);
        })
    }

    /// Keeps the keys of a fetch that began after so many changes of the authorities.
    fn finish_fetch(&self, fetched: Result<KeySet, String>, changes: u64) {
        let new = match fetched {
            Ok(new) => new,
            Err(reason) => {
                tracing::warn!("the keys of tokens were not fetched: {reason}");
                return;
            }
        };
        let mut state = self.lock();
        if state.changes != changes {
            return;
        }
        let now = Instant::now();
        match &mut state.keys {
            Some((known, fetched)) if known.keys.is_same(&new) => *fetched = now,
            // With the old keys the tokens that they have verified are forgotten.
            keys => *keys = Some((Arc::new(CachingKeySet::new(new)), now)),
        }
    }
}

/// Whether a set has a key of this name.
pub(super) fn is_known(keys: &KeySet, kid: Option<&str>, alg: jsonwebtoken::Algorithm) -> bool {
    !matches!(keys.find(kid, alg), Found::UnknownName)
}
