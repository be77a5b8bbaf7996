//! The methods behind `antiphon`.

use antiphon::{ErrorObject, Method, Router, Server};
use tokio::sync::mpsc;

use crate::{DIVISION, Dividend, Failure, Site, note};

/// Starts it.
///
/// # Errors
///
/// If it cannot listen.
pub async fn start() -> Result<Site, Failure> {
    let (sender, noted) = mpsc::unbounded_channel();
    let divide = |a: i64, b: i64| {
        let error = || {
            ErrorObject::new(i64::from(DIVISION.0), DIVISION.1).with_data(&Dividend { dividend: a })
        };
        a.checked_div(b).ok_or_else(error)
    };
    let calc = Router::default()
        .method(Method::function("add", |a: f64, b: f64| a + b).params(["a", "b"]))
        .method(Method::function("divide", divide).params(["a", "b"]));
    let router = Router::default()
        .nest("calc", calc)
        .method_fn("ping", || "pong")
        .method_fn("echo", |text: String| text)
        .method_fn("note", move |text: String| note(&sender, text));

    let listening = Server::new(router).bind("127.0.0.1:0").listen().await?;
    let (url, handle) = (listening.url(), listening.handle());
    tokio::spawn(listening.serve());
    Ok(Site {
        url,
        noted,
        stop: Some(Box::new(move || handle.kill())),
    })
}
