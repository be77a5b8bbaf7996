//! Tests of the dispatcher in process, without a transport.

mod batch;
mod cancel;
mod incidents;
mod large;
mod layers;
mod message;
mod panics;
mod pathological;
mod time;
mod values;

pub(crate) use panics::quiet;
