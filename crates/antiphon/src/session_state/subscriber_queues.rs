//! Queue of the items of one of our subscriptions, until the subscriber takes them.
//!
//! The session's task never waits for a subscriber: one that lags loses its subscription, and gets
//! an error.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use antiphon_proto::RawJson;
use tokio::sync::mpsc;

use super::end::End;
use super::received::{Held, Received};
use crate::identity::Principal;
use crate::memory_budget::Account;

/// Bytes of items that may be queued for one of our subscribers.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of items that may be queued for all subscribers of one connection.
const MAX_ALL_BYTES: usize = 64 * 1024 * 1024;

/// The longest item that is queued beyond that, in bytes, for a subscriber that keeps up: it must not
/// lose its subscription because others lag.
const MAX_SMALL: usize = 64 * 1024;

/// The longest JSON text of a subscription's id, in bytes.
const MAX_ID: usize = 256;

/// How many subscriptions that were ended here are remembered until the peer has taken note of that.
const MAX_LEFT: usize = 64;

/// Bytes of items of such a subscription that may be on their way.
const MAX_LATE: usize = 16 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Inboxes {
    /// By the JSON text of the subscription's id.
    pub(super) table: HashMap<Box<str>, InboxSender>,
    /// Subscriptions that were ended here, and whose items may still come.
    left: VecDeque<Left>,
    /// Bytes in all inboxes.
    bytes: Arc<AtomicUsize>,
}

/// A subscription that was ended here.
struct Left {
    id: Box<str>,
    /// The id of the call that ends it, as JSON text. Nothing comes behind the response to that.
    call: Box<str>,
    /// Bytes of items that may still come.
    room: usize,
}

/// The sending half of an inbox: items go here once the peer has accepted the subscription.
#[derive(Clone)]
pub(crate) struct InboxSender {
    sender: mpsc::Sender<Event>,
    shared: Arc<Shared>,
    /// The method that ends the subscription.
    pub(super) unsubscribe: Arc<str>,
}

/// Identifies a subscription, and knows how to end it.
#[derive(Clone)]
pub(crate) struct SubscriptionKey {
    shared: Arc<Shared>,
    pub(super) unsubscribe: Arc<str>,
}

#[derive(Default)]
struct Shared {
    bytes: AtomicUsize,
    /// Bytes in all inboxes of the connection, once the subscription is open.
    all: OnceLock<Arc<AtomicUsize>>,
    end: OnceLock<InboxEnd>,
    /// On whose behalf it was opened, if that is somebody else.
    principal: OnceLock<Box<Principal>>,
}

/// An item for a subscriber: the parameters of a notification, reserved until it is dropped.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) params: RawJson,
    _held: Held,
}

/// Why a subscription has ended, if the peer did not end it.
#[derive(Clone, Debug)]
pub(crate) enum InboxEnd {
    /// The subscriber did not keep up.
    Lagged,
    /// The session is over.
    Lost(Arc<End>),
    /// The peer has used one id for two subscriptions.
    Confused,
}

/// The receiving half, held by the subscriber.
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Event>,
    shared: Arc<Shared>,
    unsubscribe: Arc<str>,
}

impl InboxSender {
    /// Creates both halves of an inbox that queues at most `items` items.
    pub(crate) fn new(items: usize, unsubscribe: &str) -> (Self, Inbox) {
        let (sender, receiver) = mpsc::channel(items.max(1));
        let shared = Arc::<Shared>::default();
        let unsubscribe: Arc<str> = unsubscribe.into();
        let inbox = Self {
            sender,
            shared: Arc::clone(&shared),
            unsubscribe: Arc::clone(&unsubscribe),
        };
        (
            inbox,
            Inbox {
                receiver,
                shared,
                unsubscribe,
            },
        )
    }

    pub(super) fn key(&self) -> SubscriptionKey {
        SubscriptionKey {
            shared: Arc::clone(&self.shared),
            unsubscribe: Arc::clone(&self.unsubscribe),
        }
    }

    /// Sets on whose behalf the subscription is opened: it is ended on the same one's.
    pub(super) fn opened_for(&self, principal: &Principal) {
        let _ = self.shared.principal.set(Box::new(principal.clone()));
    }

    /// Sets why the subscription has ended. The first reason wins.
    pub(super) fn end(&self, end: InboxEnd) {
        let _ = self.shared.end.set(end);
    }

    /// Queues an item in this message; returns `false` if there is no room for it, or no memory.
    pub(super) fn deliver(
        &self,
        params: RawJson,
        message: &mut Received,
        memory: &Arc<Account>,
    ) -> bool {
        let bytes = params.as_str().len();
        let held = self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        let all = self.shared.all.get();
        let all = all.map_or(0, |all| all.fetch_add(bytes, Ordering::Relaxed));
        let fits = (held == 0 || held + bytes <= MAX_BYTES)
            && (all == 0 || all + bytes <= MAX_ALL_BYTES || (held == 0 && bytes <= MAX_SMALL))
            && self.queue(params, held == 0, message, memory);
        if !fits {
            self.shared.release(bytes);
        }
        fits
    }

    fn queue(
        &self,
        params: RawJson,
        is_first: bool,
        message: &mut Received,
        memory: &Arc<Account>,
    ) -> bool {
        let Ok((params, held)) = message.item(params, is_first, memory) else {
            return false;
        };
        let event = Event {
            params,
            _held: held,
        };
        self.sender.try_send(event).is_ok()
    }
}

impl Shared {
    fn release(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(all) = self.all.get() {
            all.fetch_sub(bytes, Ordering::Relaxed);
        }
    }
}

impl SubscriptionKey {
    /// On whose behalf the subscription was opened, if that is somebody else.
    pub(super) fn principal(&self) -> Option<Box<Principal>> {
        self.shared.principal.get().cloned()
    }

    /// Whether this is the key of that inbox's subscription.
    pub(super) fn is_of(&self, inbox: &InboxSender) -> bool {
        Arc::ptr_eq(&inbox.shared, &self.shared)
    }
}

impl Inbox {
    /// The next item; `None` when the subscription has ended.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Event>> {
        let next = self.receiver.poll_recv(cx);
        if let std::task::Poll::Ready(Some(event)) = &next {
            self.shared.release(event.params.as_str().len());
        }
        next
    }

    pub(crate) fn key(&self) -> SubscriptionKey {
        SubscriptionKey {
            shared: Arc::clone(&self.shared),
            unsubscribe: Arc::clone(&self.unsubscribe),
        }
    }

    /// Why the subscription has ended, if the peer did not end it.
    pub(crate) fn end(&self) -> Option<&InboxEnd> {
        self.shared.end.get()
    }
}

impl Drop for Inbox {
    /// Gives back the room of items that nobody has taken.
    fn drop(&mut self) {
        self.receiver.close();
        while let Ok(event) = self.receiver.try_recv() {
            self.shared.release(event.params.as_str().len());
        }
    }
}

/// Whether a result can be the id of a subscription: a number or a string of at most 256 bytes.
pub(crate) fn is_id(result: &str) -> bool {
    result.len() <= MAX_ID && matches!(result.as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9'))
}

impl Inboxes {
    /// Opens the subscription that the peer has accepted, so that items are delivered from now on.
    ///
    /// A result that is not an id opens nothing; the subscriber sees that in the response itself.
    /// An id that is in use stays with the first subscriber.
    pub(super) fn open(&mut self, id: &str, inbox: InboxSender) {
        if self.table.contains_key(id) {
            inbox.end(InboxEnd::Confused);
        } else if is_id(id) {
            let _ = inbox.shared.all.set(Arc::clone(&self.bytes));
            self.table.insert(id.into(), inbox);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether items may come, also of subscriptions that were ended.
    pub(super) fn expect_items(&self) -> bool {
        !self.table.is_empty() || !self.left.is_empty()
    }

    /// Remembers a subscription that is ended with this call, whose items may be on their way.
    pub(super) fn leave(&mut self, id: &str, call: &str) {
        if self.left.len() >= MAX_LEFT {
            self.left.pop_front();
        }
        self.left.push_back(Left {
            id: id.into(),
            call: call.into(),
            room: MAX_LATE,
        });
    }

    /// Forgets the subscription that was ended with this call.
    pub(super) fn has_left(&mut self, call: &str) {
        self.left.retain(|left| *left.call != *call);
    }

    /// Whether a message of so many bytes is of a subscription that was ended, and was sent before the
    /// peer knew that.
    pub(super) fn is_late(&mut self, id: &str, bytes: usize) -> bool {
        let left = self.left.iter_mut().find(|left| *left.id == *id);
        left.is_some_and(|left| {
            let room = left.room.checked_sub(bytes);
            left.room = room.unwrap_or(0);
            room.is_some()
        })
    }

    pub(super) fn lose(self, end: &Arc<End>) {
        for inbox in self.table.into_values() {
            inbox.end(InboxEnd::Lost(Arc::clone(end)));
        }
    }
}

impl fmt::Debug for InboxSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboxSender")
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::memory_budget::account::Accounts;

    /// The inboxes of a connection with some subscriptions.
    fn open(count: usize) -> (Inboxes, Vec<Inbox>) {
        let mut inboxes = Inboxes::default();
        let receivers = (0..count).map(|id| {
            let (sender, receiver) = InboxSender::new(10_000, "unsubscribe");
            inboxes.open(&id.to_string(), sender);
            receiver
        });
        let receivers = receivers.collect();
        (inboxes, receivers)
    }

    fn item(bytes: usize) -> RawJson {
        RawJson::from_value(&"x".repeat(bytes - 2)).unwrap()
    }

    /// Offers an item in a message that has nothing else.
    fn offer(inbox: &InboxSender, item: RawJson, memory: &Arc<Account>) -> bool {
        let mut message = Received::new(item.as_str().len());
        inbox.deliver(item, &mut message, memory)
    }

    fn take(inbox: &mut Inbox) -> bool {
        let polled = inbox.poll_next(&mut Context::from_waker(Waker::noop()));
        matches!(polled, Poll::Ready(Some(_)))
    }

    #[test]
    fn one_subscriber_has_room_for_4_mib_and_all_together_for_64() {
        const MIB: usize = 1024 * 1024;
        let (inboxes, mut receivers) = open(20);
        let large = item(MIB);
        let memory = Account::unlimited();
        let deliver = |id: usize, bytes| {
            let item = match bytes {
                MIB => large.clone(),
                bytes => item(bytes),
            };
            offer(&inboxes.table[&*id.to_string()], item, &memory)
        };
        let held = || inboxes.bytes.load(Ordering::Relaxed);
        for id in 0..16 {
            for _ in 0..4 {
                assert!(deliver(id, MIB));
            }
            assert!(!deliver(id, 1000), "{id} has 4 MiB");
        }
        assert_eq!(held(), 64 * MIB);
        // A subscriber that keeps up still gets its items, if they are small.
        assert!(!deliver(16, MAX_SMALL + 1));
        assert!(deliver(16, MAX_SMALL));
        assert!(!deliver(16, 1000));
        assert!(take(&mut receivers[16]));
        assert_eq!(held(), 64 * MIB);
        // What is taken, and what is dropped with its subscription, makes room.
        assert!(take(&mut receivers[0]));
        assert!(deliver(17, MIB));
        drop(receivers.remove(1));
        assert_eq!(held(), 60 * MIB);
        assert!((0..4).all(|_| deliver(18, MIB)));
        assert!(!deliver(19, MIB));
        drop(receivers);
        assert_eq!(held(), 0);
        assert!(!deliver(18, 10), "the subscriber has gone");
        assert_eq!(held(), 0);
    }

    #[test]
    fn an_empty_inbox_takes_one_item_of_any_size() {
        let (inboxes, mut receivers) = open(1);
        let inbox = &inboxes.table["0"];
        let memory = Account::unlimited();
        assert!(offer(inbox, item(MAX_BYTES + 1), &memory));
        assert!(!offer(inbox, item(2), &memory));
        assert!(take(&mut receivers[0]));
        assert!(offer(inbox, item(2), &memory));
    }

    /// On a server what nobody has taken is in the budget, except the first small item.
    #[test]
    fn items_are_reserved_until_they_are_taken() {
        let accounts = Accounts::new(100_000, 0);
        let memory = accounts.open();
        let used = || accounts.budgets.requests.used();
        let (inboxes, mut receivers) = open(2);
        let inbox = &inboxes.table["0"];
        assert!(offer(inbox, item(4000), &memory));
        assert_eq!(used(), 0);
        assert!(offer(inbox, item(10), &memory));
        assert!(offer(inbox, item(20_000), &memory));
        assert_eq!(used(), 20_010);
        assert!(!offer(inbox, item(80_000), &memory));
        assert!(take(&mut receivers[0]));
        assert_eq!(used(), 20_010);
        assert!(take(&mut receivers[0]));
        assert!(take(&mut receivers[0]));
        assert_eq!(used(), 0);
        // Items of one message that keep it in memory share one reservation, and what is copied out
        // of a message is reserved by itself.
        let mut message = Received::new(30_000);
        for size in [10_000, 3_000, 10_000] {
            assert!(inbox.deliver(item(size), &mut message, &memory));
        }
        assert!(inboxes.table["1"].deliver(item(10_000), &mut message, &memory));
        drop(message);
        assert_eq!(used(), 33_000);
        drop(receivers);
        assert_eq!(used(), 0);
    }

    #[test]
    fn items_of_a_subscription_that_was_ended_may_come_for_a_while() {
        let mut inboxes = Inboxes::default();
        assert!(!inboxes.expect_items() && !inboxes.is_late("1", 10));
        inboxes.leave("1", "\"a\"");
        inboxes.leave("2", "\"b\"");
        assert!(inboxes.expect_items() && inboxes.is_empty());
        for (id, bytes, late) in [
            ("1", 10, true),
            ("3", 10, false),
            ("2", MAX_LATE + 1, false),
            ("2", 1, false),
            ("1", MAX_LATE - 10, true),
            ("1", 1, false),
        ] {
            assert_eq!(inboxes.is_late(id, bytes), late, "{id} {bytes}");
        }
        inboxes.has_left("\"c\"");
        assert!(inboxes.is_late("1", 0));
        inboxes.has_left("\"a\"");
        assert!(!inboxes.is_late("1", 0) && inboxes.expect_items());
        inboxes.has_left("\"b\"");
        assert!(!inboxes.expect_items());
        for id in 0..=MAX_LEFT {
            inboxes.leave(&id.to_string(), "\"a\"");
        }
        assert!(!inboxes.is_late("0", 1) && inboxes.is_late("1", 1));
    }

    #[test]
    fn an_id_is_a_number_or_a_short_string() {
        let long = format!("\"{}\"", "x".repeat(MAX_ID - 2));
        let longer = format!("\"{}\"", "x".repeat(MAX_ID - 1));
        for id in ["1", "-1", "\"s\"", &long] {
            assert!(is_id(id), "{id}");
        }
        for id in ["null", "true", "[]", "{}", "", &longer] {
            assert!(!is_id(id), "{id}");
        }
    }
}
