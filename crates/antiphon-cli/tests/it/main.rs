//! The tests of the tool: the program itself, with its output and its exit codes.

// A test that cannot go on has failed, also in its helpers.
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
mod serve;
mod shell;
mod support;
