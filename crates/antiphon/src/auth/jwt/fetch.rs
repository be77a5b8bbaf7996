//! Fetching a JWKS document: one bounded GET over a connection of its own.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body::Body as _;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::authorities::Authorities;
use crate::address::loopback::is_loopback;
use crate::transport::bounded_body::Collector;
use crate::transport::tcp;
use crate::transport::tls::HTTP1;

/// The largest document in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// Size limit of the head of the response, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// Time for the whole exchange, from the look-up of the name to the last byte.
const DEADLINE: Duration = Duration::from_secs(5);

/// The address of a document.
pub(super) struct JwksUrl {
    uri: Uri,
    host: Box<str>,
    port: u16,
    is_secure: bool,
    authorities: Authorities,
}

impl JwksUrl {
    /// Takes `https://` URLs, and `http://` ones of this machine: who can change the document on its
    /// way makes the tokens.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|_| "it is no URL".to_owned())?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if authority.is_empty() || authority.contains('@') || text.contains('#') {
            return Err("it is no URL of a document, or has a user's name or a fragment".into());
        }
        let host = uri.host().unwrap_or_default();
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(host) => false,
            Some("http") => return Err("`http` is for this machine only; say `https`".into()),
            _ => return Err("it has to begin with `https://`".into()),
        };
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self {
            host: bare.into(),
            port,
            is_secure,
            authorities: Authorities::platform(),
            uri,
        })
    }

    /// The same URL with other authorities.
    pub(super) fn with_authorities(&self, authorities: Authorities) -> Self {
        Self {
            uri: self.uri.clone(),
            host: self.host.clone(),
            port: self.port,
            is_secure: self.is_secure,
            authorities,
        }
    }

    pub(super) fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    pub(super) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Fetches the document. Redirects are not followed.
    ///
    /// # Errors
    ///
    /// The reason, without any part of the response.
    pub(super) async fn fetch(&self) -> Result<Bytes, String> {
        match timeout(DEADLINE, self.exchange()).await {
            Ok(fetched) => fetched,
            Err(_) => Err(format!("no whole answer within {DEADLINE:?}")),
        }
    }

    async fn exchange(&self) -> Result<Bytes, String> {
        let stream = tcp::connect(&self.host, self.port).await;
        let stream = stream.map_err(|error| format!("no connection: {error}"))?;
        if !self.is_secure {
            // The name may lead elsewhere by now.
            let is_local = stream.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
            return match is_local {
                true => self.request(stream).await,
                false => Err("its name is not of this machine".to_owned()),
            };
        }
        let tls = self.authorities.tls().await?;
        let stream = tls.connect(&self.host, stream, &[HTTP1], DEADLINE).await;
        self.request(stream.map_err(|error| error.to_string())?)
            .await
    }

    async fn request(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Bytes, String> {
        let broken = |error: hyper::Error| format!("the connection broke: {error}");
        let mut builder = http1::Builder::new();
        builder.max_buf_size(MAX_HEAD);
        let (mut sender, connection) = builder
            .handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let host = self
            .uri
            .authority()
            .map_or("", |authority| authority.as_str());
        let request = Request::get(path)
            .header(header::HOST, host)
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(broken)?;
            if response.status() != StatusCode::OK {
                return Err(format!("it answers with status {}", response.status()));
            }
            let mut body = pin!(response.into_body());
            let too_long = |_| format!("the document is longer than {MAX_BODY} bytes");
            let mut collected = Collector::new(MAX_BODY, &body.size_hint()).map_err(too_long)?;
            while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                if let Ok(data) = frame.map_err(broken)?.into_data() {
                    collected.push(data).map_err(too_long)?;
                }
            }
            Ok(collected.finish())
        };
        let (mut exchange, mut connection) = (pin!(exchange), pin!(connection));
        tokio::select! {
            biased;
            fetched = &mut exchange => fetched,
            // It may end as soon as it has all of the response.
            _ = &mut connection => exchange.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_that_nobody_can_change_on_the_way_are_taken() {
        for (text, is_taken) in [
            ("https://issuer.example/keys", true),
            ("https://issuer.example:8443/keys?a=b", true),
            ("https://issuer.example", true),
            ("https://[::1]:8443/keys", true),
            ("http://127.0.0.1:80/keys", true),
            ("http://[::1]/keys", true),
            ("http://localhost/keys", true),
            ("http://issuer.example/keys", false),
            ("http://a.localhost/keys", false),
            ("http://localhost.example/keys", false),
            ("http://127.0.0.1.example/keys", false),
            ("http://127.0.0.1@issuer.example/keys", false),
            ("https://user:word@issuer.example/keys", false),
            ("https://issuer.example/keys#one", false),
            ("https:///keys", false),
            ("ftp://issuer.example/keys", false),
            ("/keys", false),
            ("", false),
            ("https://issuer example/", false),
        ] {
            assert_eq!(JwksUrl::new(text).is_ok(), is_taken, "{text}");
        }
    }
}
