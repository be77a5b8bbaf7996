//! Client: calls methods of a server, one by one or in batches.
//!
//! | file | what it does |
//! |---|---|
//! | `handle.rs`, `blocking.rs` | [`Client`]; the same without `async` |
//! | `call_options.rs` | options that a builder sets and every call has in common |
//! | `shared.rs` | what clones of a client share |
//! | `builder/` | [`ClientBuilder`] |
//! | `call.rs` | [`PendingCall`]: one call, from its parameters to its result |
//! | `batch.rs` | [`Batch`]: many calls in one request |
//! | `subscribe.rs` | [`Subscription`]: a remote stream |
//! | `transport.rs` | the way to the server: HTTP exchanges, or a session |
//! | `request.rs` | HTTP: text, headers and deadline of a request |
//! | `response_meter.rs` | HTTP: what a server has earned with its responses |
//! | `response.rs` | HTTP: the response, checked against the request |
//! | `http.rs` | HTTP: one exchange through any `tower` service |
//! | `connect/` | connections: pools for HTTP, single ones for sessions |
//! | `no_connect.rs` | replaces `connect/` in builds without the feature `client` |
//! | `session.rs` | sessions: calls, with deadline and retry |
//! | `reconnect.rs` | sessions: the connection, its state, and reconnecting |
//! | `session_connector.rs` | sessions: address → connection |
//! | `peer.rs` | sessions: a client for calling back the caller of a method |
//! | `tls.rs` | options of TLS |
//! | `error.rs` | [`Error`]: why there is no result, and whether the call may have run |
//! | `macros.rs` | [`call!`](crate::call) |

mod batch;
pub mod blocking;
mod builder;
mod call;
mod call_options;
#[cfg_attr(not(feature = "client"), path = "no_connect.rs")]
mod connect;
mod error;
mod handle;
mod http;
mod macros;
mod peer;
mod reconnect;
mod request;
mod response;
mod response_meter;
mod session;
mod session_connector;
mod shared;
mod subscribe;
mod tls;
mod transport;

pub use batch::{Batch, Responses, Ticket};
pub use builder::ClientBuilder;
pub use call::{CallFuture, FullResponse, PendingCall};
pub use call_options::Encoding;
pub use error::{Error, ErrorKind};
pub use handle::Client;
pub use http::Body;
#[cfg(all(unix, feature = "supervisor"))]
pub(crate) use peer::over;
pub use reconnect::{ConnectionState, ConnectionWatch, Reconnect};
pub use subscribe::{PendingSubscription, StreamError, Subscription};
