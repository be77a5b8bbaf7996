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
//! | `resume.rs`, `paused.rs` | subscribers that go on behind an item, and those that have to wait to do so |
//! | `subscription.rs` | [`Subscription`]: what a method returns, or the program reads |
//! | `reader.rs` | reading a subscription in the process, and [`SubscriptionError`] |
//! | `event.rs` | [`Event`]: an item with its place |
//! | `feed.rs` | [`Feed`]: what a session takes items from |
//! | `core.rs`, `lock.rs` | numbering and delivery, and the lock around both |
//! | `keys.rs`, `history.rs` | keys with their numbers and subscribers, and their last items |
//! | `queue.rs`, `waiting.rs`, `gaps.rs` | the queue of a subscriber, what waits there, and what is missing |
//! | `kept.rs`, `kept_places.rs` | [`Kept`](kept::Kept): what a broker keeps, and the places of its items |
//! | `members.rs` | lists of subscribers |
//! | `item.rs` | [`Item`]: the shared text |
//! | `cursor.rs` | [`Cursor`]: a place from which a subscriber can go on |
//! | `filter.rs` | filters of subscribers |
//! | `hooks.rs` | hooks for the first and the last subscriber of a key |
//! | `memory.rs` | bytes of items, and their part in the budget for responses |
//! | `overflow.rs` | [`Overflow`]: policies for subscribers that do not keep up |
//! | `model_tests.rs` | random use of a topic beside a model of it; one order for many threads |
//! | `bounds_tests.rs` | bounds of keys, of what waits and of histories |
//! | `user_code_tests.rs` | hooks and filters |
//! | `counts.rs` | counters for metrics, of all topics of the process |
//! | `registry.rs` | the topics of the process, and the channel to its supervisor |
//! | `replica.rs` | a topic of a worker, which follows its supervisor |
//! | `link/` | the worker's end of the channel, and its messages |
//! | `hub/` | the supervisor's part |

#[cfg(test)]
mod bounds_tests;
mod builder;
mod core;
pub(crate) mod counts;
mod cursor;
mod event;
mod feed;
mod filter;
mod gaps;
mod history;
mod hooks;
pub(crate) mod hub;
mod item;
pub(crate) mod kept;
mod kept_places;
pub(crate) mod keys;
pub(crate) mod link;
mod lock;
mod members;
mod memory;
#[cfg(test)]
mod model_tests;
mod overflow;
mod paused;
pub(crate) mod published;
mod queue;
mod reader;
pub(crate) mod registry;
mod replica;
mod resume;
mod subscription;
#[allow(clippy::module_inception)] // the type has the name of the folder
mod topic;
#[cfg(test)]
mod user_code_tests;
mod waiting;

pub use builder::TopicBuilder;
pub use cursor::Cursor;
pub use event::Event;
pub(crate) use feed::Feed;
pub(crate) use gaps::Missed;
pub(crate) use item::Item;
pub use overflow::Overflow;
pub use published::{PublishError, Published};
pub(crate) use queue::{Next, Over, QueueLimits};
pub use reader::SubscriptionError;
pub use subscription::Subscription;
pub use topic::Topic;
