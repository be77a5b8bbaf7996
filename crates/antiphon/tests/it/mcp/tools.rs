//! Tools: their list, their calls, and what comes of them.

use antiphon::mcp::Mcp;
use antiphon::{Method, Router};
use serde_json::{Value, json};

use super::subject::{before, mcp, now, router, says, tool};
use crate::support::code;

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn methods_are_tools_and_some_are_not() {
    let answer = says(&mcp(), &before("tools/list", json!({}))).await;
    let tools = answer["result"]["tools"].as_array().unwrap();
    let names: Vec<_> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["add", "echo", "fail", "greet", "local", "picture", "wipe"]
    );
    let expected = json!({
        "name": "add",
        "description": "Adds two numbers.",
        "annotations": {"readOnlyHint": true},
        "inputSchema": {
            "type": "object",
            "properties": {
                "a": {"type": "integer", "format": "int64"},
                "b": {"type": "integer", "format": "int64"},
            },
            "required": ["a", "b"],
            "additionalProperties": false,
        },
        "outputSchema": {
            "type": "object",
            "properties": {"sum": {"type": "integer", "format": "int64"}},
            "required": ["sum"],
        },
    });
    assert_eq!(tools[0], expected);
    assert_eq!(tools[6]["annotations"], json!({"destructiveHint": true}));
    assert_eq!(tools[5].get("outputSchema"), None);
    assert_eq!(answer["result"].get("nextCursor"), None);
}

#[tokio::test]
async fn a_list_has_pages() {
    let server = Mcp::new(router())
        .page_size(3)
        .filter(|name| name != "fail")
        .build()
        .unwrap();
    let mut cursor = None;
    let mut seen = Vec::new();
    loop {
        let params = cursor
            .take()
            .map_or(json!({}), |cursor| json!({"cursor": cursor}));
        let mut answer = says(&server, &before("tools/list", params)).await;
        let tools = answer["result"]["tools"].as_array().unwrap();
        assert!(tools.len() <= 3);
        seen.extend(
            tools
                .iter()
                .map(|tool| tool["name"].as_str().unwrap().to_owned()),
        );
        match answer["result"]["nextCursor"].take() {
            Value::Null => break,
            next => cursor = Some(next),
        }
    }
    assert_eq!(seen, ["add", "echo", "greet", "local", "picture", "wipe"]);
    let lost = says(&server, &before("tools/list", json!({"cursor": "x"}))).await;
    assert_eq!(code(&lost), -32602);
}

#[tokio::test]
async fn a_result_is_a_text_and_what_it_is() {
    let server = mcp();
    let added = tool(&server, "add", json!({"a": 3, "b": 4})).await;
    let expected = json!({
        "content": [{"type": "text", "text": "{\"sum\":7}"}],
        "structuredContent": {"sum": 7},
    });
    assert_eq!(added, expected);
    let said = tool(&server, "echo", json!({"text": "a \"b\"\n"})).await;
    assert_eq!(
        said,
        json!({"content": [{"type": "text", "text": "a \"b\"\n"}]})
    );
    let picture = tool(&server, "picture", json!({})).await;
    let image = json!({"type": "image", "data": "aGk=", "mimeType": "image/png"});
    assert_eq!(picture, json!({"content": [image]}));
    assert_eq!(text(&tool(&server, "wipe", json!(null)).await), "null");
    // Since then a text has a schema, too.
    let call = json!({"name": "echo", "arguments": {"text": "x"}});
    let answer = says(&server, &now("tools/call", call)).await;
    let info = json!({"io.modelcontextprotocol/serverInfo": {"name": "Desk", "version": "1.2.3"}});
    let expected = json!({
        "content": [{"type": "text", "text": "x"}],
        "structuredContent": "x",
        "resultType": "complete",
        "_meta": info,
    });
    assert_eq!(answer["result"], expected);
}

#[tokio::test]
async fn what_a_model_can_correct_is_a_result_and_what_it_cannot_is_an_error() {
    let server = mcp();
    for (name, arguments, expected) in [
        ("fail", json!({}), "no tea: come back later"),
        (
            "add",
            json!({"a": 1}),
            "Invalid params: missing parameter \"b\"",
        ),
        ("add", json!({"a": 1, "b": "x"}), "Invalid params: "),
        ("add", json!({"a": 1, "b": 2, "c": 3}), "Invalid params: "),
    ] {
        let result = tool(&server, name, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        assert!(text(&result).starts_with(expected), "{result}");
    }
    for params in [
        json!({"name": "none"}),
        json!({"name": "secret"}),
        json!({"name": "ticks"}),
        json!({"name": "resources/read"}),
        json!({"name": "rpc.discover"}),
        json!({"arguments": {}}),
        json!({"name": "add", "arguments": [1, 2]}),
        json!({"name": 1}),
    ] {
        let answer = says(&server, &before("tools/call", params.clone())).await;
        assert_eq!(code(&answer), -32602, "{params}: {answer}");
    }
    let answer = says(&server, &before("tools/call", json!({"name": "none"}))).await;
    assert_eq!(answer["error"]["message"], "Unknown tool: none");
    // Its own name is no method of the protocol.
    let answer = says(&server, &before("add", json!({"a": 1, "b": 2}))).await;
    assert_eq!(code(&answer), -32601);
}

#[tokio::test]
async fn a_call_without_an_id_does_not_run() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    let ran = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&ran);
    let run = move || counted.fetch_add(1, Ordering::Relaxed);
    let server = Mcp::new(Router::new().method_fn("run", run))
        .build()
        .unwrap();
    let call = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"run"}}"#;
    assert_eq!(server.handle(call).await, None);
    assert_eq!(ran.load(Ordering::Relaxed), 0);
    tool(&server, "run", json!({})).await;
    assert_eq!(ran.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_call_is_timed_and_large_results_and_arguments_have_their_limits() {
    use std::time::Duration;

    let slow = || async {
        tokio::time::sleep(Duration::from_secs(3600)).await;
    };
    let large = |bytes: usize| "x".repeat(bytes);
    let large = Method::function("large", large).params(["bytes"]);
    let length = Method::function("length", |text: String| text.len()).params(["text"]);
    let router = Router::new()
        .method_fn("slow", slow)
        .method(large)
        .method(length);
    let limits = antiphon::Limits::default()
        .call_timeout(Duration::from_millis(20))
        .max_response(1000);
    let server = Mcp::new(router).build().unwrap().with_limits(limits);
    let result = tool(&server, "slow", json!({})).await;
    assert_eq!(
        (&result["isError"], text(&result)),
        (&json!(true), "Request timed out")
    );
    let result = tool(&server, "large", json!({"bytes": 900})).await;
    assert_eq!(text(&result).len(), 900);
    let result = tool(&server, "large", json!({"bytes": 1100})).await;
    assert_eq!(result["isError"], true);
    // Decoded on another thread.
    let server = server.with_limits(antiphon::Limits::default());
    let result = tool(&server, "length", json!({"text": "y".repeat(400_000)})).await;
    assert_eq!(text(&result), "400000");
}
