//! Subscriptions of a client: a remote stream as a local one, also across lost connections.
//!
//! | file | what it does |
//! |---|---|
//! | `pending.rs` | [`PendingSubscription`]: options of a subscription that has not begun |
//! | `request.rs` | the request to subscribe, sent once and again after an outage |
//! | `items.rs` | [`Subscription`]: the items as they arrive |
//! | `message.rs` | notifications that carry items |
//! | `error.rs` | [`StreamError`]: an error in place of an item |
//! | `outage_tests.rs` | outages of any length, servers that stop or refuse, and slow programs |

mod error;
mod items;
mod message;
#[cfg(test)]
mod outage_tests;
mod pending;
mod request;

pub use error::StreamError;
pub use items::Subscription;
pub use pending::PendingSubscription;
