//! Session: one connection on which both sides may call.
//!
//! A [`Session`] is one future over one [`Wire`]: it reads what has arrived, polls each call once
//! where it was read, and writes all ready output in one flush. It has no tasks of its own; a call
//! that is pending is spawned, and posts its response to the [`SessionHandle`].
//!
//! A session never waits for a method. Responses to our calls and cancellations overtake queued
//! requests. When the queues are full, the socket is not read, which is backpressure to the peer.
//!
//! | file | what it does |
//! |---|---|
//! | `event_loop.rs` | [`Session`]: the loop of reading, starting and writing |
//! | `receive.rs` | routing of incoming messages: responses, cancellations, calls |
//! | `order.rs`, `parking.rs` | order of calls and notifications; the queue of those that wait |
//! | `respond.rs` | responses that the session makes itself |
//! | `streams.rs`, `poll_streams.rs`, `poll_tests.rs` | the streams of the peer's subscriptions; their polling |
//! | `deadlines.rs`, `pace.rs` | timeouts; the minimum rate of a transfer |
//! | `last_look.rs` | whether nothing has arrived when a deadline for input has passed |
//! | `phase.rs`, `closing.rs` | phases and reasons to stop; shutdown and close |
//! | `rate_budget.rs` | a burst and a rate, for what a peer sends unasked |
//! | `unasked.rs` | budget of messages that a client did not ask for |
//! | `config.rs`, `limits.rs` | [`SessionConfig`]; [`SessionLimits`] |
//! | `memory_tests.rs` | tests of what a session holds for its peer |
//! | `wire.rs` | [`Wire`]: the connection under a session, which each transport implements |

mod closing;
pub(crate) mod config;
mod deadlines;
pub(crate) mod event_loop;
pub(crate) mod last_look;
mod limits;
#[cfg(test)]
mod memory_tests;
mod order;
pub(crate) mod pace;
mod parking;
mod phase;
mod poll_streams;
#[cfg(test)]
mod poll_tests;
pub(crate) mod rate_budget;
mod receive;
mod respond;
mod streams;
mod unasked;
mod wire;

pub(crate) use config::SessionConfig;
pub(crate) use event_loop::Session;
pub use limits::SessionLimits;
pub(crate) use wire::{CloseReason, Traffic, Wire, WireError};
