//! Items of a subscription of ours, kept until somebody takes them.
//!
//! The session's task never waits for a subscriber: one that does not keep up loses its
//! subscription, and is told so.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use antiphon_proto::RawJson;
use tokio::sync::mpsc;

use super::end::End;

/// Bytes that may wait for one subscriber here.
const MAX_BYTES: usize = 4 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Inboxes {
    /// By the JSON text of the subscription's id.
    pub(super) table: HashMap<Box<str>, InboxSender>,
}

/// Where the items of a subscription go, once the peer has agreed to it.
#[derive(Clone)]
pub(crate) struct InboxSender {
    sender: mpsc::Sender<Event>,
    shared: Arc<Shared>,
    /// The method that ends the subscription.
    pub(super) unsubscribe: Arc<str>,
}

/// Tells a subscription from all others, and says how it is ended.
#[derive(Clone)]
pub(crate) struct SubscriptionKey {
    shared: Arc<Shared>,
    pub(super) unsubscribe: Arc<str>,
}

#[derive(Default)]
struct Shared {
    bytes: AtomicUsize,
    end: OnceLock<InboxEnd>,
}

/// What comes for a subscriber: the parameters of a notification.
#[derive(Debug)]
pub(crate) struct Event(pub(crate) RawJson);

/// Why nothing more comes, where the peer has not said it.
#[derive(Clone, Debug)]
pub(crate) enum InboxEnd {
    /// The subscriber did not keep up.
    Lagged,
    /// The session is over.
    Lost(Arc<End>),
    /// The peer has given its id to two subscriptions.
    Confused,
}

/// The subscriber's half.
pub(crate) struct Inbox {
    receiver: mpsc::Receiver<Event>,
    shared: Arc<Shared>,
    unsubscribe: Arc<str>,
}

impl InboxSender {
    /// A pair for at most `items` that wait.
    pub(crate) fn new(items: usize, unsubscribe: &str) -> (Self, Inbox) {
        let (sender, receiver) = mpsc::channel(items.max(1));
        let shared = Arc::<Shared>::default();
        let unsubscribe: Arc<str> = unsubscribe.into();
        let spec = Self {
            sender,
            shared: Arc::clone(&shared),
            unsubscribe: Arc::clone(&unsubscribe),
        };
        (
            spec,
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

    /// Says why nothing more comes. The first reason counts.
    pub(super) fn end(&self, end: InboxEnd) {
        let _ = self.shared.end.set(end);
    }

    /// False if the subscriber has no room for it.
    pub(super) fn deliver(&self, params: RawJson) -> bool {
        let bytes = params.as_str().len();
        let held = self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        (held == 0 || held + bytes <= MAX_BYTES) && self.sender.try_send(Event(params)).is_ok()
    }
}

impl SubscriptionKey {
    /// Whether this is the subscription of these items.
    pub(super) fn is_of(&self, spec: &InboxSender) -> bool {
        Arc::ptr_eq(&spec.shared, &self.shared)
    }
}

impl Inbox {
    /// The next item; `None` when nothing more comes.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Event>> {
        let next = self.receiver.poll_recv(cx);
        if let std::task::Poll::Ready(Some(event)) = &next {
            let bytes = event.0.as_str().len();
            self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        next
    }

    pub(crate) fn key(&self) -> SubscriptionKey {
        SubscriptionKey {
            shared: Arc::clone(&self.shared),
            unsubscribe: Arc::clone(&self.unsubscribe),
        }
    }

    /// Why nothing more comes, if the peer has not said it.
    pub(crate) fn end(&self) -> Option<&InboxEnd> {
        self.shared.end.get()
    }
}

/// Whether a result can be the id of a subscription.
pub(super) fn is_id(result: &str) -> bool {
    matches!(result.as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9'))
}

impl Inboxes {
    /// The peer has agreed: its items may come from now on. An answer that is no id opens nothing,
    /// which the subscriber sees in the answer itself. One that is in use is the first subscriber's.
    pub(super) fn open(&mut self, id: &str, spec: InboxSender) {
        if self.table.contains_key(id) {
            spec.end(InboxEnd::Confused);
        } else if is_id(id) {
            self.table.insert(id.into(), spec);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn lose(self, end: &Arc<End>) {
        for spec in self.table.into_values() {
            spec.end(InboxEnd::Lost(Arc::clone(end)));
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
