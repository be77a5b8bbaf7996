//! Connections of a client: pools for HTTP, single ones for sessions.
//!
//! | file | what it does |
//! |---|---|
//! | `http.rs` | pools of HTTP connections over TCP and Unix sockets |
//! | `https.rs` | the same over TLS |
//! | `metered_socket.rs` | their sockets, which limit what a server sends beside content |
//! | `session.rs` | connections for sessions |

mod http;
mod https;
mod metered_socket;
mod session;

pub(super) use http::{is_connect, unix};
pub(super) use https::{tcp, tls};
pub(super) use metered_socket::misbehaviour;
pub(super) use session::refusal;

pub(super) use crate::transport::tls::client::ClientTls;
