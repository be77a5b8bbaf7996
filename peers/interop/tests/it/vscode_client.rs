//! Calls from `vscode-jsonrpc`, the JSON-RPC library of language servers, to our server.

use interop::{Site, antiphon_server};
use serde_json::{Value, json};

use crate::node;

/// The expected output of the program, on any transport.
pub(crate) fn expected() -> Vec<(&'static str, Value)> {
    let missing = json!({"parameter": "b", "reason": "missing"});
    vec![
        ("by position", json!(10)),
        ("by name", json!(10)),
        ("without parameters", json!("pong")),
        ("a long text", json!(true)),
        (
            "an error",
            json!({"code": 1, "message": "division by zero", "data": {"dividend": 5}}),
        ),
        (
            "an unknown method",
            json!({"code": -32601, "message": "Method not found"}),
        ),
        (
            "parameters that do not fit",
            json!({
                "code": -32602,
                "message": "Invalid params: missing parameter \"b\"",
                "data": missing,
            }),
        ),
        ("many at a time", json!(true)),
        ("steps", json!(3)),
        ("values", json!([1, 2, 3])),
        ("one token, a number", json!(true)),
        ("many steps", json!(5000)),
        ("all of them, in order", json!(true)),
        ("steps under a token", json!(3)),
        ("values under a token", json!([1, 2, 3])),
        ("called back", json!(40)),
        ("a refusal came through", json!(7)),
        ("nobody is there", json!(-32601)),
        ("called back six hundred times", json!(true)),
        ("many are told", json!(100)),
        ("in order, before the answer", json!(true)),
        ("between", json!("pong")),
        ("cancelled", json!(-32800)),
        ("cancelled while it waits for us", json!(-32800)),
        ("and so were we", json!("cancelled")),
        ("cancelled at once", json!(-32800)),
        ("answered before", json!("pong")),
        (
            "items",
            json!([
                {"seq": 1, "result": 1, "ours": true},
                {"seq": 2, "result": 2, "ours": true},
                {"seq": 3, "end": "complete", "ours": true},
            ]),
        ),
        ("the last", json!("pong")),
        ("ended", json!(0)),
    ]
}

/// Checks the notes and the counters of the server.
async fn check(mut site: Site) {
    for n in 0..100 {
        assert_eq!(crate::soon(site.noted.recv()).await.unwrap(), n.to_string());
    }
    // Three calls of `hold`, of which two were cancelled and one ended with its connection, and a
    // stream.
    assert_eq!(site.seen.begun.get(), 4);
    site.seen.gone.reach(4).await;
}

#[tokio::test]
async fn it_calls_is_called_cancels_and_hears_of_progress() {
    let bind = "tcp://127.0.0.1:0?framing=content-length";
    let site = antiphon_server::start_at(bind).await.unwrap();
    let address = [
        site.address.ip().to_string(),
        site.address.port().to_string(),
    ];
    let program = node::start("client.mjs", &address).await;
    program.tells(&expected()).await;
    check(site).await;
}
