//! Requests to one HTTP server, over its connections.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderValue, Uri};
use tokio::time::Instant;

use super::connections::{Connections, Taken};
use super::dial::{Dialer, HttpTarget};
use super::fault::{Unprocessed, unprocessed};
use super::unsent::StreamBody;
use crate::client::http::Received;
use crate::client::late::Late;
use crate::client::prepared_request::PreparedRequest;
use crate::router::BoxError;

/// A pool of connections.
pub(in crate::client) struct HttpPool {
    connections: Arc<Connections>,
    /// The URI of requests over HTTP/2; it has scheme and authority.
    absolute: Uri,
    /// The same over HTTP/1, where a header has the authority.
    origin: Uri,
    /// The value of that header.
    host: HeaderValue,
}

impl HttpPool {
    /// A pool without a connection. `uri` is that of the requests, with scheme and authority; `http2`
    /// says that the server is known to speak HTTP/2. Adds what requests need to their headers.
    ///
    /// # Errors
    ///
    /// If the URI has a host that no header can carry.
    pub(in crate::client) fn new(
        target: HttpTarget,
        uri: Uri,
        http2: bool,
        headers: &mut HeaderMap,
    ) -> Result<Self, BoxError> {
        let path = uri.path_and_query().cloned();
        let host = host_of(&uri)?;
        headers.entry(HOST).or_insert_with(|| host.clone());
        // Only to have the place for that of each request.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(Self {
            connections: Connections::new(Dialer { target, http2 }),
            origin: path.map_or_else(Uri::default, Uri::from),
            absolute: uri,
            host,
        })
    }

    /// Sends a request and reads the response, up to `max` bytes.
    ///
    /// A request of which nothing was sent, because the connection was just being closed, or which the
    /// server guarantees not to have processed, is sent once more.
    ///
    /// # Errors
    ///
    /// If there is no connection, or no response.
    pub(in crate::client) async fn send(
        &self,
        request: &PreparedRequest<'_>,
        max: usize,
        now: Instant,
    ) -> Result<Received, BoxError> {
        let mut is_retry = false;
        loop {
            let taken = match self.connections.take_fresh(now, !is_retry) {
                Some(taken) => taken,
                // In a box, so that calls for which there is a connection are not larger.
                None => {
                    let taken = Box::pin(self.connections.rested_or_new(now, !is_retry)).await?;
                    Late::check(request.deadline, Instant::now())?;
                    taken
                }
            };
            match self.exchange(taken, request, max).await {
                Ok(received) => return Ok(received),
                Err(error) if is_retry || !request.mark.retract() => return Err(error.into()),
                Err(_) => is_retry = true,
            }
        }
    }

    async fn exchange(
        &self,
        taken: Taken,
        request: &PreparedRequest<'_>,
        max: usize,
    ) -> hyper::Result<Received> {
        match taken {
            Taken::Http1(mut connection) => {
                let mut http1 = request.to(&self.origin);
                let length = HeaderValue::from(request.text.len());
                http1.headers_mut().insert(CONTENT_LENGTH, length);
                let (head, body) = connection.exchange(http1, request.mark, max).await?;
                let ended = Instant::now();
                // What is left of a response would come before that of the next call.
                if body.is_ok() && connection.is_done() {
                    self.connections.give_back(connection, ended);
                }
                Ok(Received { head, body, ended })
            }
            Taken::Http2(connection) => {
                let body = StreamBody::new(request.text.clone(), request.mark.watch());
                let mut http2 = request.with(&self.absolute, body);
                http2.headers_mut().remove(CONTENT_LENGTH);
                if http2.headers().get(HOST) == Some(&self.host) {
                    http2.headers_mut().remove(HOST);
                }
                let outcome = connection.exchange(http2, max).await;
                let ended = Instant::now();
                let (head, body) = outcome.inspect_err(|error| {
                    let unprocessed = unprocessed(error);
                    if unprocessed.is_some() {
                        request.mark.disregard();
                    }
                    // The second attempt must not find it, unless it takes other requests.
                    if request.mark.retract() && unprocessed != Some(Unprocessed::Refused) {
                        self.connections.forget(&connection);
                    }
                })?;
                self.connections.used(&connection, ended);
                Ok(Received { head, body, ended })
            }
        }
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
