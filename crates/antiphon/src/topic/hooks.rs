//! Hooks for the first and the last subscriber of a key.
//!
//! They run outside of the topic's lock, so they may use the topic, and one after the other, so that
//! the last subscriber of a key is never reported behind the first one of later.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{IncidentScope, guard};

/// The log message for a panic in a hook.
const PANICKED: &str = "a hook of a topic panicked";

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

#[derive(Default)]
struct Pending {
    /// At most one for each call of a method of the topic that is running.
    changes: VecDeque<(Change, Arc<str>)>,
    /// Whether somebody is telling them.
    busy: bool,
}

impl Hooks {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a change, under the lock of the topic, so that the order is right.
    pub(super) fn note(&self, change: Change, key: &Arc<str>) {
        let hook = match change {
            Change::First => &self.first,
            Change::Last => &self.last,
        };
        if hook.is_some() {
            self.lock().changes.push_back((change, Arc::clone(key)));
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
        while let Some((change, key)) = pending.changes.pop_front() {
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
