//! The tests of the library, one binary: a file for each subject.

// A test that cannot go on has failed, also in its helpers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod client_answers;
mod client_batch;
mod client_blocking;
mod client_options;
mod client_server;
mod client_socket;
mod client_support;
mod client_time;
mod client_tls;
mod commands;
mod describe;
mod dispatch;
mod http;
mod macros;
mod rpc_trait;
mod session;
mod spec;
mod support;
mod ui;
