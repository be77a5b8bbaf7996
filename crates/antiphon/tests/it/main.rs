//! The tests of the library, one binary: a file for each subject.

// A test that cannot go on has failed, also in its helpers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(feature = "client")]
mod client_answers;
#[cfg(feature = "client")]
mod client_batch;
#[cfg(feature = "blocking")]
mod client_blocking;
#[cfg(feature = "client")]
mod client_options;
#[cfg(all(feature = "client", feature = "server"))]
mod client_server;
#[cfg(feature = "client")]
mod client_socket;
#[cfg(feature = "client")]
mod client_support;
#[cfg(feature = "client")]
mod client_time;
#[cfg(all(feature = "client", feature = "tls"))]
mod client_tls;
#[cfg(all(feature = "macros", feature = "server"))]
mod commands;
#[cfg(all(feature = "describe", feature = "macros"))]
mod describe;
mod dispatch;
#[cfg(feature = "server")]
mod http;
#[cfg(feature = "macros")]
mod macros;
#[cfg(feature = "macros")]
mod rpc_trait;
#[cfg(feature = "client")]
mod session;
mod spec;
mod support;
#[cfg(feature = "macros")]
mod ui;
