//! The commands that a server can carry: `ping`, `echo`, listings and `server_info`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::describe::rst;
use crate::rpc;

/// Commands that tell a client whom it talks to. Mount them beside your own methods:
///
/// ```
/// use antiphon::{Router, ServerCommands};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let math = Router::default().method_fn("add", |a: f64, b: f64| a + b);
/// let dispatcher = Router::new(ServerCommands::new()).nest("calc", math).build().unwrap();
///
/// let answer = dispatcher.handle(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await;
/// assert_eq!(answer.unwrap(), r#"{"jsonrpc":"2.0","id":1,"result":"pong"}"#);
/// # });
/// ```
///
/// | method | answers |
/// |---|---|
/// | `ping` | `"pong"` |
/// | `echo(message = "")` | the message, byte for byte |
/// | `functions_list` | every method the caller may call: `[name, {"doc", "section"}]` |
/// | `documentation` | the same as reStructuredText |
/// | `server_info` | how this process is; for local callers only, to others it does not exist |
pub struct ServerCommands {
    began: Instant,
    extra: Option<Extra>,
}

/// What `server_info` answers with, as JSON members.
pub type ServerInfo = Map<String, Value>;

type Extra = Arc<
    dyn Fn(Context, ServerInfo) -> Pin<Box<dyn Future<Output = ServerInfo> + Send>> + Send + Sync,
>;

impl ServerCommands {
    /// The commands, without anything extra in `server_info`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            extra: None,
        }
    }

    /// Lets a function add to what `server_info` answers with. It is no remote method itself.
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
pub(crate) struct Function {
    /// The doc comment on one line.
    doc: String,
    /// What stands before the name of the method's router: `calc.`, or nothing.
    section: String,
}

#[rpc(title = "Server commands")]
impl ServerCommands {
    /// Ping the server.
    fn rpc_ping(&self) -> &'static str {
        "pong"
    }

    /// Echo the message back.
    fn rpc_echo(&self, #[arg(default = empty())] message: Box<RawValue>) -> Box<RawValue> {
        message
    }

    /// List of functions and where they are documented.
    fn rpc_functions_list(&self, ctx: &Context) -> Vec<(String, Function)> {
        let tree = ctx.router();
        let line = |method: &crate::tree::MethodInfo| {
            let doc = method.doc().replace('\n', " ");
            let function = Function {
                doc: if doc.is_empty() {
                    rst::NO_DOCS.to_owned()
                } else {
                    doc
                },
                section: tree.node_of(method).prefix().to_owned(),
            };
            (method.name().to_owned(), function)
        };
        tree.methods(ctx.is_local()).into_iter().map(line).collect()
    }

    /// Documentation of every function, as reStructuredText.
    fn rpc_documentation(&self, ctx: &Context) -> String {
        rst::document(ctx.router(), ctx.is_local())
    }

    /// Information about this server: for callers on the same machine only.
    #[method(local)]
    async fn rpc_server_info(&self, ctx: &Context) -> ServerInfo {
        let info = info(self.began, ctx);
        match &self.extra {
            Some(extra) => extra(ctx.clone(), info).await,
            None => info,
        }
    }
}

fn empty() -> Box<RawValue> {
    serde_json::value::to_raw_value("").unwrap_or_default()
}

fn info(began: Instant, ctx: &Context) -> ServerInfo {
    let server = json!({
        "name": "antiphon",
        "version": env!("CARGO_PKG_VERSION"),
        "state": "running",
        "process_id": std::process::id(),
        "uptime": began.elapsed().as_secs_f64(),
        "in_flight": ctx.calls_in_flight(),
        "number_of_monitors": 0,
    });
    let mut info = ServerInfo::new();
    info.insert("server".to_owned(), server);
    // Worker processes are watched by monitors; a server of one process has none.
    info.insert("monitors".to_owned(), json!({}));
    info.insert("system".to_owned(), system());
    info.insert("extra".to_owned(), json!({}));
    info
}

/// What the system says about this process; nothing where it cannot be asked.
fn system() -> Value {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return json!({});
    };
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let bytes = |name| field(name).map(|kibibytes| kibibytes * 1024);
    json!({
        "memory": bytes("VmRSS:"),
        "memory_virtual": bytes("VmSize:"),
        "num_threads": field("Threads:"),
    })
}
