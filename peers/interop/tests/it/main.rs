//! Antiphon and other programs call each other, over loopback.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

mod jsonrpsee_client;
mod jsonrpsee_server;
mod python;
