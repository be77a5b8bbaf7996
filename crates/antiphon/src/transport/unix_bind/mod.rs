//! Creation of listening Unix sockets.
//!
//! | file | what it does |
//! |---|---|
//! | `bind.rs` | a listening socket at a path, which nobody else can reach meanwhile |
//! | `lock.rs` | the lock on that path |
//! | `group.rs` | the number of a group |

pub(super) mod bind;
mod group;
mod lock;
