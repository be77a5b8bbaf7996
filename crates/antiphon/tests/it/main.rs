//! Integration tests of the library, as one binary with a file for each subject.

// A panic in a helper fails the test, as it should.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod audit;
mod auth;
#[cfg(unix)]
mod blocked_start;
mod client_answers;
mod client_balanced;
mod client_batch;
mod client_blocking;
mod client_floods;
mod client_options;
mod client_pool;
mod client_server;
mod client_socket;
mod client_support;
mod client_time;
mod client_tls;
mod client_token;
mod commands;
mod describe;
mod dispatch;
mod gateway;
mod http;
mod identity;
mod macros;
mod mcp;
#[cfg(unix)]
mod nats;
#[cfg(unix)]
mod program;
mod rate_limit;
mod remote;
mod rpc_trait;
mod session;
mod spec;
mod support;
mod topic;
#[cfg(unix)]
mod topic_workers;
mod ui;
