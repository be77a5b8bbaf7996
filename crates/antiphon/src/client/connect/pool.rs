//! Requests to one HTTP server, over its connections.

use std::sync::Arc;

use http::header::HOST;
use http::{HeaderValue, Request, Uri};
use tokio::time::Instant;

use super::connections::{Connections, Taken};
use super::dial::{Dialer, HttpTarget};
use super::unanswered::Unanswered;
use crate::client::Body;
use crate::client::http::Received;
use crate::router::BoxError;

/// A pool of connections.
pub(in crate::client) struct HttpPool {
    connections: Arc<Connections>,
    /// The URI of requests over HTTP/2; it has scheme and authority.
    absolute: Uri,
    /// The same over HTTP/1, and the header `Host`.
    origin: Uri,
    host: HeaderValue,
}

impl HttpPool {
    /// A pool without a connection. `uri` is that of the requests, with scheme and authority; `http2`
    /// says that the server is known to speak HTTP/2.
    ///
    /// # Errors
    ///
    /// If the URI has a host that no header can carry.
    pub(in crate::client) fn new(
        target: HttpTarget,
        uri: Uri,
        http2: bool,
    ) -> Result<Self, BoxError> {
        let path = uri.path_and_query().cloned();
        Ok(Self {
            connections: Connections::new(Dialer { target, http2 }),
            origin: path.map_or_else(Uri::default, Uri::from),
            host: host_of(&uri)?,
            absolute: uri,
        })
    }

    /// The URI of requests.
    pub(in crate::client) fn origin(&self) -> &Uri {
        &self.origin
    }

    /// The header `Host` of requests, unless they have one of their own.
    pub(in crate::client) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Sends a request, which has the form of HTTP/1, and reads the response, up to `max` bytes.
    ///
    /// A request of which nothing was written, because the connection was just being closed, is sent
    /// once more, over a new connection.
    ///
    /// # Errors
    ///
    /// If there is no connection, or no response.
    pub(in crate::client) async fn send(
        &self,
        mut request: Request<Body>,
        max: usize,
        now: Instant,
    ) -> Result<Received, BoxError> {
        let mut is_retry = false;
        loop {
            let taken = match self.connections.take(now, !is_retry) {
                Some(taken) => taken,
                // In a box, so that calls for which there is a connection are not larger.
                None => Box::pin(self.connections.open()).await?,
            };
            let mut unanswered = match self.exchange(taken, request, max).await {
                Ok(received) => return Ok(received),
                Err(unanswered) => unanswered,
            };
            match unanswered.unsent.take() {
                Some(unsent) if !is_retry => request = unsent,
                _ => return Err(unanswered.error.into()),
            }
            is_retry = true;
        }
    }

    async fn exchange(
        &self,
        taken: Taken,
        mut request: Request<Body>,
        max: usize,
    ) -> Result<Received, Box<Unanswered>> {
        match taken {
            Taken::Http1(mut connection) => {
                let (head, body) = connection.exchange(request, max).await?;
                let ended = Instant::now();
                // What is left of a response would come before that of the next call.
                if body.is_ok() && connection.is_ready() {
                    self.connections.give_back(connection, ended);
                }
                Ok(Received { head, body, ended })
            }
            Taken::Http2(connection) => {
                self.make_absolute(&mut request);
                let outcome = connection.exchange(request, max).await;
                let ended = Instant::now();
                let (head, body) = outcome.map_err(|mut unanswered| {
                    if let Some(unsent) = &mut unanswered.unsent {
                        self.connections.forget(&connection);
                        self.make_relative(unsent);
                    }
                    unanswered
                })?;
                self.connections.used(&connection, ended);
                Ok(Received { head, body, ended })
            }
        }
    }

    /// Gives a request the form of HTTP/2, whose authority is part of the URI.
    fn make_absolute(&self, request: &mut Request<Body>) {
        *request.uri_mut() = self.absolute.clone();
        if request.headers().get(HOST) == Some(&self.host) {
            request.headers_mut().remove(HOST);
        }
    }

    /// Gives a request the form of HTTP/1.
    fn make_relative(&self, request: &mut Request<Body>) {
        *request.uri_mut() = self.origin.clone();
        let host = request.headers_mut().entry(HOST);
        host.or_insert_with(|| self.host.clone());
    }
}

/// The header `Host`: without the usual port of the scheme.
fn host_of(uri: &Uri) -> Result<HeaderValue, BoxError> {
    let is_secure = uri.scheme_str() == Some("https");
    let usual = if is_secure { 443 } else { 80 };
    let host = uri.host().unwrap_or_default();
    Ok(match uri.port_u16().filter(|port| *port != usual) {
        Some(port) => HeaderValue::from_str(&format!("{host}:{port}")),
        None => HeaderValue::from_str(host),
    }?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_header_has_no_usual_port() {
        for (uri, expected) in [
            ("http://a.example:80/x", "a.example"),
            ("http://a.example:443/x", "a.example:443"),
            ("https://a.example:443/x", "a.example"),
            ("https://a.example:80", "a.example:80"),
            ("http://[::1]:8060/rpc?x", "[::1]:8060"),
            ("http://localhost/", "localhost"),
        ] {
            let host = host_of(&uri.parse().unwrap()).unwrap();
            assert_eq!(host, expected, "{uri}");
        }
    }
}
