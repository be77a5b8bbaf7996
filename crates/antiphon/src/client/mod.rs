//! The client: calls the methods of a server as if they were here, alone or in batches.
//!
//! | file | what it does |
//! |---|---|
//! | `handle.rs` | [`Client`] |
//! | `shared.rs` | what clones of a client share |
//! | `builder/` | [`ClientBuilder`] |
//! | `call.rs` | [`PendingCall`]: one call, from its parameters to its result |
//! | `batch.rs` | [`Batch`]: many calls in one request |
//! | `subscribe.rs` | [`Subscription`]: a remote stream |
//! | `channel.rs` | how messages go: over HTTP, or over a session |
//! | `request.rs` | HTTP: text, headers and deadline of a request |
//! | `response.rs` | HTTP: what came back, held against what was asked |
//! | `http.rs` | HTTP: one exchange through any `tower` service |
//! | `connect/` | connections: pools for HTTP, single ones for sessions; `no_connect.rs` where there are none |
//! | `session.rs` | sessions: a call on its way |
//! | `driver.rs` | sessions: the connection, kept and made again |
//! | `dial.rs` | sessions: connections, by what they lead to |
//! | `peer.rs` | sessions: the caller of a method as a client's server |
//! | `error.rs` | [`Error`]: why there is no result, and whether the call has run |
//! | `macros.rs` | [`call!`](crate::call) |

mod batch;
pub mod blocking;
mod builder;
mod call;
mod channel;
#[cfg_attr(not(feature = "client"), path = "no_connect.rs")]
mod connect;
mod dial;
mod driver;
mod error;
mod handle;
mod http;
mod macros;
mod peer;
mod request;
mod response;
mod session;
mod shared;
mod subscribe;
mod tls;

pub use batch::{Batch, Responses, Ticket};
pub use builder::{ClientBuilder, Encoding};
pub use call::{CallFuture, Full, PendingCall};
pub use driver::{ConnectionState, ConnectionWatch, Reconnect};
pub use error::{Error, Kind};
pub use handle::Client;
pub use http::Body;
#[cfg(all(unix, feature = "supervisor"))]
pub(crate) use peer::over;
pub use subscribe::{PendingSubscription, StreamError, Subscription};
