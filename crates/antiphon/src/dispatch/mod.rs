//! Dispatch of messages to calls: the only module that runs messages and batches.
//!
//! Every call with an id gets exactly one response, whatever happens to it; a notification gets
//! none. Panics, deadlines and the limit of calls in flight are handled here, outside of the
//! layers.
//!
//! | file | what it does |
//! |---|---|
//! | `dispatcher.rs` | [`Dispatcher`]: one message in, at most one message out |
//! | `limits.rs` | [`Limits`] of a dispatcher |
//! | `future.rs` | futures of whole messages |
//! | `batch.rs` | batches: bounded, concurrent, answered in order |
//! | `run.rs` | one call: start, panics, deadline |
//! | `envelope.rs` | the envelope of a request, kept for its response |
//! | `answer.rs` | responses to messages, and to messages that are rejected |
//! | `shared.rs` | what clones of a dispatcher share |

mod answer;
mod batch;
mod dispatcher;
mod envelope;
mod future;
mod limits;
mod run;
mod shared;

pub(crate) use answer::Answered;
pub use dispatcher::Dispatcher;
pub(crate) use future::{Begun, Work};
pub use limits::Limits;
