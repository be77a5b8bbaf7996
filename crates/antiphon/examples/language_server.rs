//! Skeleton of a language server: messages with `Content-Length` headers on standard input and
//! output.
//!
//! Run with
//!
//! ```console
//! $ cargo build --example language_server
//! $ antiphon call stdio+content-length:target/debug/examples/language_server \
//!     textDocument/hover 'position={"line":1,"character":2}'
//! ```
//!
//! An editor starts the program in the same way, and ends it by closing its standard input.

use std::process::ExitCode;
use std::time::Duration;

use antiphon::{Context, ErrorObject, Framing, Server, rpc};
use serde_json::{Map, Value, json};

struct Language;

/// The members of `params`. A real server has a typed struct for each method.
type Members = Map<String, Value>;

#[rpc]
impl Language {
    /// Returns the capabilities of the server.
    fn rpc_initialize(&self, #[arg(flatten)] _params: Members) -> Value {
        json!({"capabilities": {"hoverProvider": true, "workspaceSymbolProvider": true}})
    }

    /// Notifies the editor. It is the client, and the server may send it messages at any time.
    #[method(name = "textDocument/didOpen")]
    async fn rpc_did_open(
        &self,
        ctx: &Context,
        #[arg(name = "textDocument")] document: Value,
    ) -> Result<(), ErrorObject> {
        let message = json!({"type": 3, "message": format!("opened {}", document["uri"])});
        Ok(ctx.peer()?.notify("window/logMessage", message).await?)
    }

    /// Describes the symbol at a position.
    #[method(name = "textDocument/hover")]
    fn rpc_hover(&self, position: Value, #[arg(flatten)] _rest: Members) -> Value {
        json!({"contents": format!("line {}", position["line"])})
    }

    /// A slow method. `$/cancelRequest` drops it where it waits, and the response is the error
    /// −32800.
    #[method(name = "workspace/symbol")]
    async fn rpc_symbol(&self, query: String, #[arg(flatten)] _rest: Members) -> Vec<Value> {
        tokio::time::sleep(Duration::from_secs(5)).await;
        vec![json!({"name": query, "kind": 12})]
    }
}

fn main() -> ExitCode {
    Server::new(Language)
        .stdio_framed(Framing::ContentLength)
        .start()
}
