//! Dispatch of messages to calls: the only place that knows messages and batches.
//!
//! Every call with an id gets exactly one answer, whatever happens to it; a notification gets none.
//! Panics, deadlines and the count of calls in flight are guarded here, around the layers.
//!
//! | file | what it does |
//! |---|---|
//! | `dispatcher.rs` | [`Dispatcher`]: one message in, at most one message out |
//! | `limits.rs` | [`Limits`] of a dispatcher |
//! | `message.rs` | futures of whole messages |
//! | `batch.rs` | batches: bounded, concurrent, answered in order |
//! | `run.rs` | one call: start, panics, deadline |
//! | `envelope.rs` | the envelope of a request, kept for its answer |
//! | `answer.rs` | answers to messages, and to those of which nothing runs |
//! | `shared.rs` | what clones of a dispatcher share |

mod answer;
mod batch;
mod dispatcher;
mod envelope;
mod limits;
mod message;
mod run;
mod shared;

pub(crate) use answer::Answered;
pub use dispatcher::Dispatcher;
pub use limits::Limits;
pub(crate) use message::{Begun, Work};
