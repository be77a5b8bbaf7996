//! A server with every kind of method and type, and the client that is generated from its document.

// The generated client has to compile without a warning.
#![deny(warnings)]

pub mod drawers;
pub mod workshop;

#[path = "../generated/workshop.rs"]
pub mod client;

use antiphon::{ServerHandle, Router, Server};

/// Any failure.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A server that stops when this is dropped.
pub struct Site {
    /// Its address for HTTP.
    pub url: String,
    handle: ServerHandle,
}

impl Site {
    /// The same port for WebSockets.
    #[must_use]
    pub fn web_socket(&self) -> String {
        self.url.replacen("http", "ws", 1)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.handle.kill();
    }
}

/// All methods.
#[must_use]
pub fn router() -> Router {
    let shapes = Router::new(workshop::Shapes).nest("drawers", drawers::Drawers);
    Router::new(workshop::Workshop)
        .version("1.2.0")
        .nest("calc", workshop::Calculator)
        .nest("shapes", shapes)
}

/// Starts it on a free port of loopback.
///
/// # Errors
///
/// If it cannot listen.
pub async fn start() -> Result<Site, Failure> {
    let listening = Server::new(router()).bind("127.0.0.1:0").listen().await?;
    let (url, handle) = (listening.url(), listening.handle());
    tokio::spawn(listening.serve());
    Ok(Site { url, handle })
}
