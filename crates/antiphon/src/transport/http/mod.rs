//! JSON-RPC over HTTP/1 and HTTP/2.
//!
//! | file | what it does |
//! |---|---|
//! | `service.rs` | [`HttpService`]: the `tower` service, which mounts in any server |
//! | `answer.rs`, `answer_call.rs` | its answer to one request; to a call that has passed all checks of its head |
//! | `two_way_call.rs`, `open_calls.rs` | its answer to a call whose method may call its caller back; such calls |
//! | `caller.rs`, `session_place.rs` | [`Caller`]: the peer of a connection; its place among the others |
//! | `route.rs`, `routes.rs` | [`Route`] and its response formats; the table of routes by path |
//! | `request_check.rs` | checks of a request's method and headers |
//! | `headers.rs` | the header fields that are used here, found in one pass |
//! | `proxy_fields.rs` | header fields that only proxies add |
//! | `forwarded.rs` | the client's address, as trusted proxies write it |
//! | `host_check.rs` | checks of Host, Origin and Sec-Fetch-Site |
//! | `identify.rs` | who the caller of a request is |
//! | `resource.rs` | where a client of the Model Context Protocol gets a token |
//! | `allow_list.rs`, `authority.rs` | hosts and origins that a user allows; host and port |
//! | `media_types.rs` | media types: Content-Type and Accept |
//! | `http2_streams.rs` | progress of the streams of one HTTP/2 connection |
//! | `body.rs` | [`Body`] of a request or response |
//! | `request_body.rs` | reads a request body within limits on size, time, rate and memory |
//! | `body_framing.rs` | the share of framing in a request body |
//! | `tracked_body.rs` | a response body that reports its progress to the connection's clock |
//! | `reply.rs`, `refusal.rs` | responses; error responses to requests that do not become a call |
//! | `events/` | event streams: subscriptions as response bodies |
//! | `event_source.rs`, `query.rs` | subscriptions by GET; the query that asks for one |
//! | `room.rs` | room of a connection for responses |
//! | `pages.rs` | responses to GET: health and documents |
//! | `deadlines.rs` | deadlines of a connection |
//! | `timed_socket/` | the socket that enforces these deadlines |
//! | `upgrade.rs` | upgrades: from a request to a WebSocket session |
//! | `connection.rs` | serves one connection from its first byte to its last |

pub(crate) mod allow_list;
mod answer;
mod answer_call;
mod authority;
pub(crate) mod body;
mod body_framing;
mod caller;
pub(crate) mod connection;
pub(crate) mod deadlines;
mod event_source;
mod events;
mod forwarded;
mod headers;
pub(crate) mod host_check;
mod http2_streams;
mod identify;
mod media_types;
mod open_calls;
pub(crate) mod pages;
mod proxy_fields;
mod query;
mod refusal;
pub(crate) mod reply;
pub(crate) mod request_body;
mod request_check;
mod resource;
mod room;
mod route;
pub(crate) mod routes;
mod service;
mod session_place;
mod timed_socket;
mod tracked_body;
mod two_way_call;
#[cfg_attr(not(feature = "ws"), path = "no_upgrade.rs")]
mod upgrade;

pub use body::Body;
pub(crate) use caller::Caller;
pub use route::Route;
pub use service::HttpService;
pub(crate) use session_place::SessionPlace;
