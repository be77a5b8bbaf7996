//! Sessions over standard input and output, with our server or our client at either end:
//! `vscode-jsonrpc` starts our server, our client starts a server based on it, and Python sends
//! lines to our server.

use std::path::Path;

use tokio::process::Command;

use crate::vscode_server::{both_ways, calls, connect, progress};
use crate::{node, soon, vscode_client};

const SERVER: &str = env!("CARGO_BIN_EXE_stdio_server");

/// The Node.js program of the TCP test, with the same expected output.
#[tokio::test]
async fn an_editor_starts_our_server() {
    let program = node::start("client.mjs", &[SERVER.to_owned()]).await;
    program.tells(&vscode_client::expected()).await;
}

#[tokio::test]
async fn our_client_starts_a_language_server() {
    node::install().await;
    let script = node::folder().join("server.mjs");
    let url = format!("stdio+content-length:node {} --stdio", script.display());
    let end = connect(&url);
    calls(&end.client).await;
    progress(&end.client).await;
    both_ways(end).await;
}

#[tokio::test]
async fn python_speaks_in_lines() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lines.py");
    let mut python = Command::new("python3");
    python
        .arg(script)
        .args([SERVER, "newline"])
        .kill_on_drop(true);
    let output = soon(python.output()).await.expect("python3 is installed");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
