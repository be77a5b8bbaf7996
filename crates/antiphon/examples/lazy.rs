//! Router that is built when the server starts, inside its runtime.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example lazy
//! $ curl http://127.0.0.1:8060 -H 'Content-Type: application/json' \
//!     -d '{"jsonrpc":"2.0","id":1,"method":"ticks"}'
//! ```
//!
//! `start` creates the runtime, so everything that needs a runtime (a connection pool, a background task) must
//! be created later. If the closure fails, the server does not start, and the exit code is 1.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon::{Router, Server};
use tokio::net::UdpSocket;
use tokio::time::interval;

async fn router() -> io::Result<Router> {
    // In place of a connection to a database, which needs the runtime and may fail.
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let address = socket.local_addr()?;

    let ticks = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&ticks);
    tokio::spawn(async move {
        let mut every_second = interval(Duration::from_secs(1));
        loop {
            every_second.tick().await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });

    Ok(Router::new()
        .method_fn("ticks", move || ticks.load(Ordering::Relaxed))
        .method_fn("address", move || address.to_string()))
}

fn main() -> ExitCode {
    Server::lazy(router).start()
}
