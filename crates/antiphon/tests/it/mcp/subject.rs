//! A server for agents, and requests to it.

use antiphon::mcp::{
    Complete, Content, GetPrompt, Mcp, ReadResource, ResourceContents, ToolResult, no_such_resource,
};
use antiphon::{Access, Context, Dispatcher, ErrorObject, Method, Router, rpc};
use serde_json::{Value, json};

use crate::support::ask;

pub(super) struct Desk;

#[derive(serde::Serialize, schemars::JsonSchema)]
pub(super) struct Sum {
    sum: i64,
}

#[rpc]
impl Desk {
    /// Adds two numbers.
    #[method(read_only)]
    fn rpc_add(&self, a: i64, b: i64) -> Sum {
        Sum { sum: a + b }
    }

    /// Says it back.
    fn rpc_echo(&self, text: String) -> String {
        text
    }

    fn rpc_fail(&self) -> Result<(), ErrorObject> {
        Err(ErrorObject::new(7, "no tea").with_data("come back later"))
    }

    #[method(destructive)]
    fn rpc_wipe(&self) {}

    #[method(tool = false)]
    fn rpc_secret(&self) -> u8 {
        1
    }

    fn rpc_picture(&self) -> ToolResult {
        ToolResult::new([Content::image("aGk=", "image/png")])
    }

    async fn rpc_greet(&self, ctx: &Context) -> Result<String, ErrorObject> {
        let schema = json!({"type": "object", "properties": {"name": {"type": "string"}}});
        let said = ctx.elicit("name", "Who are you?", &schema).await?;
        let form = said.accepted().cloned().unwrap_or_default();
        let said = ctx
            .sample("poem", &json!({"maxTokens": 9, "messages": []}))
            .await?;
        Ok(format!("{}: {}", form["name"], said["content"]))
    }

    #[method(name = "resources/read")]
    fn rpc_read(&self, uri: String) -> Result<ReadResource, ErrorObject> {
        match uri.as_str() {
            "test://a" => Ok(ReadResource::new(ResourceContents::text(uri, "hello"))),
            _ => Err(no_such_resource(&uri)),
        }
    }

    #[method(name = "resources/subscribe")]
    fn rpc_subscribe(&self, uri: String) {
        drop(uri);
    }

    #[method(name = "prompts/get")]
    fn rpc_prompt(&self, name: String) -> GetPrompt {
        GetPrompt::user(Content::text(name))
    }

    #[method(name = "completion/complete")]
    fn rpc_complete(&self, #[arg(flatten)] all: serde_json::Map<String, Value>) -> Complete {
        drop(all);
        Complete::default()
    }
}

/// The router of most tests.
pub(super) fn router() -> Router {
    Router::of(Desk)
        .title("Desk")
        .version("1.2.3")
        .method(Method::function("local", || 1).access(Access::Local))
        .method(Method::function("ticks", || 1).subscription())
}

pub(super) fn mcp() -> Dispatcher {
    Mcp::new(router()).instructions("Be kind.").build().unwrap()
}

/// A request of a client before 2026-07-28.
pub(super) fn before(method: &str, params: Value) -> Value {
    let mut request = json!({"jsonrpc": "2.0", "id": 1, "method": method});
    request["params"] = params;
    request
}

/// What each request says of itself since 2026-07-28.
pub(super) fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "sampling": {}},
    })
}

/// A request of a client since 2026-07-28.
pub(super) fn now(method: &str, mut params: Value) -> Value {
    params["_meta"] = meta();
    before(method, params)
}

pub(super) async fn says(server: &Dispatcher, message: &Value) -> Value {
    ask(server, message.to_string()).await
}

/// The result of a call of a tool.
pub(super) async fn tool(server: &Dispatcher, name: &str, arguments: Value) -> Value {
    let call = before("tools/call", json!({"name": name, "arguments": arguments}));
    says(server, &call).await["result"].take()
}
