//! JSON-RPC over HTTP/1 and HTTP/2.
//!
//! | file | what it does |
//! |---|---|
//! | `service.rs` | [`HttpService`]: a request in, a response out; mounts anywhere |
//! | `caller.rs` | who is at the other end of a connection |
//! | `route.rs`, `routes.rs` | [`Route`]: the forms in which it answers; the table of routes by path |
//! | `accept.rs` | checks of a request's head |
//! | `fields.rs` | the header fields that matter, found in one pass |
//! | `guard.rs` | checks of Host, Origin and Sec-Fetch-Site |
//! | `media.rs` | media types: Content-Type and Accept |
//! | `streams.rs` | progress of the streams of one HTTP/2 connection |
//! | `body.rs` | [`Body`] of a request or a response |
//! | `request_body.rs` | reading a request's body within bounds of size, time, rate and memory |
//! | `tracked.rs` | the body of a response, which tells the clock what was sent |
//! | `reply.rs`, `refusal.rs` | responses; refusals before there is a call |
//! | `events.rs` | event streams: subscriptions as bodies of responses |
//! | `pages.rs` | answers to GET: health and documents |
//! | `clock.rs` | deadlines of a connection |
//! | `socket.rs` | the socket, which keeps them |
//! | `upgrade.rs` | upgrade of a request to a session: WebSocket |
//! | `connection.rs` | one connection from its first byte to its last |

mod accept;
pub(crate) mod body;
mod caller;
pub(crate) mod clock;
pub(crate) mod connection;
mod events;
mod fields;
pub(crate) mod guard;
mod media;
pub(crate) mod pages;
mod refusal;
pub(crate) mod reply;
pub(crate) mod request_body;
mod route;
pub(crate) mod routes;
mod service;
mod socket;
mod streams;
mod tracked;
#[cfg_attr(not(feature = "ws"), path = "no_upgrade.rs")]
mod upgrade;

pub use body::Body;
pub(crate) use caller::Caller;
pub use route::Route;
pub use service::HttpService;
