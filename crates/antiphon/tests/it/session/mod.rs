//! Sessions: connections on which both sides may call.

mod both_ways;
mod calls;
#[cfg(feature = "server")]
mod everywhere;
mod streams;
