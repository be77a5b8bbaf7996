//! Connections for sessions, for each kind of address.

use antiphon_proto::Framing;
use http::{HeaderValue, StatusCode, header};

use crate::address::Address;
use crate::call_origin::Transport;
use crate::client::session_connector::{ConnectedSession, SessionConnector, host_or_loopback};
use crate::memory_budget::Account;
use crate::router::BoxError;
use crate::transport::byte_stream::Socket;
use crate::transport::framed::StreamWire;
use crate::transport::stdio;
use crate::transport::tcp;
use crate::transport::tls::HTTP1;
use crate::transport::tls::client::ClientTls;
use crate::transport::unix;
use crate::transport::ws;
use crate::transport::ws::connect::ConnectError;

impl SessionConnector {
    /// Connects to an address, over TLS if it is given. `authorization` goes into the headers of a
    /// handshake.
    pub(in crate::client) async fn connect_to(
        &self,
        address: &Address,
        tls: Option<&ClientTls>,
        authorization: Option<&HeaderValue>,
    ) -> Result<ConnectedSession, BoxError> {
        match (address, tls) {
            (
                Address::WebSocket {
                    host, port, path, ..
                },
                None,
            ) => {
                let stream = tcp::connect(host_or_loopback(host), *port).await?;
                self.web_socket(stream, &self.place, path, authorization)
                    .await
            }
            (
                Address::WebSocket {
                    host, port, path, ..
                },
                Some(tls),
            ) => {
                let host = host_or_loopback(host);
                let stream = tcp::connect(host, *port).await?;
                let stream = tls
                    .connect(host, stream, &[HTTP1], tcp::CONNECT_TIMEOUT)
                    .await?;
                self.web_socket(stream, &self.place, path, authorization)
                    .await
            }
            (
                Address::Tcp {
                    host,
                    port,
                    framing,
                    ..
                },
                None,
            ) => {
                let stream = tcp::connect(host_or_loopback(host), *port).await?;
                Ok(self.stream(stream, *framing, Transport::Tcp))
            }
            (
                Address::Tcp {
                    host,
                    port,
                    framing,
                    ..
                },
                Some(tls),
            ) => {
                let host = host_or_loopback(host);
                let stream = tcp::connect(host, *port).await?;
                let stream = tls.connect(host, stream, &[], tcp::CONNECT_TIMEOUT).await?;
                Ok(self.stream(stream, *framing, Transport::Tcp))
            }
            (
                Address::Unix {
                    socket, framing, ..
                },
                _,
            ) => {
                let stream = unix::connect(socket).await?;
                Ok(self.stream(stream, *framing, Transport::Unix))
            }
            (Address::WebSocketUnix { socket, .. }, _) => {
                let stream = unix::connect(socket).await?;
                self.web_socket(stream, "localhost", "/", authorization)
                    .await
            }
            (Address::Stdio { command, framing }, _) => {
                let pipes = stdio::child::spawn(command)?;
                Ok(self.stream(pipes, *framing, Transport::Stdio))
            }
            (other, _) => Err(format!("{other} is not spoken by this build").into()),
        }
    }

    async fn web_socket<S>(
        &self,
        stream: S,
        host: &str,
        path: &str,
        authorization: Option<&HeaderValue>,
    ) -> Result<ConnectedSession, BoxError>
    where
        S: Socket,
    {
        let mut headers = self.headers.clone();
        if let Some(authorization) = authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let handshake = ws::connect::handshake(stream, host, path, &headers, self.max_message);
        let wire = tokio::time::timeout(tcp::CONNECT_TIMEOUT, handshake).await??;
        Ok(self.session(wire, Transport::WebSocket))
    }

    fn stream<S>(&self, stream: S, framing: Framing, transport: Transport) -> ConnectedSession
    where
        S: Socket,
    {
        self.session(
            StreamWire::new(stream, framing, self.max_message, &Account::unlimited()),
            transport,
        )
    }
}

/// The HTTP response with which a server has rejected a WebSocket handshake.
pub(in crate::client) fn refusal(error: &BoxError) -> Option<(StatusCode, &str)> {
    error.downcast_ref::<ConnectError>()?.refusal()
}
