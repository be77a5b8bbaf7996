//! Subscriptions of ours: delivery of the items that the peer sends.

use std::sync::atomic::Ordering;

use antiphon_proto::RawJson;

use super::handle::{SessionHandle, State};
use super::inbox::{InboxEnd, SubscriptionKey, is_id};

impl SessionHandle {
    /// Whether notifications have to be looked at.
    pub(crate) fn has_inboxes(&self) -> bool {
        !self.lock().inboxes.is_empty()
    }

    /// Delivers an item; false if no subscription of ours has this id. `last` says that the peer
    /// ends the subscription with it.
    pub(crate) fn deliver(&self, id: &str, params: RawJson, last: bool) -> bool {
        let mut state = self.lock();
        let Some(spec) = state.inboxes.table.get(id) else {
            return false;
        };
        let fits = spec.deliver(params);
        if fits && !last {
            return true;
        }
        let Some(spec) = state.inboxes.table.remove(id) else {
            return true;
        };
        drop(state);
        if !fits {
            spec.end(InboxEnd::Lagged);
            self.change(|state| self.tell_unsubscribed(state, id, &spec.unsubscribe));
        }
        true
    }

    /// Ends a subscription of ours; the peer is told.
    pub(crate) fn forget(&self, id: &str, key: &SubscriptionKey) {
        self.change(|state| {
            let known = state.inboxes.table.get(id);
            if known.is_some_and(|spec| key.is_of(spec)) {
                state.inboxes.table.remove(id);
                self.tell_unsubscribed(state, id, &key.unsubscribe);
            }
        });
    }

    /// The peer agrees to a subscription that nobody wants any more: it is ended.
    pub(super) fn decline(&self, state: &mut State, id: &str, key: &SubscriptionKey) {
        if is_id(id) {
            self.tell_unsubscribed(state, id, &key.unsubscribe);
            self.0.mail.store(true, Ordering::Release);
        }
    }

    fn tell_unsubscribed(&self, state: &mut State, id: &str, method: &str) {
        self.call_and_forget(state, method, &format!("[{id}]"));
    }
}
