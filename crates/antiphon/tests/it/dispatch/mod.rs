//! Dispatch in process: bytes in, bytes out, no transport.

mod batch;
mod cancel;
mod incidents;
mod layers;
mod message;
mod panics;
mod time;

pub(crate) use panics::quiet;
