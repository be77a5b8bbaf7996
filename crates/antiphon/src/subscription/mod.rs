//! Subscriptions: a method that returns a stream is answered with an id, and its items follow as
//! notifications.
//!
//! Here is what a subscription is, apart from where it goes: its options, its stream with the type
//! of its items forgotten, and the text of its messages. Queues and their bounds are the link's.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Overflow`], the options of a method, [`Opening`] |
//! | `items.rs` | streams of items as streams of JSON text |
//! | `producer.rs` | a method together with the stream that it returns |
//! | `encode.rs` | encoding of subscription messages |

mod encode;
mod items;
mod producer;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::task_local::CurrentCall;

pub(crate) use encode::{Ending, MessageFormat};
pub(crate) use items::{Items, erase};
pub(crate) use producer::Produced;
pub use producer::Producer;

/// What happens to a subscription whose subscriber does not keep up.
///
/// Up to 256 items or 1 MiB wait for each subscriber, besides what its connection is already
/// writing. This says what one item more does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// The subscription ends with `"end":"lagged"`, after the items that wait.
    #[default]
    Disconnect,
    /// The oldest item that waits is dropped. The jump in `seq` tells how many are missing.
    DropOldest,
    /// Only the newest item waits; the jump in `seq` tells how many are missing.
    LatestOnly,
    /// The stream is not asked for more until there is room: it is as slow as its subscriber.
    Block,
}

/// How a method's subscriptions look and behave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// The name of the notifications; the method's own if there is none.
    pub(crate) notification: Option<String>,
    /// A method that ends subscriptions, besides `rpc.unsubscribe`.
    pub(crate) unsubscribe: Option<String>,
    /// Without `seq` and `end`.
    pub(crate) plain: bool,
    pub(crate) overflow: Overflow,
}

/// A subscription that is about to begin: its id is the call's result.
pub(crate) struct Opening {
    /// As it stands in messages, without quotes.
    pub(crate) id: String,
    pub(crate) format: MessageFormat,
    pub(crate) overflow: Overflow,
    pub(crate) items: Items,
    /// Bytes in one item.
    pub(crate) max_item: usize,
    /// What calls made by the stream inherit: the trace, not the deadline.
    pub(crate) current: CurrentCall,
    /// The method and the caller, for the log.
    pub(crate) method: String,
    pub(crate) caller: String,
    /// Its place among the subscriptions of its peer, given back when it is dropped.
    pub(crate) place: Box<dyn Send + Sync>,
}

impl Opening {
    pub(crate) fn new(
        method: &str,
        options: &Options,
        items: Items,
        max_item: usize,
        current: CurrentCall,
        place: Box<dyn Send + Sync>,
        caller: String,
    ) -> Self {
        let id = new_id();
        let name = options.notification.as_deref().unwrap_or(method);
        Self {
            format: MessageFormat::new(name, &id, options.plain),
            id,
            overflow: options.overflow,
            items,
            max_item,
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

/// 128 bits that nobody can guess, written as Ethereum's clients expect an id. The keys of the
/// hash are random and stay in this process.
fn new_id() -> String {
    static KEYS: LazyLock<[RandomState; 2]> =
        LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let [high, low] = KEYS.each_ref().map(|keys| keys.hash_one(number));
    // The first digit is not zero: some clients read ids as numbers.
    format!("0x{:016x}{low:016x}", high | 1 << 63)
}
