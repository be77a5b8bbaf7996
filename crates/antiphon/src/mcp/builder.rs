//! Builder of a server that speaks the Model Context Protocol.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::listen::Changes;
use super::service::{Options, Service};
use crate::router::{IntoRouter, Router};

/// A router as a server of the Model Context Protocol: its methods are tools of agents.
///
/// Over HTTP it is a route of a [`Server`](crate::Server), beside others; on standard input and output it
/// is the only one.
///
/// ```no_run
/// use antiphon::mcp::Mcp;
/// use antiphon::{Router, Server};
///
/// let router = Router::new().title("Sums").method_fn("zero", || 0);
/// let mcp = Mcp::new(router).instructions("Ask for sums.");
/// let server = Server::new(mcp).stdio();
/// # let server = server;
/// ```
///
/// # Tools
///
/// Each method that a caller may see becomes a tool, unless it returns a stream or says
/// [`tool(false)`](crate::Method::tool). Its name, documentation and schemas are those of the method.
/// An agent passes arguments by name, so parameters need names. A result is sent as text, and as
/// structured content if its type has a schema. An error of the method, also one of wrong arguments, is a
/// result that says so, for the model to correct itself. A method that returns a
/// [`ToolResult`](super::ToolResult) decides itself what an agent sees.
///
/// A call of a tool is a call of its method, with the identity, scopes, limits, deadline and layers of any
/// other.
///
/// # Resources, prompts, completion and logging
///
/// These are methods with the names of the protocol: `resources/list`, `resources/read`,
/// `resources/templates/list`, `resources/subscribe`, `resources/unsubscribe`, `prompts/list`,
/// `prompts/get`, `completion/complete`, `logging/setLevel`. Clients are told of those that there are.
#[must_use]
pub struct Mcp {
    router: Option<Router>,
    options: Options,
}

impl Mcp {
    /// Serves this router.
    pub fn new(router: impl IntoRouter) -> Self {
        Self {
            router: Some(router.into_router()),
            ..Self::of_root()
        }
    }

    /// Serves the router that the same [`Server`](crate::Server) has at `/`.
    pub fn of_root() -> Self {
        Self {
            router: None,
            options: Options {
                name: None,
                version: None,
                instructions: None,
                page: 500,
                ttl: 60_000,
                filter: None,
                changes: None,
            },
        }
    }

    /// Sets the name of the server. Default: the title of the router.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into());
        self
    }

    /// Sets the version of the server. Default: that of the router.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.options.version = Some(version.into());
        self
    }

    /// Tells models how to use the server.
    pub fn instructions(mut self, text: impl Into<String>) -> Self {
        self.options.instructions = Some(text.into());
        self
    }

    /// Sets how many tools a page of their list has at most. Default: 500.
    pub fn page_size(mut self, tools: usize) -> Self {
        self.options.page = tools.max(1);
        self
    }

    /// Sets how long clients may keep the list of tools. Default: 60 s.
    pub fn keep_lists_for(mut self, time: Duration) -> Self {
        self.options.ttl = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Serves only those methods as tools whose name passes.
    ///
    /// ```
    /// use antiphon::Router;
    /// use antiphon::mcp::Mcp;
    ///
    /// let mcp = Mcp::new(Router::new()).filter(|name| !name.starts_with("admin."));
    /// ```
    pub fn filter(mut self, passes: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.options.filter = Some(Arc::new(passes));
        self
    }

    /// Tells clients that listen what these say.
    pub fn changes(mut self, changes: &Changes) -> Self {
        self.options.changes = Some(changes.clone());
        self
    }

    /// The router, if it has one, and the protocol's side of it.
    pub(crate) fn into_parts(self) -> (Option<Router>, Arc<Service>) {
        (self.router, Arc::new(Service::new(self.options)))
    }
}

impl fmt::Debug for Mcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mcp").finish_non_exhaustive()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}
