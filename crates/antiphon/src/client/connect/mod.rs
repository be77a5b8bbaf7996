//! Connections of a client: pools for HTTP, single ones for sessions.
//!
//! | file | what it does |
//! |---|---|
//! | `pool.rs` | requests to an HTTP server, and their second attempt |
//! | `connections.rs` | its connections: taken, given back, closed when they are idle |
//! | `idle.rs` | the idle ones, the last first |
//! | `dial.rs` | new ones, over TCP, TLS or a Unix socket |
//! | `http1.rs`, `http2.rs` | one connection: driven by its call, or shared by many |
//! | `unsent.rs` | bodies of requests over HTTP/2 that outlive their calls |
//! | `socket.rs` | the sockets of HTTP connections, of one type |
//! | `metered_socket.rs` | limits on what a server sends beside content |
//! | `nats.rs`, `no_nats.rs` | requests through a broker; none in builds without NATS |
//! | `fault.rs` | failure to connect, and streams that the server has not processed |
//! | `tls.rs` | the TLS configuration |
//! | `session.rs` | connections for sessions |

mod connections;
mod dial;
mod fault;
mod http1;
mod http2;
mod idle;
mod metered_socket;
#[cfg_attr(not(feature = "nats"), path = "no_nats.rs")]
mod nats;
mod pool;
mod session;
mod socket;
mod tls;
mod unsent;

pub(super) use dial::HttpTarget;
pub(super) use fault::is_connect;
pub(super) use metered_socket::misbehaviour;
pub(super) use nats::NatsChannel;
pub(super) use pool::HttpPool;
pub(super) use session::refusal;
pub(super) use tls::tls;

pub(super) use crate::transport::tls::client::ClientTls;
