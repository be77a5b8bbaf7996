//! JSON-RPC over HTTP/1 and HTTP/2.
//!
//! | file | what it does |
//! |---|---|
//! | `service.rs` | [`HttpService`]: the `tower` service, which mounts in any server |
//! | `caller.rs` | [`Caller`]: the peer of a connection |
//! | `route.rs`, `routes.rs` | [`Route`] and its response formats; the table of routes by path |
//! | `accept.rs` | checks of a request's method and headers |
//! | `fields.rs` | the header fields that are used here, found in one pass |
//! | `guard.rs` | checks of Host, Origin and Sec-Fetch-Site |
//! | `media.rs` | media types: Content-Type and Accept |
//! | `streams.rs` | progress of the streams of one HTTP/2 connection |
//! | `body.rs` | [`Body`] of a request or response |
//! | `request_body.rs` | reads a request body within limits on size, time, rate and memory |
//! | `tracked.rs` | a response body that reports its progress to the connection's clock |
//! | `reply.rs`, `refusal.rs` | responses; error responses to requests that do not become a call |
//! | `events.rs` | event streams: subscriptions as response bodies |
//! | `pages.rs` | responses to GET: health and documents |
//! | `clock.rs` | deadlines of a connection |
//! | `socket.rs` | the socket that enforces these deadlines |
//! | `upgrade.rs` | upgrades: from a request to a WebSocket session |
//! | `connection.rs` | serves one connection from its first byte to its last |

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
