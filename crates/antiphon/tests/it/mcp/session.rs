//! The Model Context Protocol on a connection of messages, one on each line, as on standard input.

use std::net::SocketAddr;
use std::time::Duration;

use antiphon::mcp::Mcp;
use antiphon::{Context, ErrorObject, Method, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::subject::{before, now, router};
use crate::support::counter::Counter;

/// A client.
struct Client {
    lines: Lines<BufReader<OwnedReadHalf>>,
    to: OwnedWriteHalf,
}

impl Client {
    async fn of(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        let (from, to) = stream.into_split();
        let lines = BufReader::new(from).lines();
        Self { lines, to }
    }

    async fn say(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.to.write_all(line.as_bytes()).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        let line = timeout(Duration::from_secs(20), self.lines.next_line()).await;
        let line = line.expect("nothing comes").unwrap().expect("it is open");
        serde_json::from_str(&line).unwrap()
    }

    async fn asks(&mut self, message: &Value) -> Value {
        self.say(message).await;
        self.next().await
    }
}

async fn server(dropped: &Counter) -> SocketAddr {
    let dropped = dropped.clone();
    let hold = move |ctx: Context| {
        let guard = dropped.guard();
        async move {
            ctx.progress(&"wait").await;
            std::future::pending::<()>().await;
            drop(guard);
        }
    };
    let ask = |ctx: Context| async move {
        let said = ctx.peer()?.call::<Value>("roots/list", json!({})).await?;
        Ok::<_, ErrorObject>(said["roots"][0].clone())
    };
    let router = router()
        .method_fn("hold", hold)
        .method(Method::function("ask", ask));
    let server = Server::new(Mcp::new(router)).bind("tcp://127.0.0.1:0");
    let listening = server.listen().await.unwrap();
    let address = *listening.addresses().first().unwrap();
    tokio::spawn(listening.serve());
    address
}

#[tokio::test]
async fn both_eras_are_spoken_on_one_connection() {
    let server = server(&Counter::default()).await;
    let mut client = Client::of(server).await;
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}});
    let answer = client.asks(&before("initialize", hello)).await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
    client
        .say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        .await;
    let answer = client.asks(&before("tools/list", json!({}))).await;
    assert_eq!(answer["result"].get("resultType"), None);
    let answer = client.asks(&now("tools/list", json!({}))).await;
    assert_eq!(answer["result"]["resultType"], "complete");
    let answer = client.asks(&now("server/discover", json!({}))).await;
    assert_eq!(answer["result"]["supportedVersions"][0], "2026-07-28");
}

#[tokio::test]
async fn a_cancelled_call_is_dropped_and_gets_no_answer() {
    let dropped = Counter::default();
    let server = server(&dropped).await;
    let mut client = Client::of(server).await;
    let mut call = before(
        "tools/call",
        json!({"name": "hold", "_meta": {"progressToken": "p"}}),
    );
    call["id"] = "held".into();
    let told = client.asks(&call).await;
    let params = json!({"progressToken": "p", "progress": 1.0, "message": "wait"});
    assert_eq!(
        (&told["method"], &told["params"]),
        (&json!("notifications/progress"), &params)
    );
    let cancel = json!({"requestId": "held", "reason": "enough"});
    client
        .say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancel}))
        .await;
    dropped.reach(1).await;
    // What comes next is the answer to the next request.
    assert_eq!(client.asks(&before("ping", json!({}))).await["id"], 1);
}

#[tokio::test]
async fn a_method_calls_its_client_and_takes_the_call_back() {
    let server = server(&Counter::default()).await;
    let mut client = Client::of(server).await;
    let asked = client
        .asks(&before("tools/call", json!({"name": "ask"})))
        .await;
    assert_eq!(asked["method"], "roots/list");
    assert_eq!(asked.as_object().unwrap().len(), 4, "{asked}");
    let said = json!({"jsonrpc": "2.0", "id": asked["id"], "result": {"roots": ["here"]}});
    let answer = client.asks(&said).await;
    assert_eq!(answer["result"]["content"][0]["text"], "here");
    let asked = client
        .asks(&before("tools/call", json!({"name": "ask"})))
        .await;
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    let cancelled = client.asks(&cancel).await;
    assert_eq!(cancelled["method"], "notifications/cancelled");
    assert_eq!(cancelled["params"], json!({"requestId": asked["id"]}));
}

#[tokio::test]
async fn a_method_asks_a_client_of_before_and_waits() {
    let server = server(&Counter::default()).await;
    let mut client = Client::of(server).await;
    let asked = client
        .asks(&before("tools/call", json!({"name": "greet"})))
        .await;
    assert_eq!(asked["method"], "elicitation/create");
    assert_eq!(asked["params"]["message"], "Who are you?");
    let result = json!({"action": "accept", "content": {"name": "Ann"}});
    let asked = client
        .asks(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": result}))
        .await;
    assert_eq!(asked["method"], "sampling/createMessage");
    let result = json!({"role": "assistant", "content": "roses", "model": "m"});
    let answer = client
        .asks(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": result}))
        .await;
    assert_eq!(answer["result"]["content"][0]["text"], "\"Ann\": \"roses\"");
}
