//! Antiphon and other programs call each other, over loopback.

// A test that cannot go on has failed.
#![allow(clippy::unwrap_used)]

mod frames;
mod frames_to_us;
mod jsonrpsee_client;
mod jsonrpsee_server;
mod jsonrpsee_ws_client;
mod jsonrpsee_ws_server;
mod node;
mod openrpc;
mod python;
mod stdio;
mod vscode_client;
mod vscode_server;

/// What comes within 20 s, or the test fails.
#[track_caller]
fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let asked = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(std::time::Duration::from_secs(20), future).await {
            Ok(output) => output,
            Err(_) => panic!("nothing came in 20 s: {asked}"),
        }
    }
}
