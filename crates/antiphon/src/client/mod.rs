//! Client: calls methods of a server, one by one or in batches.
//!
//! | file | what it does |
//! |---|---|
//! | `handle.rs`, `blocking.rs` | [`Client`]; the same without `async` |
//! | `blocking_items.rs` | a subscription without `async` |
//! | `call_options.rs` | options that a builder sets and every call has in common |
//! | `shared.rs` | what clones of a client share |
//! | `builder/` | [`ClientBuilder`] |
//! | `call.rs` | [`PendingCall`]: one call, from its parameters to its result |
//! | `balance/` | [`Balanced`]: one of several servers for each call |
//! | `batch.rs`, `batch_responses.rs` | [`Batch`]: many calls in one request; [`Responses`] to it |
//! | `broker_sessions.rs` | sessions through a broker, one for each method |
//! | `passed_identity.rs` | whose identity goes with a request |
//! | `unserved.rs` | error of a session that no server has taken |
//! | `split_batch.rs` | the same through a broker: a request for each entry |
//! | `subscription/` | [`Subscription`]: a remote stream |
//! | `transport.rs` | the way to the server: HTTP exchanges, or a session |
//! | `request.rs` | HTTP: text, deadline and attempts of a request |
//! | `prepared_request.rs` | HTTP: headers and body of a request, for each attempt |
//! | `late.rs` | HTTP: a request whose time was over before it could be sent |
//! | `sent_mark.rs` | HTTP: whether a request may have been sent, or never will be |
//! | `response_meter.rs` | HTTP: what a server has earned with its responses |
//! | `response.rs` | HTTP: the response, checked against the request |
//! | `http.rs` | HTTP: one exchange through any `tower` service |
//! | `connect/` | connections: pools for HTTP, single ones for sessions |
//! | `no_connect.rs` | replaces `connect/` in builds without the feature `client` |
//! | `session.rs` | sessions: calls, with deadline and retry |
//! | `session_source.rs` | sessions: where a client gets its session from |
//! | `driver.rs` | sessions: the connection, opened on demand and reopened when it is lost |
//! | `connection_state.rs` | sessions: the state of the connection, as its user watches it |
//! | `reconnect.rs` | sessions: how often to reconnect, and after which pauses |
//! | `session_authentication.rs` | sessions: the token, told to the server and renewed |
//! | `session_connector.rs` | sessions: address → connection |
//! | `peer.rs` | sessions: a client for calling back the caller of a method |
//! | `token/` | bearer tokens, fixed or from a provider |
//! | `remote/` | [`Remote`]: the methods of another server as a part of a router |
//! | `tls.rs` | options of TLS |
//! | `error.rs`, `error_text.rs` | [`Error`]: why there is no result, and whether the call may have run; its text |
//! | `access_error.rs` | the same for callers who are unknown, or must not |
//! | `memory_net.rs` | servers in memory for tests, which can be cut off |
//! | `macros.rs` | [`call!`](crate::call) |

mod access_error;
mod balance;
mod batch;
mod batch_responses;
pub mod blocking;
mod blocking_items;
mod broker_sessions;
mod builder;
mod call;
mod call_options;
#[cfg_attr(not(feature = "client"), path = "no_connect.rs")]
mod connect;
mod connection_state;
mod driver;
mod error;
mod error_text;
mod handle;
mod http;
mod late;
mod macros;
#[cfg(test)]
mod memory_net;
mod passed_identity;
mod peer;
mod prepared_request;
mod reconnect;
mod remote;
mod request;
mod response;
mod response_meter;
mod sent_mark;
mod session;
mod session_authentication;
mod session_connector;
mod session_source;
mod shared;
mod split_batch;
mod subscription;
mod tls;
mod token;
mod transport;
mod unserved;

pub use balance::{Balanced, IntoUpstream, UpstreamStatus};
pub use batch::Batch;
pub use batch_responses::{Responses, Ticket};
pub use builder::ClientBuilder;
pub use call::{CallFuture, FullResponse, PendingCall};
pub use call_options::Encoding;
pub use connection_state::{ConnectionState, ConnectionWatch};
pub use error::{Error, ErrorKind};
pub use handle::Client;
pub use http::Body;
#[cfg(all(unix, feature = "supervisor"))]
pub(crate) use peer::over;
pub use reconnect::Reconnect;
pub use remote::Remote;
#[cfg(feature = "server")]
pub(crate) use remote::Union;
pub use subscription::{PendingSubscription, StreamError, Subscription};
pub use token::BearerToken;
