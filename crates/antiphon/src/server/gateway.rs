//! Gateway: a server whose methods are those of other servers.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use crate::client::{Remote, Union};
use crate::context::Context;
use crate::router::{IntoRouter, Router};
use crate::rpc;
use crate::server::builder::Server;
use crate::server::commands::ServerCommands;

/// How long the start waits for the descriptions of upstreams.
const START: Duration = Duration::from_secs(1);

/// The name of upstreams that have none, for callers and in metrics.
const UPSTREAM: &str = "upstream";

/// A server in front of other servers: its methods are those of its upstreams.
///
/// ```no_run
/// use antiphon::{Client, Gateway};
/// use antiphon::client::Remote;
/// use std::time::Duration;
///
/// fn main() -> Result<std::process::ExitCode, Box<dyn std::error::Error>> {
///     // Two servers that serve the same, and a third one, whose methods begin with `eth.` here.
///     let shop = Client::balanced(["ws://10.0.0.1:8060", "ws://10.0.0.2:8060"])?;
///     let eth = Remote::of(Client::connect("http://10.0.0.3:8545")?)
///         .read_only("eth_get*")
///         .cache("eth_getBlockByNumber", Duration::from_secs(2));
///     Ok(Gateway::new().upstream(shop).upstream_at("eth", eth).server().start())
/// }
/// ```
///
/// # Upstreams
///
/// Each of them is a [`Client`](crate::Client) of any transport, or a [`Remote`], which has options and
/// says what is forwarded and how. One that is [balanced](crate::Client::balanced) stands for several
/// servers that serve the same.
///
/// A call goes to the upstream that its name belongs to. Under a name, as `eth`, all names that begin
/// with `eth.` do. Without one, an upstream has the methods that it describes; if several describe the
/// same, the one that was added first. What nobody describes goes to the only upstream, or among several
/// to the first that describes nothing at all. As long as an upstream has never told what it has,
/// names that no other one describes are answered with −32000 `Unavailable`.
///
/// Each server is [asked](Remote::check) every 2 s for a sign of life.
///
/// # What the gateway itself serves
///
/// | what | shows |
/// |---|---|
/// | [`ServerCommands`], `rpc.discover`, the page | the methods of all upstreams, each with the name of those that serve it (`x-served-by`) |
/// | `upstreams_list` | each server: its address, whether it is up, its calls; for local callers and admins |
/// | `/readyz` | how many servers of each upstream are up; 503 if there is none at all |
/// | `/metrics` | calls, failures and state of each server by its number, calls that were shared or answered from the cache |
///
/// Methods of [`merge`](Self::merge) come first, then these, then those of upstreams. Callers are asked
/// who they are, limited and counted as by any [`Server`]. On one that authenticates, calls of upstreams
/// need a known caller, and the scopes of [`require_scope`](Self::require_scope); documents of upstreams do
/// not change that.
#[must_use = "`server` makes a server of it"]
pub struct Gateway {
    own: Router,
    title: String,
    upstreams: BTreeMap<String, Union>,
    nameless: usize,
}

impl Gateway {
    /// Creates a gateway without upstreams.
    pub fn new() -> Self {
        Self {
            own: Router::new(),
            title: "Gateway".to_owned(),
            upstreams: BTreeMap::new(),
            nameless: 0,
        }
    }

    /// Adds an upstream, whose methods have their own names here.
    pub fn upstream(mut self, upstream: impl Into<Remote>) -> Self {
        self.nameless += 1;
        let name = match self.nameless {
            1 => UPSTREAM.to_owned(),
            number => format!("{UPSTREAM}{number}"),
        };
        let union = self.upstreams.entry(String::new()).or_default();
        union.push(upstream.into(), &name);
        self
    }

    /// Adds an upstream under a name: its method `add` becomes `name.add`. There may be several under
    /// one name.
    pub fn upstream_at(mut self, name: impl Into<String>, upstream: impl Into<Remote>) -> Self {
        let name = name.into();
        let union = self.upstreams.entry(name.clone()).or_default();
        union.push(upstream.into(), &name);
        self
    }

    /// Requires a scope of the callers of all upstreams under this name, or of those without one if it
    /// is empty; see [`Router::require_scope`](crate::Router::require_scope).
    pub fn require_scope(mut self, name: impl Into<String>, scope: impl Into<Box<str>>) -> Self {
        let union = self.upstreams.entry(name.into()).or_default();
        union.require_scope(scope.into());
        self
    }

    /// Adds methods of the gateway itself, which come before those of upstreams.
    pub fn merge(mut self, router: impl IntoRouter) -> Self {
        self.own = self.own.merge(router);
        self
    }

    /// Sets the title in documents. Default: `Gateway`.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Creates the server, at the path `/`. Its start waits up to a second for what the upstreams say of
    /// their methods; it does not need one to be there.
    #[must_use]
    pub fn server(self) -> Server {
        Server::lazy(async move || {
            let begins: Vec<_> = self.upstreams.values().map(Union::begin).collect();
            // What is not known by then will be.
            let _ = timeout(START, async {
                for begin in begins {
                    begin.await;
                }
            })
            .await;
            Ok::<_, Infallible>(self.into_router())
        })
    }
}

impl IntoRouter for Gateway {
    /// The router of the gateway, for a server that has more than that. It begins to ask its upstreams
    /// when it is first called.
    fn into_router(self) -> Router {
        let mut router = Router::new()
            .title(self.title)
            .merge(self.own)
            .merge(ServerCommands::new())
            .merge(GatewayCommands);
        for (name, union) in &self.upstreams {
            if union.is_empty() {
                continue;
            }
            let methods = union.router();
            router = match name.as_str() {
                "" => router.merge(methods),
                name => router.nest(name, methods),
            };
        }
        router
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("upstreams", &self.upstreams.keys())
            .finish_non_exhaustive()
    }
}

/// The methods of a gateway that tell of its upstreams.
struct GatewayCommands;

/// A line of `upstreams_list`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
struct UpstreamLine {
    /// The name of the upstream.
    name: String,
    /// The number of the server in it, as in metrics.
    server: usize,
    /// The address of the server.
    address: String,
    /// Whether calls are sent to it.
    is_up: bool,
    /// Calls that it has not answered yet.
    in_flight: u64,
    /// Calls that it was chosen for since the start.
    calls: u64,
    /// Those of them that it has not answered, or not as it should.
    failed: u64,
}

#[rpc(title = "Gateway")]
impl GatewayCommands {
    /// The servers that calls are forwarded to, and how they are.
    #[method(local)]
    fn rpc_upstreams_list(&self, ctx: &Context) -> Vec<UpstreamLine> {
        let mut lines = Vec::new();
        for remote in ctx.router().all_remotes() {
            let served = remote.source.served_by();
            for (server, upstream) in served.upstreams.into_iter().enumerate() {
                lines.push(UpstreamLine {
                    name: served.name.to_string(),
                    server,
                    address: upstream.place,
                    is_up: upstream.is_up,
                    in_flight: upstream.in_flight,
                    calls: upstream.calls,
                    failed: upstream.failed,
                });
            }
        }
        lines
    }
}
