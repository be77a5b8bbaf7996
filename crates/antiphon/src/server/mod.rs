//! A server: routes, listeners, limits and a life from start to stop.
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs` | [`Server`], as a user sets it up |
//! | `settings.rs` | [`Settings`]: what may also come from a file, the environment or flags |
//! | `listener.rs` | addresses → sockets that listen |
//! | `inherit.rs` | doors that another process has opened |
//! | `pages.rs` | documents: health, metrics, what is offered |
//! | `bound.rs` | [`Listening`]: all doors open |
//! | `routes.rs`, `exposure.rs` | what connections are offered; who can come, and who is local |
//! | `accept.rs` | accepting connections, within bounds, until the queue is empty |
//! | `raw.rs` | connections that carry messages and nothing else |
//! | `handle.rs` | [`Handle`]: stop a server and look at it |
//! | `error.rs` | [`ServeError`]: why a server does not start |
//! | `commands.rs` | [`ServerCommands`]: `ping`, `echo`, listings, `server_info` |

mod accept;
pub(crate) mod bound;
mod builder;
mod commands;
mod error;
pub(crate) mod exposure;
mod handle;
#[cfg(all(unix, feature = "supervisor"))]
mod inherit;
pub(crate) mod listener;
mod pages;
mod raw;
mod routes;
mod settings;
mod supervision;

pub use bound::Listening;
pub use builder::{HttpStack, IntoRoute, Server};
pub use commands::{ServerCommands, ServerInfo};
pub use error::ServeError;
pub use handle::Handle;
pub use settings::{Profile, Settings};
pub use supervision::Supervision;
