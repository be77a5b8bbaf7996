//! Keys behind a URL: when they are fetched, and how long they are used.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::fetch::JwksUrl;
use super::key_set::{Found, KeySet};
use super::verified::Verified;

/// After this time in use the keys are fetched again, while calls go on with those that are known.
const REFRESH: Duration = Duration::from_secs(10 * 60);

/// After this time without a new fetch the keys are not used any more.
const STALE: Duration = Duration::from_secs(60 * 60);

/// Shortest time between two fetches, while there are keys. Names of keys are a caller's to make up.
const PAUSE: Duration = Duration::from_secs(60);

/// Shortest time between two fetches, while there are no keys.
const PAUSE_WITHOUT: Duration = Duration::from_secs(5);

/// Keys behind a URL.
#[derive(Debug)]
pub(super) struct Remote {
    url: JwksUrl,
    state: Mutex<State>,
    /// Held by the one fetch at a time.
    flight: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// The keys, and when they were fetched last.
    keys: Option<(Arc<Verified>, Instant)>,
    last_try: Option<Instant>,
    tries: u64,
}

impl Remote {
    pub(super) fn new(url: JwksUrl) -> Self {
        Self {
            url,
            state: Mutex::default(),
            flight: Arc::default(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys, as long as they may be used.
    fn usable(&self) -> Option<Arc<Verified>> {
        let state = self.lock();
        let (keys, fetched) = state.keys.as_ref()?;
        (fetched.elapsed() < STALE).then(|| Arc::clone(keys))
    }

    /// The keys for a token whose name was checked by `is_known`. They are fetched first if there are
    /// none, or none of that name. `None` if they cannot be fetched.
    pub(super) async fn keys(
        self: &Arc<Self>,
        is_known: impl Fn(&Verified) -> bool,
    ) -> Option<Arc<Verified>> {
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
        if let Ok(flight) = Arc::clone(&self.flight).try_lock_owned() {
            self.take_off(flight);
        }
    }

    /// Fetches the keys, or waits for the fetch that runs, unless the last one is too recent.
    async fn refresh(self: &Arc<Self>, pause: Duration) {
        let before = self.lock().tries;
        if self.is_recent(pause) && self.flight.try_lock().is_ok() {
            return;
        }
        let flight = Arc::clone(&self.flight).lock_owned().await;
        if self.lock().tries != before || self.is_recent(pause) {
            return;
        }
        let _ = self.take_off(flight).await;
    }

    fn is_recent(&self, pause: Duration) -> bool {
        let last = self.lock().last_try;
        last.is_some_and(|last| last.elapsed() < pause)
    }

    /// Fetches in a task, which ends by its deadline: a caller that goes away must not end it.
    fn take_off(
        self: &Arc<Self>,
        flight: tokio::sync::OwnedMutexGuard<()>,
    ) -> tokio::task::JoinHandle<()> {
        {
            let mut state = self.lock();
            state.last_try = Some(Instant::now());
            state.tries += 1;
        }
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let fetched = this.url.fetch().await;
            let fetched = fetched.and_then(|text| KeySet::of_jwks(&text));
            this.land(fetched);
            drop(flight);
        })
    }

    fn land(&self, fetched: Result<KeySet, String>) {
        let new = match fetched {
            Ok(new) => new,
            Err(reason) => {
                tracing::warn!("the keys of tokens were not fetched: {reason}");
                return;
            }
        };
        let mut state = self.lock();
        let now = Instant::now();
        match &mut state.keys {
            Some((known, fetched)) if known.keys.is_same(&new) => *fetched = now,
            // With the old keys the tokens that they have verified are forgotten.
            keys => *keys = Some((Arc::new(Verified::new(new)), now)),
        }
    }
}

/// Whether a set has a key of this name.
pub(super) fn is_known(keys: &KeySet, kid: Option<&str>, alg: jsonwebtoken::Algorithm) -> bool {
    !matches!(keys.find(kid, alg), Found::UnknownName)
}
