//! What has to hold for every input, as plain functions.
//!
//! | file | what it does |
//! |---|---|
//! | `parse.rs` | the envelope's parser against `serde_json` |
//! | `framing.rs` | a byte stream cut into messages, whole and in pieces |
//! | `dispatch.rs` | a message and its answer |
//! | `batch.rs` | a batch of which everything is known, and its answers |
//! | `session.rs` | a server's session and a hostile client |
//! | `client.rs` | a client's session and a hostile server |
//! | `model.rs` | what a message is, written a second time, slowly |
//! | `verdict.rs` | what an answer is |
//! | `ledger.rs` | which answers are due on a session |
//! | `expected.rs` | what becomes of a client's calls |
//! | `peer.rs` | a hostile peer, with a script |
//! | `seeds.rs`, `scripts.rs` | where the inputs come from |
//! | `mutate.rs` | and what becomes of them |
//!
//! The targets of `cargo fuzz` call these functions, and so do the tests of this crate: on stable,
//! for all seeds and for as many changed ones as `ANTIPHON_FUZZ_ROUNDS` says.

#![forbid(unsafe_code)]

pub mod batch;
pub mod client;
pub mod dispatch;
mod expected;
pub mod framing;
mod ledger;
mod model;
#[cfg(test)]
mod mutate;
pub mod parse;
mod peer;
pub mod scripts;
pub mod seeds;
pub mod session;
mod verdict;
