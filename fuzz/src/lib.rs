//! Fuzz targets as plain functions, with their reference models and seeds.
//!
//! | file | content |
//! |---|---|
//! | `parse.rs` | target: the message parser, compared with `serde_json` |
//! | `framing.rs` | target: a byte stream decoded at once and in pieces |
//! | `dispatch.rs` | target: a message and its response |
//! | `batch.rs` | target: a generated batch and its responses |
//! | `session.rs` | target: a server's session and a hostile client |
//! | `client.rs` | target: a client's session and a hostile server |
//! | `model.rs` | a reference parser for messages |
//! | `verdict.rs` | a strict parser for responses |
//! | `ledger.rs` | a model of the responses on a session |
//! | `expected.rs` | a model of the outcomes of a client's calls |
//! | `peer.rs` | a scripted hostile peer |
//! | `seeds.rs`, `scripts.rs` | the seeds |
//! | `mutate.rs` | tests that mutate the seeds |
//!
//! The targets of `cargo fuzz` call these functions. The tests of this crate call them as well, on
//! a stable compiler, with all seeds and with `ANTIPHON_FUZZ_ROUNDS` mutated ones.

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
