//! Methods that call their callers over HTTP, and callers who answer with another request.

use std::time::Duration;

use antiphon::{Context, ErrorObject, Route, Router, Server, rpc};
use futures_util::stream::{Stream, iter};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::call;
use crate::support::counter::Counter;
use crate::support::http1::{Http1, post};
use crate::support::test_server::{Log, TestServer};

const BOTH: &str = "Accept: application/json, text/event-stream\r\n";

struct Streams;

#[rpc]
impl Streams {
    async fn rpc_count(&self, ctx: &Context) -> impl Stream<Item = u8> + use<> {
        ctx.progress("soon").await;
        sleep(Duration::from_millis(5)).await;
        iter([1, 2])
    }

    fn rpc_at_once(&self) -> impl Stream<Item = u8> + use<> {
        iter([7])
    }
}

async fn server(dropped: &Counter) -> TestServer {
    let dropped = dropped.clone();
    let greet = move |ctx: Context| {
        let guard = dropped.guard();
        async move {
            let name: String = ctx.peer()?.call("name", ()).await?;
            drop(guard);
            Ok::<_, ErrorObject>(format!("good evening, {name}"))
        }
    };
    let router = Router::of(Streams)
        .method_fn("add", |a: i64, b: i64| a + b)
        .method_fn("greet", greet);
    let route = Route::new(router.build().unwrap()).two_way();
    TestServer::of(Server::new(route), Log::default()).await
}

/// The next event of a response whose head was read.
async fn next(http: &mut Http1) -> Option<Value> {
    let chunk = http.chunk().await.unwrap()?;
    let text = String::from_utf8(chunk).unwrap();
    let data = text.lines().find_map(|line| line.strip_prefix("data: "));
    Some(serde_json::from_str(data.unwrap()).unwrap())
}

/// Makes a call whose response is an event stream.
async fn begin(server: &TestServer, method: &str) -> Http1 {
    let mut http = server.connect().await;
    http.send(post(BOTH, &call("1", method, "[]"))).await;
    let head = http.head().await.unwrap();
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    http
}

#[tokio::test]
async fn a_caller_answers_with_another_request() {
    let server = server(&Counter::default()).await;
    let mut http = begin(&server, "greet").await;
    let asked = next(&mut http).await.unwrap();
    assert_eq!(asked["method"], "name");
    let id = asked["id"].as_str().unwrap();
    assert!(id.len() > 32, "{id}");
    let said = json!({"jsonrpc": "2.0", "id": id, "result": "Ann"}).to_string();
    let answer = server.connect().await.ask(post("", &said)).await;
    assert_eq!((answer.status, answer.text()), (204, ""));
    assert_eq!(
        next(&mut http).await.unwrap()["result"],
        "good evening, Ann"
    );
    assert_eq!(next(&mut http).await, None);
    // It is over, and nobody has ever asked for the other.
    for id in [id, "x-1"] {
        let said = json!({"jsonrpc": "2.0", "id": id, "result": "Ben"}).to_string();
        assert_eq!(
            server.connect().await.ask(post("", &said)).await.status,
            400
        );
    }
}

#[tokio::test]
async fn other_calls_are_answered_as_everywhere() {
    let dropped = Counter::default();
    let server = server(&dropped).await;
    let mut http = server.connect().await;
    for more in ["", BOTH] {
        let answer = http.ask(post(more, &call("1", "add", "[3,4]"))).await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.json()["result"], 7);
        let batch = format!(
            "[{},{}]",
            call("1", "add", "[1,1]"),
            call("2", "add", "[2,2]")
        );
        let answer = http.ask(post(more, &batch)).await.json();
        assert_eq!(
            (&answer[0]["result"], &answer[1]["result"]),
            (&json!(2), &json!(4))
        );
        let answer = http.ask(post(more, "nonsense")).await;
        assert_eq!(answer.json()["error"]["code"], -32700);
    }
    // Where nothing can follow, nobody can be called.
    let answer = http.ask(post("", &call("1", "greet", "[]"))).await.json();
    assert_eq!(answer["error"]["code"], -32004);
    // Who goes away cancels the call.
    let before = dropped.get();
    let mut http = begin(&server, "greet").await;
    next(&mut http).await.unwrap();
    drop(http);
    dropped.reach(before + 1).await;
}

#[tokio::test]
async fn a_stream_begins_behind_what_was_told_and_the_answer() {
    let server = server(&Counter::default()).await;
    let mut http = begin(&server, "count").await;
    assert_eq!(next(&mut http).await.unwrap()["method"], "$/progress");
    assert!(next(&mut http).await.unwrap()["result"].is_string());
    let mut items = Vec::new();
    while let Some(event) = next(&mut http).await {
        items.extend(event["params"].get("result").cloned());
    }
    assert_eq!(items.first(), Some(&json!(1)), "{items:?}");
    let mut http = begin(&server, "at_once").await;
    assert!(next(&mut http).await.unwrap()["result"].is_string());
    assert_eq!(next(&mut http).await.unwrap()["params"]["result"], 7);
}
