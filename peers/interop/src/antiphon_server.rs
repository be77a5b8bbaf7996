//! Test server based on `antiphon`.

use antiphon::{ErrorObject, Method, Router, Server};
use tokio::sync::mpsc::{self, UnboundedSender};

use crate::{DIVISION, Dividend, Failure, Seen, Site, note, session_methods};

/// Starts the server for HTTP and WebSockets.
///
/// # Errors
///
/// If the server cannot listen.
pub async fn start() -> Result<Site, Failure> {
    start_at("127.0.0.1:0").await
}

/// Starts the server at any address.
///
/// # Errors
///
/// If the server cannot listen.
pub async fn start_at(bind: &str) -> Result<Site, Failure> {
    let (sender, noted) = mpsc::unbounded_channel();
    let seen = Seen::default();
    let router = router(sender).merge(session_methods::router(&seen));

    let listening = Server::new(router).bind(bind).listen().await?;
    let (url, handle) = (listening.url(), listening.handle());
    let address = *listening.addresses().first().ok_or("it has no address")?;
    tokio::spawn(listening.serve());
    Ok(Site {
        url,
        address,
        noted,
        seen,
        stop: Some(Box::new(move || handle.kill())),
    })
}

/// The methods that need no session.
pub fn router(noted: UnboundedSender<String>) -> Router {
    let divide = |a: i64, b: i64| {
        let error = || {
            ErrorObject::new(i64::from(DIVISION.0), DIVISION.1).with_data(&Dividend { dividend: a })
        };
        a.checked_div(b).ok_or_else(error)
    };
    let calc = Router::new()
        .method(Method::function("add", |a: f64, b: f64| a + b).params(["a", "b"]))
        .method(Method::function("divide", divide).params(["a", "b"]));
    Router::new()
        .nest("calc", calc)
        .method_fn("ping", || "pong")
        .method_fn("echo", |text: String| text)
        .method_fn("note", move |text: String| note(&noted, text))
}
