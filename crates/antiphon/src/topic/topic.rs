//! Topic: publishing, and the number of those who listen.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use antiphon_proto::write_json;
use serde::Serialize;

use super::core::Core;
use super::filter::Filter;
use super::item::{Item, Text};
use super::keys::MAX_KEY;
use super::published::{PublishError, Published};
use super::subscription::Subscription;

/// Items by key, from those who publish to all who have subscribed. Cheap to clone.
///
/// An item is written as JSON once, and all subscribers of its key share that text. Each key numbers its
/// items from 1, and everybody sees them in this order. Publishing never waits: a subscriber that does not
/// keep up loses items, or its subscription, as [`Overflow`](crate::Overflow) says. A key exists while it
/// has subscribers or a history.
///
/// # Workers
///
/// In a server with worker processes the topics of one name are one topic: what is published in one
/// worker reaches the subscribers of all, in one order, numbered by the supervisor. A worker that starts
/// has the history, and cursors are good at every worker. A subscriber that is there before gets all that
/// its worker publishes; if others may have published meanwhile, its first item says `"missed":null`.
/// Several topics of one name in a process stay apart, and the first, second… of each worker belong
/// together; so give each topic a name of its own.
/// What a program publishes before [`Server::start`](crate::Server::start), each worker publishes that
/// starts, as far as the history keeps it. A supervisor that replaces another one begins anew: whoever
/// goes on is told so with `"missed":null`.
///
/// # Several servers
///
/// Behind a NATS server (feature `nats`) the topics of one name are one topic for all servers with the same
/// prefix, as they are for workers. Nobody has to configure anything. A topic with a history is kept in a
/// stream, if the NATS server has JetStream: there is one order for all, cursors are good at every server,
/// and the history outlives all of them. Then the stream numbers the items of all keys together, and
/// [`publish`](Self::publish) has to wait for it; while it is away, nothing is published. Otherwise each
/// server numbers what it gets: those of one server keep their order, a cursor is good at its own server, and
/// what is lost on the way is told by `"missed":null`. Hooks and [`subscribers`](Self::subscribers) are those
/// of one server. A program that calls `start` shares its topics so; any other one says
/// [`Settings::share_topics`](crate::Settings::share_topics), and its first server decides.
///
/// A method of `#[rpc]`, or a function of [`Router::method_fn`](crate::Router::method_fn), returns a
/// [`Subscription`]. When the last clone of the topic is dropped, its subscriptions end.
///
/// ```
/// # mod program {
/// use antiphon::{Client, Router, Subscription, Topic, rpc};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Tick { symbol: String, price: f64 }
///
/// struct Market { ticks: Topic<Tick> }
///
/// #[rpc]
/// impl Market {
///     /// Prices of one symbol, from now on or from where the caller left off.
///     fn rpc_ticks(&self, symbol: String) -> Subscription<Tick> {
///         self.ticks.subscribe(&symbol)
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # pub async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ticks = Topic::builder("market.ticks").history(1000).build();
/// let router = Router::of(Market { ticks: ticks.clone() }).build()?;
/// let client = Client::builder("").in_process(&router).build()?;
///
/// let mut gold = client.subscribe::<Tick>("ticks", ("gold",)).await?;
/// ticks.publish("gold", &Tick { symbol: "gold".into(), price: 2043.5 });
/// let tick = gold.next().await.unwrap()?;
/// assert_eq!(tick.price, 2043.5);
/// # Ok(())
/// # }
/// # }
/// # fn main() {
/// #     program::main().unwrap();
/// # }
/// ```
pub struct Topic<T> {
    owner: Arc<Owner>,
    item: PhantomData<fn(&T)>,
}

/// What all clones of a topic hold, and subscribers do not.
struct Owner(Arc<Core>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<T> Topic<T> {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self {
            owner: Arc::new(Owner(core)),
            item: PhantomData,
        }
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.owner.0
    }

    /// Subscribes to one key, from now on. The items wait until the method has returned the subscription.
    ///
    /// If the topic has too many keys, or the key has more than 256 bytes, the call is answered with
    /// error −32000.
    ///
    /// # Panics
    ///
    /// In a filter of a topic.
    pub fn subscribe(&self, key: impl AsRef<str>) -> Subscription<T> {
        Filter::forbid("subscribe");
        let key = key.as_ref();
        match key.len() <= MAX_KEY {
            true => Subscription::new(self.core(), Some(key)),
            false => Subscription::refused(self.core()),
        }
    }

    /// Subscribes to all keys, from now on. Everybody sees the same order, also of items of different
    /// keys.
    ///
    /// # Panics
    ///
    /// In a filter of a topic.
    pub fn subscribe_all(&self) -> Subscription<T> {
        Filter::forbid("subscribe");
        Subscription::new(self.core(), None)
    }

    /// The number of subscribers of a key, without those of all keys; with workers of all of them, as
    /// they were some milliseconds ago.
    ///
    /// # Panics
    ///
    /// In a filter of a topic.
    #[must_use]
    pub fn subscribers(&self, key: &str) -> usize {
        Filter::forbid("ask for subscribers");
        self.core().subscribers(key)
    }

    /// The number of subscribers of all keys together, with those of [`subscribe_all`](Self::subscribe_all);
    /// with workers of all of them, as they were some milliseconds ago.
    #[must_use]
    pub fn all_subscribers(&self) -> usize {
        self.core().all_subscribers()
    }

    /// The number of keys that have subscribers or a history. With workers up to 1,024 that were used
    /// lately count as well.
    ///
    /// # Panics
    ///
    /// In a filter of a topic.
    #[must_use]
    pub fn keys(&self) -> usize {
        Filter::forbid("ask for keys");
        self.core().keys()
    }

    /// Bytes that the topic holds: items in histories, and items that only wait for subscribers. An
    /// item counts once, with about 300 bytes beside its text. The latter include the queues of
    /// subscribers that go on behind a cursor, if they are long.
    #[must_use]
    pub fn held_bytes(&self) -> (usize, usize) {
        let memory = &self.core().memory;
        (memory.kept(), memory.waiting() + memory.queues())
    }
}

impl<T: Serialize + 'static> Topic<T> {
    /// Publishes an item under a key. Never waits: the item is on its way when this returns, and the
    /// result is a future of its number, which need not be awaited.
    ///
    /// Within one process, an item of a key that nobody has subscribed to, of a topic without history, is
    /// not written. Such a key does not exist, and the number is 1. In a worker the supervisor gives the
    /// number, when the item is in the history and on its way to all workers: then it is not lost if this
    /// worker dies.
    ///
    /// # Errors
    ///
    /// The future's: if the key is too long, or the item is too large or has no JSON form; in a worker
    /// also if items are published faster than the supervisor passes them on, or if the supervisor is
    /// gone. Nobody gets the item then, and only in the last case this is not sure. An error that nobody
    /// awaits is logged.
    ///
    /// # Panics
    ///
    /// In a filter of a topic.
    pub fn publish(&self, key: impl AsRef<str>, item: &T) -> Published {
        Filter::forbid("publish");
        self.try_publish(key.as_ref(), item)
            .unwrap_or_else(Published::failed)
    }

    fn try_publish(&self, key: &str, item: &T) -> Result<Published, PublishError> {
        if key.len() > MAX_KEY {
            return Err(PublishError::KeyTooLong);
        }
        let core = self.core();
        if !core.wants(key) {
            return Ok(Published::known(1));
        }
        let mut text = Text::begin();
        write_json(&mut text, item).map_err(PublishError::NotJson)?;
        let text = Text::end(text);
        match Item::bytes_of(key, &text) <= core.max_item() {
            true => Ok(core.publish(key, text, item)),
            false => Err(PublishError::TooLarge),
        }
    }
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        Self {
            owner: Arc::clone(&self.owner),
            item: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("subscribers", &self.all_subscribers())
            .finish_non_exhaustive()
    }
}
