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
//! | `run.rs` | one call: start, place, deadline |
//! | `exchange.rs` | one request of a client of the Model Context Protocol |
//! | `rate_check.rs` | the rate limit of one call |
//! | `pending_call.rs` | one call: its first poll and its future, panics |
//! | `elsewhere.rs` | large messages and parameters, on other threads |
//! | `envelope.rs` | the envelope of a request, kept for its response |
//! | `heard.rs` | a message that may be a response |
//! | `answer.rs` | responses to messages, and to messages that are rejected |
//! | `stream_request.rs` | a request for a stream, made of texts that are no message yet |
//! | `shared.rs` | what clones of a dispatcher share |

mod answer;
mod batch;
mod dispatcher;
mod elsewhere;
mod envelope;
mod exchange;
mod future;
#[cfg(feature = "server")]
mod heard;
mod limits;
mod pending_call;
mod rate_check;
mod run;
mod shared;
#[cfg(feature = "server")]
mod stream_request;

#[cfg(feature = "server")]
pub(crate) use answer::Denied;
#[cfg(feature = "server")]
pub(crate) use answer::unread;
pub(crate) use answer::{Answered, reject};
pub use dispatcher::Dispatcher;
pub(crate) use dispatcher::Reading;
pub(crate) use elsewhere::Parsing;
pub(crate) use future::{Begun, Work};
#[cfg(feature = "server")]
pub(crate) use heard::{Calls, Heard, hear};
pub use limits::Limits;
#[cfg(feature = "server")]
pub(crate) use stream_request::stream_request;
