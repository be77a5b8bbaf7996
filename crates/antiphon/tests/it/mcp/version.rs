//! Version 2026-07-28, by its text: each request says of itself what it is.

use antiphon::mcp::Version;
use serde_json::{Value, json};

use super::subject::{before, mcp, meta, now, says};
use crate::support::code;

const INFO: &str = "io.modelcontextprotocol/serverInfo";

#[tokio::test]
async fn a_client_learns_what_it_has_to_know_without_a_handshake() {
    let answer = says(&mcp(), &now("server/discover", json!({}))).await;
    let expected = json!({
        "resultType": "complete",
        "supportedVersions": ["2026-07-28", "2025-11-25", "2025-06-18"],
        "capabilities": {"tools": {}, "resources": {}, "prompts": {}, "completions": {}},
        "instructions": "Be kind.",
        "ttlMs": 60_000,
        "cacheScope": "private",
        "_meta": {INFO: {"name": "Desk", "version": "1.2.3"}},
    });
    assert_eq!(answer["result"], expected);
}

#[tokio::test]
async fn every_result_says_what_it_is_and_lists_say_how_long_they_last() {
    let server = mcp();
    let named = json!({"name": "add", "arguments": {"a": 1, "b": 2}});
    for (method, params, is_kept) in [
        ("tools/list", json!({}), true),
        ("tools/call", named, false),
        ("resources/read", json!({"uri": "test://a"}), true),
        ("prompts/get", json!({"name": "p"}), false),
        ("completion/complete", json!({}), false),
    ] {
        let answer = says(&server, &now(method, params)).await;
        let result = &answer["result"];
        assert_eq!(result["resultType"], "complete", "{method}: {answer}");
        assert_eq!(result["_meta"][INFO]["name"], "Desk");
        assert_eq!(
            result.get("ttlMs").is_some_and(Value::is_u64),
            is_kept,
            "{method}"
        );
        assert_eq!(result.get("cacheScope").is_some(), is_kept, "{method}");
    }
}

#[tokio::test]
async fn what_is_no_more_is_not_found() {
    for method in [
        "initialize",
        "ping",
        "logging/setLevel",
        "resources/subscribe",
        "nothing",
    ] {
        let answer = says(&mcp(), &now(method, json!({"uri": "test://a"}))).await;
        assert_eq!(code(&answer), -32601, "{method}");
    }
}

#[tokio::test]
async fn a_version_that_nobody_speaks_is_refused_with_those_that_are_spoken() {
    for version in ["1900-01-01", "2025-11-25", ""] {
        let mut request = now("tools/list", json!({}));
        request["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = version.into();
        let answer = says(&mcp(), &request).await;
        let expected = json!({
            "code": -32022,
            "message": "Unsupported protocol version",
            "data": {"supported": ["2026-07-28", "2025-11-25", "2025-06-18"], "requested": version},
        });
        assert_eq!(answer["error"], expected);
        assert_eq!(answer["id"], 1);
    }
}

#[tokio::test]
async fn what_a_request_has_to_say_and_does_not_is_missing() {
    let without = |name: &str| {
        let mut request = now("tools/list", json!({}));
        let meta = request["params"]["_meta"].as_object_mut().unwrap();
        meta.remove(&format!("io.modelcontextprotocol/{name}"))
            .unwrap();
        request
    };
    assert_eq!(
        code(&says(&mcp(), &without("clientCapabilities")).await),
        -32602
    );
    let mut request = before("server/discover", json!({}));
    assert_eq!(code(&says(&mcp(), &request).await), -32602);
    for (name, value, expected) in [
        ("logLevel", json!("loud"), -32602),
        ("logLevel", json!("notice"), 0),
        ("clientCapabilities", json!(1), -32602),
        ("protocolVersion", json!(1), -32602),
    ] {
        request = now("tools/list", json!({}));
        request["params"]["_meta"][format!("io.modelcontextprotocol/{name}")] = value;
        assert_eq!(code(&says(&mcp(), &request).await), expected, "{request}");
    }
    request = now("tools/list", json!({}));
    request["params"] = json!([meta()]);
    assert_eq!(code(&says(&mcp(), &request).await), -32602);
}

#[tokio::test]
async fn a_method_asks_its_client_by_its_result_and_runs_again_with_the_answers() {
    let server = mcp();
    let call = |more: Value| {
        let mut params = json!({"name": "greet", "arguments": {}});
        params
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        now("tools/call", params)
    };
    let first = says(&server, &call(json!({}))).await["result"].take();
    assert_eq!(first["resultType"], "input_required");
    let asked = json!({"name": {"method": "elicitation/create", "params": {
        "message": "Who are you?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    }}});
    assert_eq!(first["inputRequests"], asked);
    assert_eq!(first.get("ttlMs"), None);
    assert_eq!(first.get("requestState"), None);
    let name = json!({"action": "accept", "content": {"name": "Ann"}});
    let second =
        says(&server, &call(json!({"inputResponses": {"name": name}}))).await["result"].take();
    assert_eq!(
        second["inputRequests"]["poem"]["method"],
        "sampling/createMessage"
    );
    let state = second["requestState"].as_str().unwrap();
    let poem = json!({"role": "assistant", "content": "roses", "model": "m"});
    let answers = json!({"inputResponses": {"poem": poem}, "requestState": state});
    let third = says(&server, &call(answers)).await["result"].take();
    assert_eq!(third["resultType"], "complete");
    assert_eq!(third["content"][0]["text"], "\"Ann\": \"roses\"");
    // A state that somebody has made up is none.
    let made_up = json!({"requestState": "x"});
    let again = says(&server, &call(made_up)).await["result"].take();
    assert_eq!(again["inputRequests"], asked);
}

#[tokio::test]
async fn a_client_is_asked_for_nothing_that_it_cannot_do() {
    let mut call = now("tools/call", json!({"name": "greet"}));
    call["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"sampling": {}});
    let answer = says(&mcp(), &call).await;
    let expected = json!({
        "code": -32021,
        "message": "The client cannot do what this needs",
        "data": {"requiredCapabilities": {"elicitation": {}}},
    });
    assert_eq!(answer["error"], expected);
    assert!(Version::V2026_07_28.is_stateless() && !Version::V2025_11_25.is_stateless());
}
