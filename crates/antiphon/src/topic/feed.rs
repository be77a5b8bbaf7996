//! Feed of one subscription: what a session takes the items of a topic from.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Waker};

use super::core::{Core, Joined};
use super::counts::Counts;
use super::filter::Filter;
use super::gaps::Missed;
use super::overflow::Overflow;
use super::queue::{Next, QueueLimits};
use crate::memory_budget::Account;

/// The receiving end of a subscription. Dropping it ends the subscription.
pub(crate) struct Feed {
    core: Arc<Core>,
    /// `None` if the topic has no room for it, or hears nothing any more.
    joined: Option<Joined>,
    /// Whether it begins behind a cursor.
    is_resumed: bool,
}

impl Feed {
    pub(super) fn new(core: &Arc<Core>, key: Option<&str>) -> Self {
        Self {
            core: Arc::clone(core),
            joined: core.join(key),
            is_resumed: false,
        }
    }

    /// A feed without items, for a call that is answered with an error.
    pub(super) fn refused(core: &Arc<Core>) -> Self {
        Self {
            core: Arc::clone(core),
            joined: None,
            is_resumed: false,
        }
    }

    /// Whether the topic has no room for this subscriber.
    pub(crate) fn is_refused(&self) -> bool {
        self.joined.is_none()
    }

    /// Whether it has the items of all keys.
    pub(crate) fn is_of_all(&self) -> bool {
        self.joined
            .as_ref()
            .is_some_and(|joined| joined.key.is_none())
    }

    /// Adds a filter, also to what waits already.
    pub(super) fn filter(&self, filter: Filter) {
        if let Some(joined) = &self.joined {
            self.core.add_filter(&joined.subscriber, filter);
        }
    }

    /// Begins behind a cursor, before the first item is taken. It is refused if there is no memory for
    /// so many items before.
    pub(crate) fn resume(&mut self, cursor: &str) {
        self.is_resumed = true;
        if let Some(joined) = &self.joined
            && !self.core.resume(joined, cursor)
        {
            self.leave();
        }
    }

    /// The cursor of the place where it begins; `None` if it begins behind a cursor that was given.
    pub(crate) fn start(&self) -> Option<Box<str>> {
        let joined = self.joined.as_ref()?;
        match self.is_resumed {
            true => None,
            false => Some(self.core.start(joined)?.to_string().into()),
        }
    }

    /// Sets what may wait for the subscriber, and where it counts.
    pub(crate) fn begin(&self, limits: QueueLimits, overflow: Option<Overflow>, account: &Account) {
        self.core.memory.learn(account);
        if let Some(joined) = &self.joined {
            let overflow = overflow.unwrap_or(self.core.overflow);
            joined.subscriber.set_limits(limits, overflow);
        }
    }

    /// Sets what is woken when an item comes and none was there.
    pub(crate) fn listen(&self, waker: &Waker) {
        if let Some(joined) = &self.joined {
            joined.subscriber.listen(waker);
        }
    }

    /// Takes the next item.
    pub(crate) fn next(&self) -> Next {
        match &self.joined {
            Some(joined) => joined.subscriber.next(),
            None => Next::Empty,
        }
    }

    /// Takes note of an item that was taken and left out, for want of memory. Returns whether the
    /// subscription may go on without it.
    pub(crate) fn left_out(&self, missed: Option<Missed>) -> bool {
        Counts::add(&self.core.counts.dropped, 1);
        let joined = self.joined.as_ref();
        joined.is_some_and(|joined| joined.subscriber.left_out(missed))
    }

    fn leave(&mut self) {
        if let Some(joined) = self.joined.take() {
            self.core.leave(&joined.subscriber, joined.key.as_ref());
        }
    }

    /// Takes the next item, or wakes the task when there is one.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Next {
        match self.next() {
            Next::Empty => {
                self.listen(cx.waker());
                // One may have come before the waker was there.
                self.next()
            }
            next => next,
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}
