//! Hooks for the first and the last subscriber of a key.
//!
//! They run outside of the topic's lock, so they may use the topic, and one after the other, so that
//! the last subscriber of a key is never reported behind the first one of later.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{IncidentScope, guard};

/// The log message for a panic in a hook.
const PANICKED: &str = "a hook of a topic panicked";

/// The most changes for which memory is kept.
const KEPT: usize = 32;

/// A function that is told a key.
pub(super) type Hook = Box<dyn Fn(&str) + Send + Sync>;

/// What has happened to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// It has its first subscriber.
    First,
    /// Its last subscriber has gone.
    Last,
}

/// The hooks of a topic, and what they have not been told yet.
#[derive(Default)]
pub(super) struct Hooks {
    pub(super) first: Option<Hook>,
    pub(super) last: Option<Hook>,
    pending: Mutex<Pending>,
}

/// At most one change of each key. A subscriber that has come and gone before a hook has heard of it
/// leaves nothing, so that slow hooks and quick subscribers do not fill the memory.
#[derive(Default)]
struct Pending {
    /// In the order in which they happened.
    changes: BTreeMap<u64, (Change, Arc<str>)>,
    /// The number of the change of a key.
    numbers: HashMap<Arc<str>, u64>,
    last: u64,
    /// Whether somebody is telling them.
    busy: bool,
}

impl Pending {
    /// A key has both in turn, so a second one undoes the first.
    fn note(&mut self, change: Change, key: &Arc<str>) {
        if let Some(number) = self.numbers.remove(key) {
            self.changes.remove(&number);
            return;
        }
        self.last += 1;
        self.numbers.insert(Arc::clone(key), self.last);
        self.changes.insert(self.last, (change, Arc::clone(key)));
    }

    fn take(&mut self) -> Option<(Change, Arc<str>)> {
        let (_, (change, key)) = self.changes.pop_first()?;
        self.numbers.remove(&key);
        if self.numbers.is_empty() {
            self.numbers.shrink_to(KEPT);
        }
        Some((change, key))
    }
}

impl Hooks {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a change, under the lock of the topic, so that the order is right.
    pub(super) fn note(&self, change: Change, key: &Arc<str>) {
        if self.first.is_some() || self.last.is_some() {
            self.lock().note(change, key);
        }
    }

    /// Tells the hooks what they do not know yet, unless somebody else is doing it. The topic is not
    /// locked.
    pub(super) fn tell(&self) {
        if self.first.is_none() && self.last.is_none() {
            return;
        }
        let mut pending = self.lock();
        if pending.busy {
            return;
        }
        pending.busy = true;
        while let Some((change, key)) = pending.take() {
            drop(pending);
            let hook = match change {
                Change::First => &self.first,
                Change::Last => &self.last,
            };
            if let Some(hook) = hook {
                let scope = IncidentScope::enter();
                let _ = guard(PANICKED, || hook(&key));
                scope.log(|| ("a topic".to_owned(), "its hook"));
            }
            pending = self.lock();
        }
        pending.busy = false;
    }
}
