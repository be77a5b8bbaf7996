//! Layers around HTTP requests, from tower-http: authorization, compression, a time limit.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example http_layers
//! $ curl http://127.0.0.1:8060 -H 'Content-Type: application/json' --compressed -i \
//!     -H 'Authorization: Bearer secret' \
//!     -d '{"jsonrpc":"2.0","id":1,"method":"text","params":[1000]}'
//! ```
//!
//! These layers see requests and responses, not calls: a batch is one request. For calls see `call_layers`.

use std::process::ExitCode;
use std::time::Duration;

use antiphon::{Body, Router, Server};
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;

/// Accepts requests with the token.
#[allow(clippy::result_large_err)] // the layer requires this signature
fn authorize(request: &mut Request<Body>) -> Result<(), Response<Body>> {
    let token = request.headers().get(AUTHORIZATION);
    if token.is_some_and(|token| token == "Bearer secret") {
        return Ok(());
    }
    let mut refused = Response::new(Body::default());
    *refused.status_mut() = StatusCode::UNAUTHORIZED;
    Err(refused)
}

fn main() -> ExitCode {
    let router = Router::new().method_fn("text", |length: usize| "x".repeat(length));
    Server::new(router)
        // The layer that is added last is the outermost, so refused requests are not compressed.
        .http_layer(CompressionLayer::new())
        .http_layer(TimeoutLayer::with_status_code(
            StatusCode::GATEWAY_TIMEOUT,
            Duration::from_secs(10),
        ))
        .http_layer(ValidateRequestHeaderLayer::custom(authorize))
        .start()
}
