//! Table of routes by path.

use http::StatusCode;

use crate::audit::AuditLog;
use crate::rate_limit::RateLimiter;
use crate::transport::http::refusal::Refusal;
use crate::transport::http::route::Route;

/// Paths and their routes. A single route without a path matches every path.
#[derive(Clone, Debug)]
pub(crate) struct Routes(Vec<(Option<String>, Route)>);

/// A request path split at the route that it belongs to.
pub(super) struct Below<'a> {
    pub(super) route: &'a Route,
    /// The path of the route.
    pub(super) path: &'a str,
    /// The rest of the path, after the route's path and a slash.
    pub(super) rest: &'a str,
}

impl Routes {
    /// Creates a table with one route that matches every path.
    pub(super) fn anywhere(route: Route) -> Self {
        Self(vec![(None, route)])
    }

    pub(crate) fn new(routes: Vec<(Option<String>, Route)>) -> Self {
        Self(routes)
    }

    /// Limits the calls of each caller, over all routes together.
    pub(super) fn limit_rate(&mut self, rate: &RateLimiter) {
        for (_, route) in &mut self.0 {
            route.limit_rate(rate);
        }
    }

    /// Records the calls of all routes.
    pub(super) fn record(&mut self, log: &AuditLog) {
        for (_, route) in &mut self.0 {
            route.record(log);
        }
    }

    /// Where calls are recorded, which is the same for all routes.
    pub(super) fn audit_log(&self) -> Option<&AuditLog> {
        let (_, route) = self.0.first()?;
        route.dispatcher.audit()
    }

    /// The route at this path.
    ///
    /// # Errors
    ///
    /// 404 if there is no route.
    pub(super) fn find(&self, path: &str) -> Result<&Route, Refusal> {
        // The documentation page of a route is at `path/`, calls go to `path`; accept both.
        let page = path.strip_suffix('/');
        let fits = |known: &Option<String>| {
            let is = |known: &str| known == path || (known != "/" && Some(known) == page);
            known.as_deref().is_none_or(is)
        };
        match self.0.iter().find(|(known, _)| fits(known)) {
            Some((_, route)) => Ok(route),
            None => Err(Refusal::new(
                StatusCode::NOT_FOUND,
                "nothing is served at this path",
            )),
        }
    }

    /// Whether clients of the Model Context Protocol are served at this path.
    pub(super) fn speak_mcp(&self, path: &str) -> bool {
        // Mostly they are served nowhere, which is known without a look at the path.
        let speaks = |route: &Route| route.dispatcher.speaks_mcp();
        self.0.iter().any(|(_, route)| speaks(route)) && self.find(path).is_ok_and(speaks)
    }

    /// The route with the longest path that is a prefix of this path. Routes may be nested.
    pub(super) fn below<'a>(&'a self, path: &'a str) -> Option<Below<'a>> {
        let rest = |known: &str| -> Option<&'a str> {
            let rest = path.strip_prefix(known.strip_suffix('/').unwrap_or(known))?;
            match rest.strip_prefix('/') {
                Some(name) => Some(name),
                None if rest.is_empty() => Some(""),
                None => None,
            }
        };
        let routes = self.0.iter().filter_map(|(known, route)| {
            let path = known.as_deref()?;
            let rest = rest(path)?;
            Some(Below { route, path, rest })
        });
        routes.max_by_key(|below| below.path.len())
    }
}
