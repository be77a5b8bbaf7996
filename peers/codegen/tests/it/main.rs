//! The way around: methods in Rust → their document → clients → calls of these methods.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

mod files;
mod hostile;
mod programs;
mod python;
mod rust;
mod typescript;
