//! Server: routes, listeners, limits, and lifecycle.
//!
//! | file | what it does |
//! |---|---|
//! | `builder.rs`, `access.rs`, `layers.rs` | [`Server`]: the builder, its options of callers, its layers |
//! | `settings.rs`, `supervision.rs` | [`Settings`], also from a file, the environment, flags |
//! | `settings_check/` | settings that cannot be meant |
//! | `route_source.rs`, `http_layer.rs` | sources of routes; layers over HTTP requests |
//! | `serve.rs` | binding, serving and stopping in the caller's runtime |
//! | `brokers.rs`, `broker_topics.rs` | brokers among the addresses; topics of all servers behind one |
//! | `bound.rs` | [`BoundServer`]: a server with bound listeners |
//! | `listener.rs`, `inherit.rs` | addresses → listening sockets; sockets from another process |
//! | `reload.rs` | reload of a running server |
//! | `app.rs` | the routes combined with the current settings |
//! | `authentication.rs`, `no_authentication.rs` | the authenticators that settings name; none of them in builds without |
//! | `exposure.rs` | who can reach the server, and whether callers count as local |
//! | `accept.rs`, `connection_limits.rs` | the accept loop; limits on open connections |
//! | `connection_kind.rs`, `address_table.rs` | kinds of connections; how many each address has |
//! | `turns.rs`, `turn_tests.rs` | which of several workers accepts the next connection; tests of that |
//! | `worker_load.rs`, `worker_slot.rs` | what a worker tells the others of itself; how it is written |
//! | `worker_counts.rs`, `no_worker_counts.rs` | the loads of all workers; without workers |
//! | `connection_setup.rs`, `stream_connection.rs` | setup of a new connection; connections without HTTP |
//! | `phase_tests/` | tests of the deadline of each phase, over each transport |
//! | `guess_tests/` | tests of the limit of refused credentials, over each transport |
//! | `own_thread.rs` | work that blocks, where methods cannot delay it |
//! | `pages.rs` | documents: health, metrics, OpenRPC, the page |
//! | `handle.rs` | [`ServerHandle`]: stops a server and observes it |
//! | `error.rs` | [`ServeError`]: why a server does not start |
//! | `gateway.rs` | [`Gateway`]: a server whose methods are those of others |
//! | `commands.rs` | [`ServerCommands`]: `ping`, `echo`, listings, `server_info` |

mod accept;
mod access;
mod address_table;
mod app;
#[cfg_attr(not(feature = "auth"), path = "no_authentication.rs")]
pub(crate) mod authentication;
pub(crate) mod bound;
mod broker_topics;
mod brokers;
mod builder;
mod commands;
mod connection_kind;
mod connection_limits;
mod connection_setup;
mod error;
pub(crate) mod exposure;
mod gateway;
#[cfg(test)]
mod guess_tests;
mod handle;
mod http_layer;
#[cfg(all(unix, feature = "supervisor"))]
mod inherit;
mod layers;
pub(crate) mod listener;
pub(crate) mod own_thread;
mod pages;
#[cfg(test)]
mod phase_tests;
pub(crate) mod reload;
mod route_source;
mod serve;
mod settings;
pub(crate) mod settings_check;
mod stream_connection;
mod supervision;
#[cfg(test)]
#[cfg(all(target_os = "linux", feature = "supervisor"))]
mod turn_tests;
mod turns;
#[cfg_attr(not(all(unix, feature = "supervisor")), path = "no_worker_counts.rs")]
pub(crate) mod worker_counts;
mod worker_load;
mod worker_slot;

pub use bound::BoundServer;
pub use builder::{IntoRoute, Server};
pub use commands::{ServerCommands, ServerInfo};
pub use error::ServeError;
pub use gateway::Gateway;
pub use handle::ServerHandle;
pub use http_layer::HttpStack;
pub use settings::{Profile, Settings};
pub use supervision::Supervision;
