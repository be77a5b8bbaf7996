//! Service mounted in an axum application, next to other routes.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example axum_mount
//! $ curl http://127.0.0.1:8060/rpc -H 'Content-Type: application/json' \
//!     -d '{"jsonrpc":"2.0","id":1,"method":"greet","params":["Ann"]}'
//! $ curl http://127.0.0.1:8060/
//! ```
//!
//! Here axum listens, sets the time limits of connections, and stops. The service still checks `Host` and
//! `Origin`, media types and the size of a body, and enforces all limits of calls.

use std::error::Error;

use antiphon::{HttpService, Limits, Route, Router, rpc};
use axum::routing::get;

struct Greeter;

#[rpc]
impl Greeter {
    /// Greets somebody.
    fn rpc_greet(&self, name: String) -> String {
        format!("hello {name}")
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // With the default settings this is one line: `let rpc = Router::of(Greeter).into_service()?;`
    let dispatcher = Router::of(Greeter).build_with(Limits::default().max_batch(20))?;
    let rpc = HttpService::new(Route::new(dispatcher))
        .allow_host("api.example") // the public host name, in addition to the loopback names
        .max_request(64 * 1024);

    let app = axum::Router::new()
        .route("/", get(|| async { "POST to /rpc" }))
        .route_service("/rpc", rpc);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8060").await?;
    axum::serve(listener, app).await?;
    Ok(())
}
