//! Methods of another server as a part of a router.
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs` | [`Remote`]: a client → a router whose calls it forwards |
//! | `union.rs` | the methods of several servers, for a gateway |
//! | `choose.rs` | a name → the one of several servers that describes it |
//! | `forward.rs` | one call, notification or request to subscribe → the other server |
//! | `flights.rs` | equal calls at the same time, answered with one result |
//! | `cache.rs` | results that are kept for a while |
//! | `pattern.rs` | names of methods, single ones or all that begin alike |
//! | `items.rs` | the items of a subscription, with their places |
//! | `document.rs` | what the other server says of its methods, asked for again from time to time |
//! | `watch.rs` | whether the other server answers, asked from time to time |
//! | `source.rs` | what documents, health and metrics show of it |
//! | `outage_tests.rs` | servers that are cut off or stand still: what callers get |
//! | `fault.rs` | failures of the client as errors for callers |

mod builder;
mod cache;
mod choose;
mod document;
mod fault;
mod flights;
mod forward;
mod items;
#[cfg(test)]
mod outage_tests;
mod pattern;
mod source;
#[cfg(feature = "server")]
mod union;
mod watch;

pub use builder::Remote;
#[cfg(feature = "server")]
pub(crate) use union::Union;
