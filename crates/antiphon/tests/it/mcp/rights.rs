//! Who may call a tool, how often, and what is recorded: as of any other call of its method.

use antiphon::{Method, RateLimit, Router, Server};
use serde_json::{Value, json};

use super::http::{BOTH, post};
use super::subject::before;
use crate::auth::Issuer;
use crate::support::folder::Folder;
use crate::support::http1::HttpResponse;
use crate::support::test_server::{Log, TestServer};

fn call(name: &str) -> Value {
    before("tools/call", json!({"name": name}))
}

fn router() -> Router {
    Router::new()
        .method(Method::function("secret", || 1).scope("secrets"))
        .method(Method::function("open", || 2).public())
        .method(Method::function("known", || 3))
}

/// A server whose callers have to have a token, and one with a token of alice.
async fn server(router: Router) -> (TestServer, String) {
    let issuer = Issuer::new();
    let server = Server::new(router)
        .mcp("/mcp")
        .authenticate(issuer.authenticator());
    let token = format!(
        "{BOTH}Authorization: Bearer {}\r\n",
        issuer.token(&json!({}))
    );
    (TestServer::of(server, Log::default()).await, token)
}

async fn ask(server: &TestServer, more: &str, body: &Value) -> HttpResponse {
    server.connect().await.ask(post(more, body)).await
}

fn names(response: &HttpResponse) -> Vec<String> {
    let answer = response.json();
    let tools = answer["result"]["tools"].as_array().unwrap().iter();
    tools
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_tool_needs_what_its_method_needs() {
    let (server, token) = server(router()).await;
    let list = before("tools/list", json!({}));
    assert_eq!(names(&ask(&server, BOTH, &list).await), ["open"]);
    assert_eq!(
        names(&ask(&server, &token, &list).await),
        ["known", "open", "secret"]
    );
    let where_to =
        "resource_metadata=\"http://localhost/.well-known/oauth-protected-resource/mcp\"";
    for (name, more, status, challenge) in [
        ("open", BOTH, 200, None),
        ("known", &*token, 200, None),
        ("known", BOTH, 401, Some(format!("Bearer {where_to}"))),
        (
            "secret",
            &*token,
            403,
            Some(format!(
                "Bearer error=\"insufficient_scope\", scope=\"secrets\", {where_to}"
            )),
        ),
        (
            "open",
            "Authorization: Bearer x.y.z\r\n",
            401,
            Some(format!("Bearer error=\"invalid_token\", {where_to}")),
        ),
    ] {
        let answer = ask(&server, more, &call(name)).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert_eq!(
            answer.header("www-authenticate"),
            challenge.as_deref(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_stranger_who_sees_nothing_learns_where_to_get_a_token() {
    let (server, token) = server(Router::new().method_fn("known", || 3)).await;
    let hello = before("initialize", json!({"protocolVersion": "2025-11-25"}));
    assert_eq!(ask(&server, BOTH, &hello).await.status, 401);
    assert_eq!(ask(&server, &token, &hello).await.status, 200);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost:8060\r\n\r\n");
    let known = "/.well-known/oauth-protected-resource";
    let answer = server
        .connect()
        .await
        .ask(get(&format!("{known}/mcp")))
        .await;
    let expected = json!({
        "resource": "http://localhost:8060/mcp",
        "authorization_servers": ["https://issuer.example/"],
        "bearer_methods_supported": ["header"],
    });
    assert_eq!(answer.json(), expected);
    // What is no server for agents has none.
    for path in [known.to_owned(), format!("{known}/other")] {
        assert_ne!(server.connect().await.ask(get(&path)).await.status, 200);
    }
}

#[tokio::test]
async fn a_tool_counts_as_its_method_and_is_recorded_under_its_name() {
    let folder = Folder::new();
    let path = folder.path("audit.log");
    let router = Router::new()
        .method(Method::function("dear", || 1).cost(10))
        .method(Method::function("free", || 2).cost(0));
    let issuer = Issuer::new();
    let server = Server::new(router)
        .mcp("/mcp")
        .authenticate(issuer.authenticator())
        .rate_limit(RateLimit::per_hour(1).burst(15))
        .audit_log(&path);
    let server = TestServer::of(server, Log::default()).await;
    let token = format!(
        "{BOTH}Authorization: Bearer {}\r\n",
        issuer.token(&json!({}))
    );
    for (name, status) in [("dear", 200), ("dear", 429), ("free", 200)] {
        let answer = ask(&server, &token, &call(name)).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert_eq!(answer.header("retry-after").is_some(), status == 429);
    }
    drop(server);
    let text = (0..400).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        let text = std::fs::read_to_string(&path).unwrap();
        (text.lines().count() >= 3).then_some(text)
    });
    let text = text.expect("three lines");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let methods: Vec<_> = lines.map(|line| line["method"].clone()).collect();
    assert_eq!(methods, ["dear", "dear", "free"]);
}
