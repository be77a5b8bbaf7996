//! Round-trip tests: methods in Rust → OpenRPC document → clients → calls of these methods.

// A panic in a test is a failure.
#![allow(clippy::unwrap_used)]

mod documents;
mod documents_table;
mod files;
mod hostile;
mod programs;
mod python;
mod rust;
mod typescript;
