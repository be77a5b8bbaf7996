//! A server: routes, listeners, limits and a life from start to stop.
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs` | [`Server`], as a user sets it up |
//! | `settings.rs` | [`Settings`]: what may also come from a file, the environment or flags |
//! | `door.rs` | addresses → sockets that listen |
//! | `handed.rs` | doors that another process has opened |
//! | `pages.rs` | documents: health, metrics, what is offered |
//! | `listen.rs` | [`Listening`]: all doors open |
//! | `site.rs`, `reach.rs` | what connections are offered; who can come, and who is local |
//! | `accept.rs` | accepting connections, within bounds, until the queue is empty |
//! | `raw.rs` | connections that carry messages and nothing else |
//! | `handle.rs` | [`Handle`]: stop a server and look at it |
//! | `error.rs` | [`ServeError`]: why a server does not start |
//! | `commands.rs` | [`ServerCommands`]: `ping`, `echo`, listings, `server_info` |

mod accept;
mod builder;
#[cfg(feature = "macros")]
mod commands;
pub(crate) mod door;
mod error;
#[cfg(all(unix, feature = "supervisor"))]
mod handed;
mod handle;
pub(crate) mod listen;
mod pages;
#[cfg(any(feature = "tcp", feature = "unix", feature = "stdio"))]
mod raw;
pub(crate) mod reach;
mod settings;
mod site;

pub use builder::{HttpStack, IntoRoute, Server};
#[cfg(feature = "macros")]
pub use commands::{ServerCommands, ServerInfo};
pub use error::ServeError;
pub use handle::Handle;
pub use listen::Listening;
pub use settings::{Profile, Settings};
