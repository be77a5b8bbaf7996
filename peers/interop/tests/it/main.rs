//! Interoperability tests between Antiphon and other programs over loopback.

// A panic in a test is a failure.
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

/// Panics if the future takes longer than 20 s.
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
