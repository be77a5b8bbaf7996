//! JSON-RPC over WebSocket (RFC 6455): one message of the protocol is one message here.
//!
//! | file | what it does |
//! |---|---|
//! | `wire.rs` | [`WsWire`]: one end of a connection, as the engine drives it |
//! | `watch.rs` | the incoming bytes: counted, and held to bounds that the library does not have |
//! | `outbox.rs` | the outgoing frames, gathered for few writes |
//! | `handshake.rs` | servers: whether a request opens a WebSocket, and what it is answered |
//! | `connect.rs` | clients: the handshake over any stream |
//! | `tokens.rs` | headers that are lists |

pub(crate) mod connect;
#[cfg(feature = "server")]
pub(crate) mod handshake;
mod outbox;
#[cfg(test)]
mod tests;
mod tokens;
mod watch;
mod wire;

pub(crate) use wire::WsWire;
