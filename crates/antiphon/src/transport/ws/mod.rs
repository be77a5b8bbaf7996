//! JSON-RPC over WebSocket (RFC 6455): one WebSocket message is one JSON-RPC message.
//!
//! | file | what it does |
//! |---|---|
//! | `wire.rs` | [`WsWire`]: a WebSocket as the wire of a session |
//! | `frame_limits.rs` | limits on incoming frames that tungstenite lacks |
//! | `outbox.rs` | buffer of outgoing frames |
//! | `handshake.rs` | servers: checks and answers a handshake request |
//! | `connect.rs` | clients: the handshake over any byte stream |
//! | `tokens.rs` | header fields that are lists of tokens |

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
