//! Layers around calls: one that counts calls, and the concurrency limit of tower.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example call_layers
//! $ curl http://127.0.0.1:8060 -H 'Content-Type: application/json' \
//!     -d '[{"jsonrpc":"2.0","id":1,"method":"wait","params":[100]},
//!          {"jsonrpc":"2.0","id":2,"method":"count"}]'
//! ```
//!
//! A layer sees every call exactly once. It sees the calls of a batch one by one, never the batch.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::{Call, Router, Server};
use tower::limit::ConcurrencyLimitLayer;
use tower::util::MapRequestLayer;

fn main() -> ExitCode {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);

    let slow = Router::new()
        .method_fn("wait", |ms: u64| {
            tokio::time::sleep(Duration::from_millis(ms))
        })
        // For the methods of this router only: at most two calls run concurrently.
        .layer(ConcurrencyLimitLayer::new(2));

    let router = Router::new()
        .method_fn("count", move || calls.load(Ordering::Relaxed))
        .merge(slow);

    // For all calls, including those of unknown methods.
    let count = MapRequestLayer::new(move |call: Call| {
        counted.fetch_add(1, Ordering::Relaxed);
        call
    });
    Server::new(router).call_layer(count).start()
}
