//! A server: routes, listeners, limits and a life from start to stop.
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs` | [`Server`], as a user sets it up |
//! | `settings.rs` | [`Settings`]: what may also come from a file, the environment or flags |
//! | `door.rs` | addresses → sockets that listen |
//! | `listen.rs` | [`Listening`]: all doors open; who can be reached from where |
//! | `accept.rs` | accepting connections, within bounds, until the queue is empty |
//! | `raw.rs` | connections that carry messages and nothing else |
//! | `handle.rs` | [`Handle`]: stop a server and look at it |
//! | `error.rs` | [`ServeError`]: why a server does not start |
//! | `commands.rs` | [`ServerCommands`]: `ping`, `echo`, listings, `server_info` |
//! | `args.rs`, `units.rs`, `start.rs` | a whole program: arguments, file, log, signals, runtime |

mod accept;
#[cfg(feature = "cli")]
mod args;
mod builder;
#[cfg(feature = "macros")]
mod commands;
mod door;
mod error;
mod handle;
mod listen;
#[cfg(any(feature = "tcp", feature = "unix", feature = "stdio"))]
mod raw;
mod settings;
#[cfg(feature = "cli")]
mod start;
#[cfg(feature = "cli")]
mod units;

#[cfg(feature = "cli")]
pub use args::ServeArgs;
pub use builder::{HttpStack, IntoRoute, Server};
#[cfg(feature = "macros")]
pub use commands::{ServerCommands, ServerInfo};
pub use error::ServeError;
pub use handle::Handle;
pub use listen::Listening;
pub use settings::{Profile, Settings};
#[cfg(feature = "cli")]
pub use units::{Size, Wait};
