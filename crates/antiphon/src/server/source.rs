//! Source of a route: a router, a route that was built before, or a function that makes one.

use std::future::Future;
use std::pin::Pin;

use crate::router::{BoxError, Router};
use crate::transport::http::Route;

/// What a route is made from when the server starts and its limits are known.
pub(crate) enum RouteSource {
    Router(Router),
    Route(Route),
    Lazy(LazyRouter),
}

pub(crate) type LazyRouter =
    Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<Router, BoxError>> + Send>> + Send>;
