//! The Model Context Protocol over HTTP: statuses, header fields, event streams.

use std::time::Duration;

use antiphon::mcp::{Changes, LogLevel, Mcp};
use antiphon::{Context, ErrorObject, Method, Router, Server};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::subject::{before, now, router};
use crate::support::counter::Counter;
use crate::support::http1::{Http1, HttpResponse};
use crate::support::test_server::{Log, TestServer};

pub(super) const BOTH: &str = "Accept: application/json, text/event-stream\r\n";

/// A request to `/mcp` with additional header lines.
pub(super) fn post(more: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{more}\r\n{body}"
    )
}

/// The header lines of a request since 2026-07-28.
fn lines(method: &str, name: Option<&str>) -> String {
    let name = name.map_or(String::new(), |name| format!("Mcp-Name: {name}\r\n"));
    format!("{BOTH}MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n{name}")
}

/// The methods of `/` and `/mcp`, beside those of other tests.
fn chatty(dropped: &Counter) -> Router {
    let dropped = dropped.clone();
    let chat = |ctx: Context, times: u32| async move {
        for at in 1..=times {
            ctx.progress(&json!({"progress": at, "total": times})).await;
            ctx.log(LogLevel::Info, "chat", &at).await;
            sleep(Duration::from_millis(5)).await;
        }
        times
    };
    let hold = move |ctx: Context| {
        let guard = dropped.guard();
        async move {
            ctx.progress(&1).await;
            std::future::pending::<()>().await;
            drop(guard);
        }
    };
    let ask = |ctx: Context| async move {
        let said = ctx.peer()?.call::<Value>("roots/list", json!({})).await?;
        Ok::<_, ErrorObject>(said["roots"][0].clone())
    };
    let region = antiphon::ParamInfo::required("region").typed::<Region>();
    let located = Method::function("located", |region: String| region).params([region]);
    router()
        .method(Method::function("chat", chat).params(["times"]))
        .method_fn("hold", hold)
        .method_fn("ask", ask)
        .method(located)
}

/// A text that a header field repeats.
struct Region;

impl schemars::JsonSchema for Region {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Region".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "x-mcp-header": "Region"})
    }
}

async fn server() -> (TestServer, Counter) {
    let dropped = Counter::default();
    let server = Server::new(chatty(&dropped)).mcp("/mcp");
    (TestServer::of(server, Log::default()).await, dropped)
}

/// The messages of an event stream that has ended.
fn events(response: &HttpResponse) -> Vec<Value> {
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    let lines = response.text().lines();
    let data = lines.filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn error(response: &HttpResponse) -> i64 {
    let answer: Value = serde_json::from_slice(&response.body).unwrap();
    answer["error"]["code"].as_i64().unwrap()
}

#[tokio::test]
async fn what_is_ready_is_json_and_what_is_no_request_has_a_status() {
    let (server, _) = server().await;
    let mut http = server.connect().await;
    let answer = http.ask(post(BOTH, &before("ping", json!({})))).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["result"], json!({}));
    // The same methods are at `/` as they were.
    let sum = http.call("1", "add", r#"{"a":1,"b":2}"#).await;
    assert_eq!(sum["result"], json!({"sum": 3}));
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let answer = http.ask(post(BOTH, &note)).await;
    assert_eq!((answer.status, answer.text()), (202, ""));
    for (body, code) in [
        (json!([before("ping", json!({}))]), -32600),
        (json!({"jsonrpc": "2.0", "id": 1}), -32600),
        (json!(1), -32600),
    ] {
        let answer = server.connect().await.ask(post(BOTH, &body)).await;
        assert_eq!((answer.status, error(&answer)), (400, code), "{body}");
    }
    let cut = post(BOTH, &json!("{")).replace("\"{\"", "{{{");
    let answer = server.connect().await.ask(cut).await;
    assert_eq!((answer.status, error(&answer)), (400, -32700));
    for method in ["GET", "DELETE"] {
        let more = "Accept: text/event-stream\r\nMcp-Session-Id: 1";
        let request = format!("{method} /mcp HTTP/1.1\r\nHost: localhost\r\n{more}\r\n\r\n");
        let answer = server.connect().await.ask(request).await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("POST, OPTIONS"))
        );
    }
    let more = format!("{BOTH}Origin: http://evil.example\r\n");
    let answer = server
        .connect()
        .await
        .ask(post(&more, &before("ping", json!({}))))
        .await;
    assert_eq!(answer.status, 403);
}

#[tokio::test]
async fn headers_have_to_say_what_the_body_says() {
    let (server, _) = server().await;
    let call = now(
        "tools/call",
        json!({"name": "echo", "arguments": {"text": "x"}}),
    );
    let list = now("tools/list", json!({}));
    let old = before("tools/list", json!({}));
    let version = |version: &str| format!("{BOTH}MCP-Protocol-Version: {version}\r\n");
    let unknown = {
        let mut request = list.clone();
        request["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "1900-01-01".into();
        request
    };
    for (lines, body, status, code) in [
        (lines("tools/call", Some("echo")), &call, 200, 0),
        (
            lines("tools/call", Some("=?base64?ZWNobw==?=")),
            &call,
            200,
            0,
        ),
        (lines("tools/list", None), &list, 200, 0),
        (lines("tools/call", Some("add")), &call, 400, -32020),
        (lines("tools/call", None), &call, 400, -32020),
        (lines("tools/list", Some("echo")), &call, 400, -32020),
        (version("2026-07-28"), &list, 400, -32020),
        (version("2025-11-25"), &list, 400, -32020),
        (BOTH.to_owned(), &list, 400, -32020),
        (version("2026-07-28"), &old, 400, -32602),
        (version("1900-01-01"), &unknown, 400, -32022),
        (version("1900-01-01"), &old, 400, -32022),
        (version("2025-11-25"), &old, 200, 0),
        (version("2025-06-18"), &old, 200, 0),
        (BOTH.to_owned(), &old, 200, 0),
        (
            lines("nothing", None),
            &now("nothing", json!({})),
            404,
            -32601,
        ),
        (
            version("2025-11-25"),
            &before("nothing", json!({})),
            200,
            -32601,
        ),
    ] {
        let answer = server.connect().await.ask(post(&lines, body)).await;
        let found: Value = serde_json::from_slice(&answer.body).unwrap();
        let found = found["error"]["code"].as_i64().unwrap_or_default();
        assert_eq!((answer.status, found), (status, code), "{lines} {body}");
    }
}

#[tokio::test]
async fn a_header_repeats_an_argument_or_the_call_does_not_run() {
    let (server, _) = server().await;
    let call = now(
        "tools/call",
        json!({"name": "located", "arguments": {"region": "eu"}}),
    );
    for (more, status) in [
        ("Mcp-Param-Region: eu\r\n", 200),
        ("Mcp-Param-Region: us\r\n", 400),
        ("", 400),
    ] {
        let lines = lines("tools/call", Some("located")) + more;
        let answer = server.connect().await.ask(post(&lines, &call)).await;
        assert_eq!(answer.status, status, "{more}: {answer:?}");
    }
    // Before, there was no such header.
    let call = before(
        "tools/call",
        json!({"name": "located", "arguments": {"region": "eu"}}),
    );
    let answer = server.connect().await.ask(post(BOTH, &call)).await;
    assert_eq!(answer.json()["result"]["content"][0]["text"], "eu");
}

#[tokio::test]
async fn what_a_method_tells_goes_before_its_result() {
    let (server, _) = server().await;
    let call = |meta: Value| {
        let params = json!({"name": "chat", "arguments": {"times": 2}, "_meta": meta});
        before("tools/call", params)
    };
    let mut http = server.connect().await;
    let answer = http
        .ask(post(BOTH, &call(json!({"progressToken": "t"}))))
        .await;
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    let seen = events(&answer);
    let methods: Vec<_> = seen
        .iter()
        .map(|event| event["method"].as_str().unwrap_or(""))
        .collect();
    let (progress, log) = ("notifications/progress", "notifications/message");
    assert_eq!(methods, [progress, log, progress, log, ""]);
    let params = json!({"progressToken": "t", "progress": 2, "total": 2});
    assert_eq!(seen[2]["params"], params);
    assert_eq!(
        seen[1]["params"],
        json!({"level": "info", "logger": "chat", "data": 1})
    );
    assert_eq!(seen[4]["result"]["content"][0]["text"], "2");
    // Nobody has asked for progress, nor since then for a log.
    let seen = events(&http.ask(post(BOTH, &call(json!({})))).await);
    assert_eq!(seen.len(), 3);
    let request = now(
        "tools/call",
        json!({"name": "chat", "arguments": {"times": 2}}),
    );
    let lines = lines("tools/call", Some("chat"));
    let answer = http.ask(post(&lines, &request)).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let mut loud = request;
    loud["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = "info".into();
    assert_eq!(events(&http.ask(post(&lines, &loud)).await).len(), 3);
    loud["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = "error".into();
    let answer = http.ask(post(&lines, &loud)).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

/// Reads the next event of a response whose head was read.
async fn next(http: &mut Http1) -> Value {
    let chunk = http.chunk().await.unwrap().expect("an event");
    let text = String::from_utf8(chunk).unwrap();
    serde_json::from_str(text.trim().strip_prefix("data: ").unwrap()).unwrap()
}

#[tokio::test]
async fn a_method_calls_its_client_and_the_answer_is_its_next_request() {
    let (server, _) = server().await;
    let mut http = server.connect().await;
    http.send(post(BOTH, &before("tools/call", json!({"name": "ask"}))))
        .await;
    let head = http.head().await.unwrap();
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    let asked = next(&mut http).await;
    assert_eq!(asked["method"], "roots/list");
    // A strict reader knows no other members.
    assert_eq!(asked.as_object().unwrap().len(), 4, "{asked}");
    let said = |id: Value| json!({"jsonrpc": "2.0", "id": id, "result": {"roots": ["here"]}});
    let mut other = server.connect().await;
    let answer = other.ask(post(BOTH, &said(asked["id"].clone()))).await;
    assert_eq!((answer.status, answer.text()), (202, ""));
    assert_eq!(
        next(&mut http).await["result"]["content"][0]["text"],
        "here"
    );
    assert_eq!(http.chunk().await.unwrap(), None);
    // Nobody waits for it any more, nor for one that somebody has made up.
    for id in [asked["id"].clone(), json!("x-1"), json!(1), Value::Null] {
        let answer = server.connect().await.ask(post(BOTH, &said(id))).await;
        assert_eq!(answer.status, 400);
    }
    // Without an event stream it cannot ask.
    let only = "Accept: application/json\r\n";
    let call = before("tools/call", json!({"name": "ask"}));
    let answer = other.ask(post(only, &call)).await;
    assert_eq!(answer.json()["result"]["isError"], true);
}

#[tokio::test]
async fn who_goes_away_cancels_the_call() {
    let (server, dropped) = server().await;
    let mut http = server.connect().await;
    let params = json!({"name": "hold", "_meta": {"progressToken": 7}});
    http.send(post(BOTH, &before("tools/call", params))).await;
    http.head().await.unwrap();
    assert_eq!(
        next(&mut http).await["params"],
        json!({"progressToken": 7, "progress": 1})
    );
    assert_eq!(dropped.get(), 0);
    drop(http);
    dropped.reach(1).await;
}

#[tokio::test]
async fn who_listens_is_told_what_has_changed_until_the_server_stops() {
    let changes = Changes::new();
    let mcp = Mcp::new(router()).changes(&changes);
    let server = TestServer::of(Server::builder().route("/mcp", mcp), Log::default()).await;
    let mut http = server.connect().await;
    let filter = json!({"toolsListChanged": true, "resourceSubscriptions": ["test://a"]});
    let mut request = now("subscriptions/listen", json!({"notifications": filter}));
    request["id"] = "listen".into();
    http.send(post(&lines("subscriptions/listen", None), &request))
        .await;
    http.head().await.unwrap();
    let meta = json!({"io.modelcontextprotocol/subscriptionId": "listen"});
    let first = next(&mut http).await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(
        first["params"],
        json!({"_meta": meta, "notifications": filter})
    );
    changes.prompts();
    changes.resource("test://b");
    changes.resource("test://a");
    let event = next(&mut http).await;
    assert_eq!(event["method"], "notifications/resources/updated");
    assert_eq!(event["params"], json!({"_meta": meta, "uri": "test://a"}));
    changes.tools();
    let event = next(&mut http).await;
    assert_eq!(event["method"], "notifications/tools/list_changed");
    assert_eq!(event["params"], json!({"_meta": meta}));
    let answer = server
        .connect()
        .await
        .ask(post(
            &lines("server/discover", None),
            &now("server/discover", json!({})),
        ))
        .await;
    let tools = json!({"listChanged": true});
    assert_eq!(answer.json()["result"]["capabilities"]["tools"], tools);
    server.handle.stop();
    let last = next(&mut http).await;
    assert_eq!(
        (&last["id"], &last["result"]["resultType"]),
        (&json!("listen"), &json!("complete"))
    );
    assert_eq!(
        last["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
        "listen"
    );
}
