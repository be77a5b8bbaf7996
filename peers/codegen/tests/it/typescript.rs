//! Tests of the TypeScript client: it passes the compiler's checks and calls the server.

use std::process::Command;

use crate::programs::{folder, run, scratch, tsc};

#[tokio::test]
async fn it_is_checked_and_calls() {
    let site = codegen::start().await.unwrap();
    let out = scratch("typescript");
    let mut compiler = tsc().await;
    compiler.arg("--project").arg(folder());
    compiler.arg("--outDir").arg(&out);
    run(compiler).await;
    std::fs::copy(folder().join("package.json"), out.join("package.json")).unwrap();
    let mut node = Command::new("node");
    // Before version 22, Node.js supports WebSockets only with this option.
    node.arg("--experimental-websocket");
    node.arg(out.join("calls/calls.js")).arg(&site.url);
    assert_eq!(run(node).await, "done\n");

    let mut node = Command::new("node");
    node.arg("--experimental-websocket");
    node.arg(out.join("calls/news.js")).arg(&site.url);
    assert_eq!(run(node).await, "done\n");

    let asking = codegen::start_asking().await.unwrap();
    let mut node = Command::new("node");
    node.arg("--experimental-websocket");
    node.arg(out.join("calls/tokens.js")).arg(&asking.url);
    assert_eq!(run(node).await, "done\n");
}
