//! Subscriptions: a call of a method that returns a stream is answered with an id, and the items
//! follow as notifications.
//!
//! This module has the parts that do not depend on the connection: the options, the type-erased
//! stream, and the encoding of messages. Queues and their limits are in `connection`.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | what a method returns, its options, [`Opening`] |
//! | `items.rs` | type-erased streams of JSON text, or what a topic has for a subscriber |
//! | `producer.rs` | a method's future together with the stream that it returns |
//! | `encode.rs` | encoding of subscription messages |

mod encode;
mod items;
mod producer;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::current_call::CurrentCall;
use crate::topic::Overflow;

pub(crate) use encode::{Ending, MessageFormat};
pub(crate) use items::{ItemPlace, ItemStream, Items, Room, erase, write as write_item};
pub(crate) use producer::Produced;
pub use producer::Producer;

/// What a method that opens subscriptions returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Kind {
    /// Nobody knows: its author says that it is a subscription.
    #[default]
    Declared,
    /// A stream.
    Stream,
    /// A subscription to a topic.
    Topic,
}

/// Options of a method's subscriptions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) kind: Kind,
    /// The method name of the notifications; `None` means the name of the method.
    pub(crate) notification: Option<String>,
    /// A method that ends subscriptions, besides `rpc.unsubscribe`.
    pub(crate) unsubscribe: Option<String>,
    /// Whether messages go without `seq` and `end`.
    pub(crate) plain: bool,
    /// `None` for the default, or that of the topic.
    pub(crate) overflow: Option<Overflow>,
}

/// A subscription that is about to begin. Its id is the call's result.
pub(crate) struct Opening {
    /// The id as in messages, without quotes.
    pub(crate) id: String,
    pub(crate) format: MessageFormat,
    pub(crate) overflow: Option<Overflow>,
    pub(crate) items: Items,
    /// The cursor of the place in a topic where it begins, if its reader can come back by itself, or asks.
    pub(crate) start: Option<Box<str>>,
    /// What one item may take.
    pub(crate) room: Room,
    /// What calls made by the stream inherit: the trace context, but not the deadline.
    pub(crate) current: CurrentCall,
    /// The method, for the log.
    pub(crate) method: String,
    /// The caller, for the log.
    pub(crate) caller: String,
    /// The permit for one subscription of its peer, released when dropped.
    pub(crate) place: Box<dyn Send + Sync>,
}

impl Opening {
    pub(crate) fn new(
        method: &str,
        options: &Options,
        items: Items,
        room: Room,
        current: CurrentCall,
        place: Box<dyn Send + Sync>,
        caller: String,
    ) -> Self {
        let id = unguessable();
        let name = options.notification.as_deref().unwrap_or(method);
        Self {
            format: MessageFormat::new(name, &id, options.plain),
            id,
            overflow: options.overflow,
            items,
            start: None,
            room,
            current: CurrentCall {
                deadline: None,
                ..current
            },
            method: method.to_owned(),
            caller,
            place,
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// 128 bits that nobody can guess, in the format that Ethereum clients expect of an id. The keys of the
/// hash are random and never leave this process.
pub(crate) fn unguessable() -> String {
    static KEYS: LazyLock<[RandomState; 2]> =
        LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let [high, low] = KEYS.each_ref().map(|keys| keys.hash_one(number));
    // The first digit is never zero, since some clients parse ids as numbers.
    format!("0x{:016x}{low:016x}", high | 1 << 63)
}
