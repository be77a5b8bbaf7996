//! Source of a route: a router, a prebuilt route, or a function that builds a router.

use std::future::Future;
use std::pin::Pin;

use crate::mcp::Mcp;
use crate::router::{BoxError, Router};
use crate::transport::http::Route;

/// Source of a route. Routes are built when the server starts, once its limits are known.
pub(crate) enum RouteSource {
    Router(Router),
    Route(Route),
    /// For clients of the Model Context Protocol.
    Mcp(Mcp),
    Lazy(LazyRouter),
}

pub(crate) type LazyRouter =
    Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<Router, BoxError>> + Send>> + Send>;
