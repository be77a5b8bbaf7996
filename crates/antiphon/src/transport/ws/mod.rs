//! JSON-RPC over WebSocket (RFC 6455): one message of the protocol is one message here.
//!
//! | file | what it does |
//! |---|---|
//! | `wire.rs` | [`WsWire`]: a WebSocket as the wire of a session |
//! | `frame_limits.rs` | limits on incoming frames that the library does not have |
//! | `outbox.rs` | the outgoing frames, gathered for few writes |
//! | `handshake.rs` | servers: whether a request opens a WebSocket, and what it is answered |
//! | `connect.rs` | clients: the handshake over any stream |
//! | `tokens.rs` | header fields that are lists |

pub(crate) mod connect;
mod frame_limits;
#[cfg(feature = "server")]
pub(crate) mod handshake;
mod outbox;
#[cfg(test)]
mod tests;
mod tokens;
mod wire;

pub(crate) use wire::WsWire;
