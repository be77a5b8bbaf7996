//! Server: routes, listeners, limits, and its life from start to stop.
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs` | [`Server`], as a user sets it up |
//! | `settings.rs`, `supervision.rs` | [`Settings`]: what may also come from a file, the environment or flags |
//! | `source.rs`, `http_layer.rs` | what routes are made from; layers over HTTP requests |
//! | `serve.rs` | binding, serving and stopping in the caller's runtime |
//! | `bound.rs` | [`BoundServer`]: all listeners are bound |
//! | `listener.rs`, `inherit.rs` | addresses → listening sockets; sockets of another process |
//! | `app.rs` | the routes under given settings |
//! | `exposure.rs` | who can reach the server, and who is local |
//! | `accept.rs`, `slots.rs` | the accept loop; bounds on open connections |
//! | `setup.rs`, `raw.rs` | setup of a new connection; connections of raw messages |
//! | `pages.rs` | documents: health, metrics, OpenRPC, the page |
//! | `handle.rs` | [`ServerHandle`]: stops a server and observes it |
//! | `error.rs` | [`ServeError`]: why a server does not start |
//! | `commands.rs` | [`ServerCommands`]: `ping`, `echo`, listings, `server_info` |

mod accept;
mod app;
pub(crate) mod bound;
mod builder;
mod commands;
mod error;
pub(crate) mod exposure;
mod handle;
mod http_layer;
#[cfg(all(unix, feature = "supervisor"))]
mod inherit;
pub(crate) mod listener;
mod pages;
mod raw;
mod serve;
mod settings;
mod setup;
mod slots;
mod source;
mod supervision;

pub use bound::BoundServer;
pub use builder::{IntoRoute, Server};
pub use commands::{ServerCommands, ServerInfo};
pub use error::ServeError;
pub use handle::ServerHandle;
pub use http_layer::HttpStack;
pub use settings::{Profile, Settings};
pub use supervision::Supervision;
