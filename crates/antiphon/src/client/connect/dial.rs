//! Connections of HTTP clients: address → socket → connection.

use std::path::PathBuf;

use tokio::time::Instant;

use super::fault::ConnectFault;
use super::http1::Http1;
use super::http2::Http2;
use super::metered_socket::Version;
use super::socket::HttpSocket;
use crate::router::BoxError;
use crate::transport::tcp;
use crate::transport::tls::client::{ClientTls, negotiated_http2};
use crate::transport::tls::{H2, HTTP1};
use crate::transport::unix;

/// What connections are opened to.
pub(in crate::client) enum HttpTarget {
    /// A host without brackets, and a port.
    Tcp(String, u16, Option<ClientTls>),
    Unix(PathBuf),
}

/// Opens connections.
pub(super) struct Dialer {
    pub(super) target: HttpTarget,
    /// Whether the server is known to speak HTTP/2.
    pub(super) http2: bool,
}

/// A new connection.
pub(super) enum Dialed {
    Http1(Box<Http1>),
    Http2(Http2),
}

impl Dialer {
    /// The version that the server speaks; `None` if the handshake decides.
    pub(super) fn version(&self) -> Option<Version> {
        match &self.target {
            _ if self.http2 => Some(Version::Http2),
            HttpTarget::Tcp(_, _, Some(_)) => None,
            _ => Some(Version::Http1),
        }
    }

    pub(super) async fn dial(&self) -> Result<Dialed, ConnectFault> {
        self.open().await.map_err(ConnectFault::new)
    }

    async fn open(&self) -> Result<Dialed, BoxError> {
        let (socket, negotiated) = match &self.target {
            HttpTarget::Unix(path) => (HttpSocket::Unix(unix::connect(path).await?), false),
            HttpTarget::Tcp(host, port, None) => {
                (HttpSocket::Tcp(tcp::connect(host, *port).await?), false)
            }
            HttpTarget::Tcp(host, port, Some(tls)) => {
                let alpn: &[&[u8]] = if self.http2 { &[H2] } else { &[H2, HTTP1] };
                // One deadline for both, connecting and the handshake.
                let deadline = Instant::now() + tcp::CONNECT_TIMEOUT;
                let stream = tcp::connect(host, *port).await?;
                let left = deadline.saturating_duration_since(Instant::now());
                let stream = tls.connect(host, stream, alpn, left).await?;
                let negotiated = negotiated_http2(&stream);
                (HttpSocket::Tls(Box::new(stream)), negotiated)
            }
        };
        Ok(match self.http2 || negotiated {
            true => Dialed::Http2(Http2::open(socket).await?),
            false => Dialed::Http1(Box::new(Http1::open(socket).await?)),
        })
    }
}
