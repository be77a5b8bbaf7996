//! Files behind URLs: one bounded GET each, over a connection of its own.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::remote::run;

/// Size limit of the head of a response, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// Time for the whole exchange, from the look-up of the name to the last byte.
const DEADLINE: Duration = Duration::from_secs(10);

/// How files are fetched. Nothing that says who asks is sent along.
pub(crate) struct Fetch {
    /// Certificate authorities to trust in place of the machine's own (PEM).
    authorities: Option<String>,
}

impl Fetch {
    pub(crate) fn new(authorities: Option<String>) -> Self {
        Self { authorities }
    }

    /// Fetches a file of at most so many bytes. Redirects are not followed.
    ///
    /// # Errors
    ///
    /// The reason, without any part of the response.
    pub(super) fn get(&self, url: &str, max: u64) -> Result<String, String> {
        let uri: Uri = url.parse().map_err(|_| "it is no URL".to_owned())?;
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let fetched = run(async {
            Ok(match timeout(DEADLINE, self.exchange(&uri, max)).await {
                Ok(fetched) => fetched,
                Err(_) => Err(format!("no whole answer within {DEADLINE:?}")),
            })
        });
        let bytes = fetched.map_err(|failure| failure.to_string())??;
        String::from_utf8(bytes.into()).map_err(|_| "it is no UTF-8".to_owned())
    }

    async fn exchange(&self, uri: &Uri, max: usize) -> Result<Bytes, String> {
        let (host, secure) = match (uri.host(), uri.scheme_str()) {
            (Some(host), Some("https")) => (host, true),
            (Some(host), Some("http")) => (host, false),
            _ => return Err("it is no URL of HTTP".to_owned()),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await;
        let stream = stream.map_err(|error| format!("no connection: {error}"))?;
        if !secure {
            return request(uri, stream, max).await;
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let connector = TlsConnector::from(Arc::new(self.tls()?));
        let stream = connector.connect(name, stream).await;
        request(uri, stream.map_err(|error| error.to_string())?, max).await
    }

    fn tls(&self) -> Result<ClientConfig, String> {
        let told = |error: tokio_rustls::rustls::Error| error.to_string();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(told)?;
        let Some(pem) = &self.authorities else {
            let builder = builder.with_platform_verifier().map_err(told)?;
            return Ok(builder.with_no_client_auth());
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let unread = |error| format!("a CA certificate cannot be read: {error}");
            roots.add(certificate.map_err(unread)?).map_err(told)?;
        }
        Ok(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

async fn request(
    uri: &Uri,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    max: usize,
) -> Result<Bytes, String> {
    let broken = |error: hyper::Error| format!("the connection broke: {error}");
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(broken)?;
    // Not the name and the password that a URL may have.
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answers with status {}", response.status()));
        }
        let body = Limited::new(response.into_body(), max).collect().await;
        let body = body.map_err(|error| format!("it cannot be read whole: {error}"))?;
        Ok(body.to_bytes())
    };
    let (mut exchange, mut connection) = (pin!(exchange), pin!(connection));
    tokio::select! {
        biased;
        fetched = &mut exchange => fetched,
        // It may end as soon as it has all of the response.
        _ = &mut connection => exchange.await,
    }
}

/// The URL that a reference in a file behind another URL names.
pub(super) fn joined(base: &str, reference: &str) -> String {
    if reference.contains("://") {
        return reference.to_owned();
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    if let Some(elsewhere) = reference.strip_prefix("//") {
        return format!("{scheme}://{elsewhere}");
    }
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let begin = if reference.starts_with('/') {
        ""
    } else {
        folder
    };
    let mut steps: Vec<&str> = Vec::new();
    for step in begin.split('/').chain(reference.split('/')) {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    format!("{scheme}://{authority}/{}", steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn references_are_joined_with_the_url_of_their_file() {
        let base = "https://example.org:8443/a/b/c.json?d#e";
        for (reference, expected) in [
            ("x.json", "https://example.org:8443/a/b/x.json"),
            ("./x.json", "https://example.org:8443/a/b/x.json"),
            ("../x/y.json", "https://example.org:8443/a/x/y.json"),
            ("../../../x.json", "https://example.org:8443/x.json"),
            ("/x.json", "https://example.org:8443/x.json"),
            ("//other.org/x", "https://other.org/x"),
            ("http://other.org/x", "http://other.org/x"),
        ] {
            assert_eq!(joined(base, reference), expected, "{reference}");
        }
        assert_eq!(joined("http://example.org", "x"), "http://example.org/x");
    }
}
