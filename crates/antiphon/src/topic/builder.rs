//! Builder of topics.

use std::marker::PhantomData;
use std::sync::Arc;

use super::core::{Core, TopicLimits};
use super::filter::Filter;
use super::hooks::Hooks;
use super::keys::HistoryLimits;
use super::overflow::Overflow;
use super::registry;
use super::topic::Topic;

/// Builder of a [`Topic`].
#[must_use = "a topic is made by `build`"]
pub struct TopicBuilder<T> {
    name: String,
    limits: TopicLimits,
    overflow: Overflow,
    hooks: Hooks,
    item: PhantomData<fn(&T)>,
}

impl<T> Topic<T> {
    /// A builder for a topic. The name appears in metrics, and says which topics of worker processes
    /// belong together.
    pub fn builder(name: impl Into<String>) -> TopicBuilder<T> {
        TopicBuilder {
            name: name.into(),
            limits: TopicLimits {
                history: HistoryLimits {
                    items: 0,
                    bytes: 16 * 1024 * 1024,
                },
                waiting: 64 * 1024 * 1024,
                keys: 100_000,
            },
            overflow: Overflow::default(),
            hooks: Hooks::default(),
            item: PhantomData,
        }
    }
}

impl<T> TopicBuilder<T> {
    /// Keeps the last items of each key for subscribers that resume. Default: none.
    pub fn history(mut self, items: usize) -> Self {
        self.limits.history.items = items;
        self
    }

    /// The most bytes of all items that are kept; beyond it the oldest ones go. Default: 16 MiB.
    pub fn history_bytes(mut self, bytes: usize) -> Self {
        self.limits.history.bytes = bytes;
        self
    }

    /// The most bytes of items that wait for subscribers and are not kept anyway, and of one item; beyond
    /// it those go that have waited longest, as the [`Overflow`] of their subscribers says. Default: 64 MiB.
    ///
    /// The queues of subscribers that go on behind a cursor may take as much again, 16 bytes for each
    /// item, if more than 256 items of the history wait. Beyond it, such a subscriber gets error −32000; if
    /// its worker had to ask the supervisor first, the subscription ends as that of one that does not keep
    /// up.
    pub fn max_waiting(mut self, bytes: usize) -> Self {
        self.limits.waiting = bytes;
        self
    }

    /// The most keys that have subscribers or a history. Default: 100,000.
    ///
    /// A new key takes the place of that one without subscribers that was published longest ago; if all
    /// have subscribers, its subscribers get error −32000, and its items are not kept.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.limits.keys = keys;
        self
    }

    /// What happens to subscribers that do not keep up, unless their method says otherwise with
    /// `#[method(overflow = "…")]`. Default: [`Overflow::Disconnect`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Runs `hook` when a key has its first subscriber, to start what publishes it.
    ///
    /// Hooks run one after the other, in the order of what has happened, in a task that has subscribed
    /// or whose subscription has ended. So they must be quick; they may use the topic. A key whose
    /// subscriber has come and gone while another hook was running is not told. Subscribers of all keys do
    /// not count.
    ///
    /// With workers a key has its first subscriber once, in whichever worker, and the hook runs there. If
    /// that worker goes away while others have subscribers, the hook runs in one of those. In a worker
    /// hooks run in the task that talks with the supervisor.
    pub fn on_first(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.hooks.first = Some(Box::new(hook));
        self
    }

    /// Runs `hook` when the last subscriber of a key has gone, as [`on_first`](Self::on_first) does; with
    /// workers the last one of all, in the worker in which that one has run.
    pub fn on_last(mut self, hook: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.hooks.last = Some(Box::new(hook));
        self
    }

    /// Makes the topic. In a worker the limits hold for its own copy of the histories, and those of the
    /// worker that has come last for the supervisor's.
    ///
    /// # Panics
    ///
    /// In a filter of a topic.
    #[must_use]
    pub fn build(self) -> Topic<T> {
        Filter::forbid("make another one");
        let core = Core::new(&self.name, self.limits, self.overflow, self.hooks);
        let core = Arc::new(core);
        registry::add(&self.name, &core);
        Topic::new(core)
    }
}

impl<T> std::fmt::Debug for TopicBuilder<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicBuilder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
