//! Sessions: connections on which both sides may call.

mod both_ways;
mod calls;
#[cfg(feature = "tcp")]
mod cancel_safety;
#[cfg(all(feature = "server", feature = "tcp"))]
mod cut;
#[cfg(feature = "server")]
mod everywhere;
#[cfg(all(feature = "server", feature = "tcp"))]
mod greedy_client;
#[cfg(all(feature = "server", feature = "tcp"))]
mod hostile_client;
#[cfg(all(feature = "server", feature = "tcp"))]
mod hostile_server;
#[cfg(all(feature = "server", feature = "tcp"))]
mod raw;
#[cfg(all(feature = "server", feature = "tcp"))]
mod reconnect;
#[cfg(all(feature = "server", feature = "tcp"))]
mod stop;
mod streams;
