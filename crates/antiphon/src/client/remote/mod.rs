//! Methods of another server as a part of a router.
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs` | [`Remote`]: a client → a router whose calls it forwards |
//! | `forward.rs` | one call, notification or request to subscribe → the other server |
//! | `items.rs` | the items of a subscription, with their places |
//! | `document.rs` | what the other server says of its methods, asked for again from time to time |
//! | `fault.rs` | failures of the client as errors for callers |

mod builder;
mod document;
mod fault;
mod forward;
mod items;

pub use builder::Remote;
