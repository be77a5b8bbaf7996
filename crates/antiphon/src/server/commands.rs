//! Built-in commands of a server: `ping`, `echo`, listings, `server_info`, `kill_actor`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_proto::ErrorObject;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::describe::rst;
use crate::error::Printable;
use crate::metrics::process_info::ProcessInfo;
use crate::metrics::status::ServerStatus;
use crate::rpc;

/// Commands that describe the server to its clients. Mount them next to your own methods:
///
/// ```
/// use antiphon::{Router, ServerCommands};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let math = Router::new().method_fn("add", |a: f64, b: f64| a + b);
/// let dispatcher = Router::of(ServerCommands::new()).nest("calc", math).build().unwrap();
///
/// let answer = dispatcher.handle(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await;
/// assert_eq!(answer.unwrap(), r#"{"jsonrpc":"2.0","id":1,"result":"pong"}"#);
/// # });
/// ```
///
/// | method | result |
/// |---|---|
/// | `ping` | `"pong"` |
/// | `echo(message = "")` | the message, byte for byte |
/// | `functions_list` | every method the caller may call: `[name, {"doc", "section"}]` |
/// | `documentation` | the same as reStructuredText |
/// | `server_info` | state of the server and its workers; for local callers and admins |
/// | `kill_actor(aid)` | ends a worker, which is replaced; `arbiter` stops the server; for admins |
///
/// For callers without the required access, the last two methods do not exist. On a server that
/// [asks who calls](crate::Server::authenticate), `ping` and `echo` are open to everybody.
pub struct ServerCommands {
    began: Instant,
    extra: Option<Extra>,
}

/// The result of `server_info`, as a JSON object.
pub type ServerInfo = Map<String, Value>;

type Extra = Arc<
    dyn Fn(Context, ServerInfo) -> Pin<Box<dyn Future<Output = ServerInfo> + Send>> + Send + Sync,
>;

impl ServerCommands {
    /// The commands, with nothing added to `server_info`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            extra: None,
        }
    }

    /// Registers a function that adds members to the result of `server_info`. The function itself
    /// is not a remote method.
    ///
    /// ```
    /// use antiphon::ServerCommands;
    ///
    /// let commands = ServerCommands::new().extra_server_info(async |_ctx, mut info| {
    ///     info.insert("region".to_owned(), "eu".into());
    ///     info
    /// });
    /// ```
    #[must_use]
    pub fn extra_server_info<F, Fut>(mut self, extra: F) -> Self
    where
        F: Fn(Context, ServerInfo) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ServerInfo> + Send + 'static,
    {
        self.extra = Some(Arc::new(move |ctx, info| Box::pin(extra(ctx, info))));
        self
    }
}

impl Default for ServerCommands {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for ServerCommands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerCommands")
    }
}

/// A line of `functions_list`.
#[derive(Serialize)]
#[cfg_attr(feature = "describe", derive(schemars::JsonSchema))]
pub(crate) struct Function {
    /// The doc comment on one line.
    doc: String,
    /// What stands before the name of the method's router: `calc.`, or nothing.
    section: String,
}

#[rpc(title = "Server commands")]
impl ServerCommands {
    /// Ping the server.
    #[method(public)]
    fn rpc_ping(&self) -> &'static str {
        "pong"
    }

    /// Echo the message back.
    #[method(public)]
    fn rpc_echo(&self, #[arg(default = empty())] message: Box<RawValue>) -> Box<RawValue> {
        message
    }

    /// List of functions and where they are documented.
    fn rpc_functions_list(&self, ctx: &Context) -> Vec<(String, Function)> {
        let tree = ctx.router();
        let line = |name: String, doc: &str, section: String| {
            let doc = match doc.is_empty() {
                true => rst::NO_DOCS.to_owned(),
                false => doc.replace('\n', " "),
            };
            (name, Function { doc, section })
        };
        let own = tree.methods(ctx.reader()).into_iter().map(|method| {
            let section = tree.node_of(method).prefix().to_owned();
            line(method.name().to_owned(), method.doc(), section)
        });
        let forwarded = tree.forwarded(ctx.reader()).into_iter();
        let forwarded = forwarded.map(|method| line(method.name, &method.doc, method.section));
        own.chain(forwarded).collect()
    }

    /// Documentation of every function, as reStructuredText.
    fn rpc_documentation(&self, ctx: &Context) -> String {
        rst::document(ctx.router(), ctx.reader())
    }

    /// Information about this server: for callers on the same machine only.
    #[method(local)]
    async fn rpc_server_info(&self, ctx: &Context) -> ServerInfo {
        let info = match supervisor_status(ctx).await {
            Some(info) => info,
            None => own_status(self.began, ctx),
        };
        match &self.extra {
            Some(extra) => extra(ctx.clone(), info).await,
            None => info,
        }
    }

    /// End a worker, which is replaced; `arbiter` stops the server. Null if it does not end in
    /// time.
    #[method(admin)]
    async fn rpc_kill_actor(&self, ctx: &Context, aid: String) -> Result<Value, ErrorObject> {
        tracing::warn!(client = ?ctx.client_ip(), "`kill_actor` was called for {}", Printable(&aid));
        let server = ctx.origin.server.as_ref();
        if let Some(supervisor) = server.and_then(|server| server.supervisor()) {
            return supervisor.ask("kill_actor", vec![aid.into()]).await;
        }
        match server {
            Some(server) if aid == SERVER => {
                server.stop();
                Ok(format!("killed {aid}").into())
            }
            _ => Err(ErrorObject::invalid_params(format!(
                "there is no worker {aid:?}"
            ))),
        }
    }
}

/// Id of the supervisor in `server_info` and `kill_actor`.
const SERVER: &str = "arbiter";

/// Status from the supervisor. `None` if there is no supervisor or it does not answer in time.
async fn supervisor_status(ctx: &Context) -> Option<ServerInfo> {
    let status = ctx
        .origin
        .server
        .as_ref()?
        .supervisor()?
        .ask("status", Vec::new());
    match tokio::time::timeout(SUPERVISOR_TIMEOUT, status).await {
        Ok(Ok(Value::Object(info))) => Some(info),
        _ => None,
    }
}

/// Timeout for the supervisor's answer.
const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(1);

fn empty() -> Box<RawValue> {
    serde_json::value::to_raw_value("").unwrap_or_default()
}

/// Status of this process, in the same format as a supervisor reports it.
fn own_status(began: Instant, ctx: &Context) -> ServerInfo {
    let server = ctx.origin.server.as_deref();
    let uptime = server
        .map_or(began, ServerStatus::began)
        .elapsed()
        .as_secs_f64();
    let stopping = server.is_some_and(ServerStatus::is_stopping);
    let state = if stopping { "stopping" } else { "running" };
    let listeners = server.map_or(&[][..], ServerStatus::listeners);
    let sockets: Vec<_> = listeners
        .iter()
        .map(|url| json!({ "address": url }))
        .collect();
    let counts = server.map(ServerStatus::counts).unwrap_or_default();
    let info = json!({
        "server": {
            "name": "antiphon",
            "version": env!("CARGO_PKG_VERSION"),
            "state": state,
            "actor_id": SERVER,
            "process_id": std::process::id(),
            "uptime": uptime,
            "number_of_monitors": 1,
            "listeners": listeners,
        },
        "monitors": {
            // No workers: this process serves requests itself.
            "rpc": {
                "server": {
                    "name": "rpc",
                    "state": state,
                    "actor_id": "monitor",
                    "process_id": std::process::id(),
                    "is_process": false,
                    "age": 2,
                    "uptime": uptime,
                },
                "rpcserver": {
                    "server": { "uptime_in_seconds": uptime, "sockets": sockets },
                    "clients": {
                        "processed_clients": counts.accepted,
                        "connected_clients": counts.connections,
                        "requests_processed": counts.calls,
                        "requests_failed": counts.errors,
                        "requests_in_flight": counts.in_flight.max(ctx.calls_in_flight()),
                    },
                },
                "extra": {},
            },
        },
        "system": ProcessInfo::now(),
        "extra": {},
    });
    match info {
        Value::Object(info) => info,
        _ => ServerInfo::new(),
    }
}
