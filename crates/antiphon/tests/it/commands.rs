//! Tests of the built-in commands of a server.

use antiphon::{Dispatcher, HttpService, Method, Route, Router, ServerCommands};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

fn router() -> Router {
    let calc = Router::new()
        .method(Method::function("subtract", |a: f64, b: f64| a - b))
        .method(Method::function("add", |a: f64, b: f64| a + b).doc("Adds.\nTwo numbers."));
    let commands = ServerCommands::new().extra_server_info(async |ctx, mut info| {
        info.insert("extra".to_owned(), json!({ "local": ctx.is_local() }));
        info
    });
    Router::of(commands).nest("calc", calc)
}

async fn result(dispatcher: &Dispatcher, method: &str, params: &str) -> Value {
    let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    let answer = dispatcher.handle(call).await.unwrap();
    let mut answer: Value = serde_json::from_slice(&answer).unwrap();
    answer["result"].take()
}

#[tokio::test]
async fn ping_and_echo_answer() {
    let dispatcher = router().build().unwrap();
    assert_eq!(result(&dispatcher, "ping", "[]").await, "pong");
    assert_eq!(result(&dispatcher, "echo", "[]").await, "");
    assert_eq!(
        result(&dispatcher, "echo", r#"{"message":"hi"}"#).await,
        "hi"
    );
    let exact = r#"{"jsonrpc":"2.0","id":1,"method":"echo","params":[{"a": 1e400,"b":12345678901234567890123}]}"#;
    let answer = dispatcher.handle(exact).await.unwrap();
    assert_eq!(
        answer,
        r#"{"jsonrpc":"2.0","id":1,"result":{"a": 1e400,"b":12345678901234567890123}}"#
    );
}

#[tokio::test]
async fn functions_are_listed_by_router_and_name() {
    let dispatcher = router().build().unwrap();
    let list = result(&dispatcher, "functions_list", "[]").await;
    let names: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line[0].clone())
        .collect();
    assert_eq!(
        names,
        [
            "documentation",
            "echo",
            "functions_list",
            "ping",
            "server_info",
            "calc.add",
            "calc.subtract"
        ]
    );
    assert_eq!(
        list[3],
        json!(["ping", { "doc": "Ping the server.", "section": "" }])
    );
    assert_eq!(
        list[5],
        json!(["calc.add", { "doc": "Adds. Two numbers.", "section": "calc." }])
    );
    assert_eq!(
        list[6],
        json!(["calc.subtract", { "doc": "No docs", "section": "calc." }])
    );
}

#[tokio::test]
async fn documentation_is_restructured_text_with_labels() {
    let dispatcher = router().build().unwrap();
    let text = result(&dispatcher, "documentation", "[]").await;
    let text = text.as_str().unwrap();
    assert!(
        text.contains(".. _functions-ping:\n\nping\n------\n\nPing the server.\n\n\n"),
        "{text}"
    );
    assert!(text.ends_with(
        ".. _functions-calc.subtract:\n\ncalc.subtract\n---------------\n\nNo docs\n\n"
    ));
}

#[tokio::test]
async fn server_info_has_fixed_members_and_extra_ones() {
    let dispatcher = router().build().unwrap();
    let info = result(&dispatcher, "server_info", "[]").await;
    let mut members: Vec<_> = info.as_object().unwrap().keys().cloned().collect();
    members.sort();
    assert_eq!(members, ["extra", "monitors", "server", "system"]);
    assert_eq!(info["extra"], json!({ "local": true }));
    assert_eq!(info["server"]["process_id"], std::process::id());
    assert_eq!(
        result(&dispatcher, "extra_server_info", "[]").await,
        Value::Null
    );
}

/// A caller of a mounted service is never local.
#[tokio::test]
async fn for_remote_callers_server_info_does_not_exist() {
    let service = HttpService::new(Route::new(router().build().unwrap()));
    let ask = async |method: &str| {
        let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
        let request = Request::post("http://localhost/")
            .header("content-type", "application/json")
            .body(call)
            .unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    };
    assert_eq!(ask("server_info").await, ask("server_inf0").await);
    for listing in ["functions_list", "documentation"] {
        let text = ask(listing).await;
        assert!(
            text.contains("functions_list") && !text.contains("server_info"),
            "{text}"
        );
    }
}
