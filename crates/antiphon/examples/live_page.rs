//! Page for browsers that shows a live list with `EventSource`, and loses nothing when its connection breaks.
//!
//! Run with
//!
//! ```console
//! $ cargo run --example live_page
//! $ xdg-open http://127.0.0.1:8060/live
//! $ antiphon call http://127.0.0.1:8060 news.publish weather "it rains"
//! $ curl -N 'http://127.0.0.1:8060/?method=news.subscribe&params=%5B%22weather%22%5D' \
//!     -H 'Accept: text/event-stream'
//! ```
//!
//! An `EventSource` can only send a GET, which reaches methods that return a stream or a `Subscription`,
//! and no others. The page is `live_page.html`. With `--workers 2` nothing changes: if the worker of a browser
//! dies, the other one has the same history, and the page goes on there. A program that serves its pages
//! with axum mounts the service there, as `axum_mount` does.

use std::process::ExitCode;

use antiphon::{Body, PublishError, Router, Server, Subscription, Topic, rpc};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use tower_http::validate_request::ValidateRequestHeaderLayer;

struct News {
    /// Texts by subject.
    texts: Topic<String>,
}

#[rpc]
impl News {
    /// Texts about a subject, from now on or from where the caller left off.
    fn rpc_subscribe(&self, subject: String) -> Subscription<String> {
        self.texts.subscribe(subject)
    }

    /// Tells all subscribers of a subject, and returns the number of the text.
    async fn rpc_publish(&self, subject: String, text: String) -> Result<u64, PublishError> {
        self.texts.publish(&subject, &text).await
    }
}

/// Answers a request for the page; all others go on to the server.
#[allow(clippy::result_large_err)] // the layer requires this signature
fn page(request: &mut Request<Body>) -> Result<(), Response<Body>> {
    if request.uri().path() != "/live" {
        return Ok(());
    }
    let text = Bytes::from_static(include_bytes!("live_page.html"));
    let mut page = Response::new(Body::from(text));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    page.headers_mut().insert(CONTENT_TYPE, html);
    Err(page)
}

fn main() -> ExitCode {
    // How many texts a browser may miss, and get when it comes back.
    let texts = Topic::builder("news").history(1000).build();
    Server::new(Router::new().nest("news", News { texts }))
        .http_layer(ValidateRequestHeaderLayer::custom(page))
        .start()
}
