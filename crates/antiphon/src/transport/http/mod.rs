//! JSON-RPC over HTTP/1 and HTTP/2.
//!
//! | file | what it does |
//! |---|---|
//! | `service.rs` | [`HttpService`]: a request in, a response out; mounts anywhere |
//! | `route.rs` | [`Route`]: one path, and the forms in which it answers |
//! | `accept.rs` | what is said of a request before its body is read |
//! | `fields.rs` | the header fields that matter, found in one pass |
//! | `guard.rs` | who may come in: Host, Origin, Sec-Fetch-Site |
//! | `media.rs` | media types: Content-Type and Accept |
//! | `streams.rs` | what the streams of one HTTP/2 connection may cost |
//! | `body.rs` | bodies: read within bounds of size and time, written at once |
//! | `reply.rs` | responses and refusals |
//! | `events.rs` | event streams: subscriptions as bodies of responses |
//! | `pages.rs` | documents, for who does not call |
//! | `clock.rs` | what a connection is doing, and until when |
//! | `socket.rs` | a socket that keeps that time |
//! | `upgrade.rs` | from a request to a session: WebSockets |
//! | `connection.rs` | one connection from its first byte to its last |

mod accept;
pub(crate) mod body;
pub(crate) mod clock;
pub(crate) mod connection;
mod events;
mod fields;
pub(crate) mod guard;
mod media;
pub(crate) mod pages;
pub(crate) mod reply;
mod route;
mod service;
mod socket;
mod streams;
#[cfg_attr(not(feature = "ws"), path = "no_upgrade.rs")]
mod upgrade;

pub use body::Body;
pub use route::Route;
pub(crate) use service::Caller;
pub use service::HttpService;
