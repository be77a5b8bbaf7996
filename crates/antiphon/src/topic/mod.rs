//! Topics: publish once, reach everybody.
//!
//! An item is written once. It is put into the queue of each subscriber by reference, and each queue
//! wakes the task of its connection, which writes the envelope and copies the text behind it. Publishing
//! holds the lock of the topic; taking an item needs the lock of one queue.
//!
//! | file | what it does |
//! |---|---|
//! | `topic.rs` | [`Topic`]: publishing, counts of subscribers |
//! | `published.rs` | [`Published`]: the number of an item, now or later; [`PublishError`] |
//! | `builder.rs` | [`TopicBuilder`]: history, limits, hooks |
//! | `resume.rs`, `held.rs` | subscribers that go on behind an item, and those that have to wait to do so |
//! | `subscription.rs` | [`Subscription`]: what a method returns |
//! | `feed.rs` | [`Feed`]: what a session takes items from |
//! | `core.rs` | numbering and delivery, and the lock around both |
//! | `keys.rs` | keys with their numbers, subscribers and histories |
//! | `queue.rs` | the queue of a subscriber, and lists of subscribers |
//! | `item.rs` | [`Item`]: the shared text |
//! | `cursor.rs` | [`Cursor`]: a place from which a subscriber can go on |
//! | `filter.rs` | filters of subscribers |
//! | `hooks.rs` | hooks for the first and the last subscriber of a key |
//! | `memory.rs` | bytes of items, and their part in the budget for responses |
//! | `overflow.rs` | [`Overflow`]: policies for subscribers that do not keep up |
//! | `model_tests.rs` | random use of a topic beside a model of it; memory, hooks, filters |
//! | `counts.rs` | counters for metrics, of all topics of the process |
//! | `registry.rs` | the topics of the process, and the channel to its supervisor |
//! | `replica.rs` | a topic of a worker, which follows its supervisor |
//! | `link/` | the worker's end of the channel, and its messages |
//! | `hub/` | the supervisor's part |

mod builder;
mod core;
pub(crate) mod counts;
mod cursor;
mod feed;
mod filter;
mod held;
mod hooks;
pub(crate) mod hub;
mod item;
mod keys;
pub(crate) mod link;
mod memory;
#[cfg(test)]
mod model_tests;
mod overflow;
mod published;
mod queue;
pub(crate) mod registry;
mod replica;
mod resume;
mod subscription;
#[allow(clippy::module_inception)] // the type has the name of the folder
mod topic;

pub use builder::TopicBuilder;
pub use cursor::Cursor;
pub(crate) use feed::Feed;
pub(crate) use item::Item;
pub use overflow::Overflow;
pub use published::{PublishError, Published};
pub(crate) use queue::{Missed, Next, Over, QueueLimits};
pub use subscription::Subscription;
pub use topic::Topic;
