//! Subscriptions of ours: the items that the peer sends, kept until somebody takes them.
//!
//! The session's task never waits for a subscriber: one that does not keep up loses its
//! subscription, and is told so.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use antiphon_proto::RawJson;
use tokio::sync::mpsc;

use super::{End, SessionHandle, State};

/// Bytes that may wait for one subscriber here.
const MAX_BYTES: usize = 4 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Inboxes {
    /// By the JSON text of the subscription's id.
    table: HashMap<Box<str>, InboxSpec>,
}

/// Where the items of a subscription go, once the peer has agreed to it.
#[derive(Clone)]
pub(crate) struct InboxSpec {
    sender: mpsc::Sender<Event>,
    shared: Arc<Shared>,
    /// The method that ends the subscription.
    unsubscribe: Arc<str>,
}

/// Tells a subscription from all others, and says how it is ended.
#[derive(Clone)]
pub(crate) struct Mark {
    shared: Arc<Shared>,
    unsubscribe: Arc<str>,
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

impl InboxSpec {
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

    pub(super) fn mark(&self) -> Mark {
        Mark {
            shared: Arc::clone(&self.shared),
            unsubscribe: Arc::clone(&self.unsubscribe),
        }
    }

    /// False if the subscriber has no room for it.
    fn deliver(&self, params: RawJson) -> bool {
        let bytes = params.as_str().len();
        let held = self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        (held == 0 || held + bytes <= MAX_BYTES) && self.sender.try_send(Event(params)).is_ok()
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

    pub(crate) fn mark(&self) -> Mark {
        Mark {
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
fn is_id(result: &str) -> bool {
    matches!(result.as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9'))
}

impl Inboxes {
    /// The peer has agreed: its items may come from now on. An answer that is no id opens nothing,
    /// which the subscriber sees in the answer itself. One that is in use is the first subscriber's.
    pub(super) fn open(&mut self, id: &str, spec: InboxSpec) {
        if self.table.contains_key(id) {
            let _ = spec.shared.end.set(InboxEnd::Confused);
        } else if is_id(id) {
            self.table.insert(id.into(), spec);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn lose(self, end: &Arc<End>) {
        for spec in self.table.into_values() {
            let _ = spec.shared.end.set(InboxEnd::Lost(Arc::clone(end)));
        }
    }
}

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
            let _ = spec.shared.end.set(InboxEnd::Lagged);
            self.change(|state| self.tell_unsubscribed(state, id, &spec.unsubscribe));
        }
        true
    }

    /// Ends a subscription of ours; the peer is told.
    pub(crate) fn forget(&self, id: &str, mark: &Mark) {
        self.change(|state| {
            let known = state.inboxes.table.get(id);
            if known.is_some_and(|spec| Arc::ptr_eq(&spec.shared, &mark.shared)) {
                state.inboxes.table.remove(id);
                self.tell_unsubscribed(state, id, &mark.unsubscribe);
            }
        });
    }

    /// The peer agrees to a subscription that nobody wants any more: it is ended.
    pub(super) fn decline(&self, state: &mut State, id: &str, mark: &Mark) {
        if is_id(id) {
            self.tell_unsubscribed(state, id, &mark.unsubscribe);
            self.0.mail.store(true, Ordering::Release);
        }
    }

    fn tell_unsubscribed(&self, state: &mut State, id: &str, method: &str) {
        self.call_and_forget(state, method, &format!("[{id}]"));
    }
}

impl fmt::Debug for InboxSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboxSpec")
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inbox")
    }
}
