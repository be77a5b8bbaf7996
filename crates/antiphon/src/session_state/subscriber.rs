//! Subscriptions of ours to the peer's streams: delivery of the items.

use std::sync::atomic::Ordering;

use antiphon_proto::RawJson;

use super::handle::{SessionHandle, State};
use super::received::Received;
use super::subscriber_queues::{InboxEnd, SubscriptionKey, is_id};

impl SessionHandle {
    /// Whether we have, or had, subscriptions, so that notifications may carry items.
    pub(crate) fn expects_items(&self) -> bool {
        self.lock().inboxes.expect_items()
    }

    /// Delivers an item in this message; returns `false` if none of our subscriptions has, or had, this
    /// id. With `last` the peer ends the subscription.
    pub(crate) fn deliver(
        &self,
        id: &str,
        params: RawJson,
        last: bool,
        message: &mut Received,
    ) -> bool {
        let mut state = self.lock();
        let Some(inbox) = state.inboxes.table.get(id) else {
            return state.inboxes.is_late(id, message.len());
        };
        let fits = inbox.deliver(params, message, &self.0.memory);
        if fits && !last {
            return true;
        }
        let Some(inbox) = state.inboxes.table.remove(id) else {
            return true;
        };
        drop(state);
        if !fits {
            inbox.end(InboxEnd::Lagged);
            self.change(|state| self.tell_unsubscribed(state, id, &inbox.key()));
        }
        true
    }

    /// Ends one of our subscriptions and unsubscribes from the peer.
    pub(crate) fn forget(&self, id: &str, key: &SubscriptionKey) {
        self.change(|state| {
            let known = state.inboxes.table.get(id);
            if known.is_some_and(|inbox| key.is_of(inbox)) {
                state.inboxes.table.remove(id);
                self.tell_unsubscribed(state, id, key);
            }
        });
    }

    /// Unsubscribes from a subscription that the peer has accepted after its call was abandoned.
    pub(super) fn decline(&self, state: &mut State, id: &str, key: &SubscriptionKey) {
        if is_id(id) {
            self.tell_unsubscribed(state, id, key);
            self.0.mail.store(true, Ordering::Release);
        }
    }

    fn tell_unsubscribed(&self, state: &mut State, id: &str, key: &SubscriptionKey) {
        let params = format!("[{id}]");
        let call = self.call_and_forget(state, &key.unsubscribe, &params, key.principal());
        state.inboxes.leave(id, call.as_str());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Arc;

    use antiphon_proto::Id;

    use super::super::{Arrivals, InboxSender, NewCall};
    use super::*;
    use crate::memory_budget::Account;

    /// What is on its way when a subscription is ended was asked for.
    #[test]
    fn items_are_expected_until_the_end_of_their_subscription_is_answered() {
        let handle = SessionHandle::new(Arc::default(), &Account::unlimited(), true);
        let (opens, inbox) = InboxSender::new(1, "unsubscribe");
        let call = NewCall {
            opens: Some(opens),
            ..NewCall::from(Id::from(1))
        };
        let (_waiting, _) = handle.call(vec![call], Vec::new(), None).unwrap();
        let text = RawJson::from_value("s").unwrap();
        let answer = |id: &str| {
            let mut message = Received::new(100);
            handle.answered(id, Ok(text.clone()), &mut message).unwrap();
        };
        let deliver = || handle.deliver("\"s\"", text.clone(), false, &mut Received::new(100));
        answer("1");
        assert!(handle.expects_items() && deliver());
        handle.forget("\"s\"", &inbox.key());
        assert!(handle.expects_items() && deliver() && deliver());
        let mut posted = VecDeque::new();
        handle.fetch(1024, &mut posted, &mut Arrivals::default());
        let ended = String::from_utf8(posted.pop_back().unwrap().payload.text).unwrap();
        let (_, rest) = ended.split_once("\"id\":").unwrap();
        let (id, _) = rest.split_once(',').unwrap();
        answer(id);
        assert!(!handle.expects_items() && !deliver());
    }
}
