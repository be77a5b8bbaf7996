//! A router that is made when the server starts, inside its runtime.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example lazy
//! $ curl http://127.0.0.1:8060 -H 'Content-Type: application/json' \
//!     -d '{"jsonrpc":"2.0","id":1,"method":"ticks"}'
//! ```
//!
//! `start` makes the runtime, so nothing that needs one (a pool of connections, a background task)
//! can be made before it. What fails here keeps the server from starting, with exit code 1.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon::{Router, Server};
use tokio::net::UdpSocket;
use tokio::time::interval;

async fn router() -> io::Result<Router> {
    // Stands for a connection to a database: it needs the runtime, and it may fail.
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

    Ok(Router::default()
        .method_fn("ticks", move || ticks.load(Ordering::Relaxed))
        .method_fn("address", move || address.to_string()))
}

fn main() -> ExitCode {
    Server::lazy(router).start()
}
