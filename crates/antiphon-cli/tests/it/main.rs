//! Tests of the command line tool: its output and its exit codes.

// A panic in a helper fails the test, as it should.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod batch;
mod call;
mod codegen;
#[cfg(unix)]
mod ctl;
#[cfg(target_os = "linux")]
mod deploy;
mod docs;
mod ends;
mod listen;
#[cfg(unix)]
mod log;
mod serve;
mod shell;
mod support;
