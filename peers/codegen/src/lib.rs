//! Test server with every kind of method and type, and the client generated from its document.

// The generated client must compile without warnings.
#![deny(warnings)]

pub mod drawers;
pub mod news;
pub mod workshop;

#[path = "../generated/workshop.rs"]
pub mod client;

use std::time::{Duration, SystemTime};

use antiphon::{
    AuthenticationError, Authenticator, Credentials, Identity, Router, Server, ServerHandle,
};

/// Any failure.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A running server. Dropping it stops the server.
pub struct Site {
    /// The URL for HTTP.
    pub url: String,
    handle: ServerHandle,
}

impl Site {
    /// The URL of the same port for WebSockets.
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

/// The router with all methods.
#[must_use]
pub fn router() -> Router {
    let shapes = Router::of(workshop::Shapes).nest("drawers", drawers::Drawers);
    Router::of(workshop::Workshop)
        .version("1.2.0")
        .nest("calc", workshop::Calculator)
        .nest("news", news::News::default())
        .nest("shapes", shapes)
}

/// Starts the server on a free loopback port.
///
/// # Errors
///
/// If the server cannot listen.
pub async fn start() -> Result<Site, Failure> {
    serve(Server::new(router())).await
}

/// Starts a server that asks who calls. It knows the tokens that end with an even digit, and forgets
/// those with `brief` half a second after it has seen them.
///
/// # Errors
///
/// If the server cannot listen.
pub async fn start_asking() -> Result<Site, Failure> {
    serve(Server::new(router()).authenticate(Even)).await
}

/// Knows tokens that end with an even digit.
struct Even;

impl Authenticator for Even {
    async fn authenticate(
        &self,
        credentials: &Credentials,
    ) -> Result<Option<Identity>, AuthenticationError> {
        let Some(token) = credentials.bearer() else {
            return Ok(None);
        };
        let digit = token.bytes().last().unwrap_or_default();
        let identity = Identity::new(token);
        match digit.is_ascii_digit() && digit.is_multiple_of(2) {
            true if token.contains("brief") => {
                let end = SystemTime::now() + Duration::from_millis(500);
                Ok(Some(identity.until(end)))
            }
            true => Ok(Some(identity)),
            false => Err(AuthenticationError::expired("an odd token")),
        }
    }
}

async fn serve(server: Server) -> Result<Site, Failure> {
    let listening = server.bind("127.0.0.1:0").listen().await?;
    let (url, handle) = (listening.url(), listening.handle());
    tokio::spawn(listening.serve());
    Ok(Site { url, handle })
}
