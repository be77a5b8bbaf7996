//! Clients before 2026-07-28, which begin with `initialize`.

use serde_json::{Value, json};

use super::subject::{before, mcp, says};
use crate::support::code;

async fn initialized(version: &str) -> Value {
    let params = json!({
        "protocolVersion": version,
        "capabilities": {"roots": {"listChanged": true}},
        "clientInfo": {"name": "x", "version": "1"},
    });
    says(&mcp(), &before("initialize", params)).await["result"].take()
}

#[tokio::test]
async fn a_client_gets_the_version_that_it_asks_for_or_the_last_one() {
    for (asked, got) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("2999-01-01", "2025-11-25"),
    ] {
        let expected = json!({
            "protocolVersion": got,
            "capabilities": {
                "tools": {},
                "resources": {"subscribe": true},
                "prompts": {},
                "completions": {},
            },
            "serverInfo": {"name": "Desk", "version": "1.2.3"},
            "instructions": "Be kind.",
        });
        assert_eq!(initialized(asked).await, expected);
    }
}

#[tokio::test]
async fn pings_and_notifications_are_taken_and_batches_are_not() {
    let server = mcp();
    let answer = says(&server, &before("ping", json!({}))).await;
    assert_eq!(answer, json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    let answer = says(
        &server,
        &json!({"jsonrpc": "2.0", "id": "p", "method": "ping"}),
    )
    .await;
    assert_eq!(answer["result"], json!({}));
    for method in [
        "notifications/initialized",
        "notifications/cancelled",
        "nothing",
    ] {
        let note = json!({"jsonrpc": "2.0", "method": method});
        assert_eq!(says(&server, &note).await, Value::Null);
    }
    let batch = json!([before("ping", json!({}))]);
    assert_eq!(code(&says(&server, &batch).await), -32600);
    for method in ["server/discover", "subscriptions/listen"] {
        assert_eq!(
            code(&says(&server, &before(method, json!({}))).await),
            -32602
        );
    }
}

#[tokio::test]
async fn methods_with_names_of_the_protocol_are_the_users() {
    let server = mcp();
    for (method, params, expected) in [
        (
            "resources/read",
            json!({"uri": "test://a", "_meta": {"progressToken": 1}}),
            json!({"contents": [{"uri": "test://a", "text": "hello"}]}),
        ),
        ("resources/subscribe", json!({"uri": "test://a"}), json!({})),
        (
            "prompts/get",
            json!({"name": "p"}),
            json!({"messages": [{"role": "user", "content": {"type": "text", "text": "p"}}]}),
        ),
        (
            "completion/complete",
            json!({"ref": {}, "argument": {"name": "a", "value": "b"}}),
            json!({"completion": {"values": [], "hasMore": false}}),
        ),
    ] {
        let answer = says(&server, &before(method, params)).await;
        assert_eq!(answer["result"], expected, "{method}: {answer}");
    }
    let answer = says(
        &server,
        &before("resources/read", json!({"uri": "test://b"})),
    )
    .await;
    let expected = json!({
        "code": -32602, "message": "Resource not found", "data": {"uri": "test://b"},
    });
    assert_eq!(answer["error"], expected);
    for method in [
        "resources/list",
        "prompts/list",
        "logging/setLevel",
        "tasks/get",
    ] {
        assert_eq!(
            code(&says(&server, &before(method, json!({}))).await),
            -32601,
            "{method}"
        );
    }
}
