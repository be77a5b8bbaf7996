//! Transports: how messages reach this process and leave it. A transport only delimits messages in
//! the bytes it receives. It does not parse them; dispatch does.
//!
//! | file | what it does |
//! |---|---|
//! | `http/` | requests and responses, event streams |
//! | `ws/` | WebSocket |
//! | `framed/` | messages on a byte stream: one per line, or with headers as in LSP |
//! | `memory.rs` | in-memory connections |
//! | `tcp.rs`, `unix.rs`, `stdio/` | sources of byte streams |
//! | `line_breaks.rs` | line breaks in messages whose end is one |
//! | `lookup.rs` | look-up of host names, shared by all who ask at the same time |
//! | `unix_bind/` | creation of listening Unix sockets |
//! | `tls/` | TLS around them |
//! | `proxy_protocol/` | the header of a proxy at the beginning of a byte stream |
//! | `nats/` | messages through NATS servers |
//! | `byte_stream.rs` | the trait that all byte streams implement |
//! | `bounded_body.rs` | collects an HTTP body in memory, up to a size limit |
//! | `no_unix.rs`, `no_tls.rs`, `no_ws.rs`, `no_nats.rs` | stubs for systems and builds without these |

pub(crate) mod bounded_body;
#[cfg(any(feature = "client", feature = "server"))]
pub(crate) mod byte_stream;
#[cfg(any(feature = "client", feature = "server"))]
pub(crate) mod framed;
#[cfg(feature = "server")]
pub(crate) mod http;
#[cfg(any(feature = "client", feature = "server"))]
mod line_breaks;
#[cfg(feature = "client")]
mod lookup;
pub(crate) mod memory;
#[cfg(feature = "server")]
#[cfg_attr(not(feature = "nats"), path = "no_nats.rs")]
pub(crate) mod nats;
#[cfg(feature = "server")]
pub(crate) mod proxy_protocol;
#[cfg(any(feature = "client", feature = "server"))]
pub(crate) mod stdio;
#[cfg(feature = "client")]
pub(crate) mod tcp;
#[cfg(any(feature = "client", feature = "server"))]
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
pub(crate) mod tls;
#[cfg(any(feature = "client", feature = "server"))]
#[cfg_attr(not(unix), path = "no_unix.rs")]
pub(crate) mod unix;
#[cfg(all(unix, any(feature = "client", feature = "server")))]
mod unix_bind;
#[cfg(any(feature = "client", feature = "server"))]
#[cfg_attr(not(feature = "ws"), path = "no_ws.rs")]
pub(crate) mod ws;
