//! Valid and invalid WebSocket frames from a peer, made with the package `ws` or by hand.

use interop::antiphon_server;
use serde_json::json;

use crate::node;

#[tokio::test]
async fn handshakes_frames_and_how_connections_end() {
    let site = antiphon_server::start().await.unwrap();
    let address = [
        site.address.ip().to_string(),
        site.address.port().to_string(),
    ];
    let program = node::start("frames.mjs", &address).await;
    let pong =
        |binary| json!({"text": r#"{"jsonrpc":"2.0","id":1,"result":"pong"}"#, "binary": binary});
    program
        .tells(&[
            ("the subprotocol", json!("jsonrpc")),
            ("compression, offered and not agreed on", json!("")),
            ("a good end", json!(1000)),
            (
                "no subprotocol of ours",
                json!("Server sent no subprotocol"),
            ),
            ("an evil origin", json!(403)),
            ("our own origin", json!("open")),
            ("another host", json!(403)),
            ("another path", json!(404)),
            ("an old version", json!(426)),
            ("text", pong(false)),
            ("binary", pong(true)),
            ("in fragments", pong(false)),
            ("a ping within a message", json!("between")),
            ("the rest of it", pong(false)),
            ("an empty message", json!(-32700)),
            ("no JSON", json!(-32700)),
            ("6 MB", json!(true)),
            ("a thousand at once", json!(1000)),
            ("the end that we chose", json!(4001)),
            ("too big", json!(1009)),
            ("too big in fragments", json!(1009)),
            ("bad UTF-8", json!(1007)),
            ("without a mask", json!(1002)),
            ("reserved bits", json!(1002)),
            ("an unknown opcode", json!(1002)),
            ("an unknown control frame", json!(1002)),
            ("a continuation of nothing", json!(1002)),
            ("a message within a message", json!(1002)),
            ("a ping in fragments", json!(1002)),
            ("a long ping", json!(1002)),
            ("an end of one byte", json!(1002)),
            ("an end that does not exist", json!(1002)),
            ("an end for nobody to send", json!(1002)),
            ("an end in bad UTF-8", json!(1007)),
            ("a length of all bits", json!(1009)),
            ("a good end by hand", json!(1000)),
        ])
        .await;
}
