//! What has to hold for every input, as plain functions.
//!
//! | file | what it does |
//! |---|---|
//! | `parse.rs` | the envelope's parser against `serde_json` |
//! | `framing.rs` | a byte stream cut into messages, whole and in pieces |
//! | `dispatch.rs` | a message and its answer |
//! | `model.rs` | what a message is, written a second time, slowly |
//! | `seeds.rs` | where the inputs come from |
//! | `mutate.rs` | and what becomes of them |
//!
//! The targets of `cargo fuzz` call these functions, and so do the tests of this crate: on stable,
//! for all seeds and for as many changed ones as `ANTIPHON_FUZZ_ROUNDS` says.

#![forbid(unsafe_code)]

pub mod dispatch;
pub mod framing;
mod model;
#[cfg(test)]
mod mutate;
pub mod parse;
pub mod seeds;
