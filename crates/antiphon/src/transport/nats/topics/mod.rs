//! Topics over a broker: what servers with the same prefix publish reaches the subscribers of all.
//!
//! A topic with a history is kept in a stream of JetStream, if the broker has that: all servers follow the
//! stream, whose numbers are the cursors. Other topics go from server to server, each of which numbers what
//! it sends, so that the others know when something was lost.
//!
//! | file | what it does |
//! |---|---|
//! | `follower.rs` | [`follow`](follower::follow): the connection of a hub to its broker, both directions |
//! | `stream.rs` | a topic that a stream keeps |
//! | `origins.rs` | [`Origins`](origins::Origins): numbers of what other servers have sent |
//! | `names.rs` | [`Names`](names::Names): subjects and streams |
//! | `shared.rs` | [`Shared`](shared::Shared): what they share |

mod follower;
mod names;
mod origins;
mod shared;
mod stream;

pub(crate) use follower::follow;
