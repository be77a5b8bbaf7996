//! Tests of the command line tool: its output and its exit codes.

// A panic in a helper fails the test, as it should.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// What was measured is printed for the reader (`--nocapture`).
#![allow(clippy::print_stdout)]

// Linux tells how much memory a process holds; what is attacked is the same on every system.
#[cfg(target_os = "linux")]
mod attack;
#[cfg(unix)]
mod audit;
#[cfg(unix)]
mod auth;
mod batch;
mod bearer;
mod call;
#[cfg(all(target_os = "linux", feature = "nats"))]
mod cluster;
mod codegen;
#[cfg(unix)]
mod console;
#[cfg(unix)]
mod ctl;
#[cfg(target_os = "linux")]
mod deploy;
mod docs;
mod documents;
mod ends;
#[cfg(target_os = "linux")]
mod gateway;
#[cfg(target_os = "linux")]
mod jwks;
mod listen;
#[cfg(unix)]
mod listen_again;
#[cfg(target_os = "linux")]
mod listen_for_proxies;
#[cfg(unix)]
mod log;
mod mcp;
#[cfg(all(target_os = "linux", feature = "nats"))]
mod nats;
#[cfg(target_os = "linux")]
mod news;
#[cfg(target_os = "linux")]
mod reload;
mod serve;
mod shell;
#[cfg(target_os = "linux")]
mod start;
#[cfg(target_os = "linux")]
mod storm;
mod support;
#[cfg(unix)]
mod temp_folder;
#[cfg(unix)]
mod token;
#[cfg(target_os = "linux")]
mod wire;
