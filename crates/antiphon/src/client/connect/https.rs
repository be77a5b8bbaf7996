//! Pools of HTTP connections over TLS.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use super::http::{CONNECT_TIMEOUT, connector, plain, pool, version};
use super::metered_socket::MeteredSocket;
use crate::address::Address;
use crate::client::Body;
use crate::client::http::{Exchange, ServiceExchange};
use crate::client::tls::TlsOptions;
use crate::router::BoxError;
use crate::transport::tls::client::{ClientTls, TlsStream, negotiated_http2};
use crate::transport::tls::{H2, HTTP1};

/// The TLS configuration, if the address uses TLS.
pub(in crate::client) fn tls(
    address: &Address,
    options: &TlsOptions,
) -> Result<Option<ClientTls>, BoxError> {
    if !address.is_secure() {
        return Ok(None);
    }
    let tls = match &options.ca {
        Some(pem) => ClientTls::with_ca(pem),
        None => ClientTls::platform(),
    }?;
    let tls = match &options.client {
        Some((chain, key)) => tls.with_certificate(chain, key)?,
        None => tls,
    };
    Ok(Some(match &options.server_name {
        Some(name) => tls.with_server_name(name)?,
        None => tls,
    }))
}

/// A pool of connections over TCP, with TLS if the address uses it.
pub(in crate::client) fn tcp(
    address: &Address,
    options: &TlsOptions,
    http2: bool,
) -> Result<Box<dyn Exchange>, BoxError> {
    Ok(match tls(address, options)? {
        Some(tls) => https(tls, http2),
        None => plain(http2),
    })
}

/// A pool of connections over TLS. ALPN negotiates the HTTP version, unless `http2` requires
/// HTTP/2.
fn https(tls: ClientTls, http2: bool) -> Box<dyn Exchange> {
    let mut tcp = connector();
    tcp.enforce_http(false);
    let client: Client<_, Body> = pool(http2).build(Connector { tcp, tls, http2 });
    Box::new(ServiceExchange(client))
}

#[derive(Clone)]
struct Connector {
    tcp: HttpConnector,
    tls: ClientTls,
    http2: bool,
}

impl Service<http::Uri> for Connector {
    type Response = TokioIo<MeteredSocket<TlsStream<TcpStream>>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: http::Uri) -> Self::Future {
        let host = uri.host().unwrap_or_default().to_owned();
        let connecting = self.tcp.call(uri);
        let (tls, http2) = (self.tls.clone(), self.http2);
        let alpn: &[&[u8]] = if http2 { &[H2] } else { &[H2, HTTP1] };
        Box::pin(async move {
            // One deadline for both, connecting and the handshake.
            let deadline = Instant::now() + CONNECT_TIMEOUT;
            let stream = timeout_at(deadline, connecting).await??.into_inner();
            let left = deadline.saturating_duration_since(Instant::now());
            let stream = tls.connect(&host, stream, alpn, left).await?;
            let negotiated = negotiated_http2(&stream);
            let version = version(negotiated || http2);
            let socket = MeteredSocket::new(stream, version).negotiated(negotiated);
            Ok(TokioIo::new(socket))
        })
    }
}
