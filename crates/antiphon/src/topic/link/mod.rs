//! Topics over worker processes: the worker's end, and the messages. Without I/O.
//!
//! A worker sends what is published to its supervisor, which numbers it and passes it on to all workers,
//! to this one as well. Each worker has a copy of the histories and of the numbers of all keys, so who
//! subscribes is answered from there.
//!
//! | file | what it does |
//! |---|---|
//! | `worker_end.rs` | [`Link`](worker_end::Link): what is to be sent, and what has come |
//! | `pending.rs` | what is said in one order; items that the supervisor has not numbered yet |
//! | `frame.rs`, `fields.rs` | messages in both directions, and what they are made of |
//! | `in_process.rs` | [`join`](in_process::join): both ends in one process |
//! | `buffer.rs` | [`Frames`](buffer::Frames): messages out of bytes |

pub(crate) mod buffer;
pub(super) mod fields;
pub(crate) mod frame;
pub(crate) mod in_process;
pub(super) mod pending;
pub(crate) mod worker_end;
