//! Antiphon: JSON-RPC 2.0, call and response.

// Macro output names `::antiphon::…`, also inside this crate.
extern crate self as antiphon;

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "http")]
mod address;
#[cfg(feature = "blocking")]
pub mod blocking;
mod call;
#[cfg(feature = "client")]
pub mod client;
mod context;
mod current;
#[cfg(all(feature = "macros", feature = "server"))]
mod describe;
mod dispatch;
mod error;
mod router;
mod scope;
#[cfg(feature = "server")]
mod server;
mod transport;
mod tree;

#[cfg(feature = "http")]
pub use address::{Address, AddressError};
#[cfg(feature = "macros")]
pub use antiphon_macros::{ErrorCodes, rpc, rpc_method};
pub use antiphon_proto::{ErrorCode, ErrorObject, Id, IntoParams, Params};
pub use call::{Call, CallFuture, Reply};
#[cfg(feature = "client")]
pub use client::Client;
pub use context::Context;
pub use dispatch::{Dispatcher, Limits};
pub use error::Failure;
pub use router::{
    BoxError, Endpoint, Function, IntoMethod, IntoRouter, Method, NamedParams, Problem, Router,
    RouterError,
};
pub use scope::Transport;
#[cfg(feature = "server")]
pub use server::{Handle, HttpStack, IntoRoute, Listening, Profile, ServeError, Server, Settings};
#[cfg(feature = "cli")]
pub use server::{ServeArgs, Size, Wait};
#[cfg(all(feature = "macros", feature = "server"))]
pub use server::{ServerCommands, ServerInfo};
#[cfg(feature = "http")]
pub use transport::http::{Body, HttpService, Route};
pub use tree::{Access, MethodInfo, Node, ParamInfo, Tree};
