//! Connections for sessions, by what they lead to.

use std::pin::Pin;
use std::sync::Arc;

use http::HeaderMap;

use crate::address::{Address, authority};
use crate::dispatch::Dispatcher;
use crate::link::{End, Link};
use crate::router::BoxError;
use crate::scope::{Connection, Transport};
use crate::session::{Session, Terms, Wire};
use crate::transport::memory;
#[cfg(any(feature = "tcp", feature = "unix", feature = "stdio", feature = "ws"))]
use crate::transport::socket::Socket;
#[cfg(feature = "stdio")]
use crate::transport::stdio;
#[cfg(any(feature = "tcp", feature = "unix", feature = "stdio"))]
use crate::transport::stream::StreamWire;
#[cfg(any(feature = "tcp", feature = "ws"))]
use crate::transport::tcp;
#[cfg(all(feature = "tls", feature = "ws"))]
use crate::transport::tls::HTTP1;
#[cfg(all(feature = "tls", any(feature = "tcp", feature = "ws")))]
use crate::transport::tls::client::ClientTls;
#[cfg(all(unix, feature = "unix"))]
use crate::transport::unix;
#[cfg(feature = "ws")]
use crate::transport::ws;

/// What a client connects to, and what it offers there.
pub(super) struct Dialer {
    pub(super) target: Target,
    /// The target, as errors name it.
    pub(super) place: String,
    /// What the peer may call here.
    pub(super) dispatcher: Dispatcher,
    pub(super) terms: Terms,
    /// What a WebSocket's first request carries.
    #[cfg_attr(not(feature = "ws"), allow(dead_code))]
    pub(super) headers: HeaderMap,
    /// Bytes in one message of the peer's.
    #[cfg_attr(not(any(feature = "tcp", feature = "ws")), allow(dead_code))]
    // memory has no bound
    pub(super) max_message: usize,
}

/// Where a session leads to.
pub(super) enum Target {
    /// A router of this process.
    InProcess(Dispatcher),
    Address(Address),
    /// The same over TLS.
    #[cfg(all(feature = "tls", any(feature = "tcp", feature = "ws")))]
    Secure(Address, ClientTls),
}

/// A session that has been made, and is not driven yet.
pub(super) struct Dialled {
    pub(super) link: Link,
    pub(super) session: Pin<Box<dyn Future<Output = Arc<End>> + Send>>,
}

/// Whether an address leads to a session; the place, as errors name it.
pub(super) fn leads_to_session(address: &Address) -> Option<String> {
    Some(match address {
        Address::WebSocket { host, port, .. } | Address::Tcp { host, port, .. } => {
            authority(or_here(host), *port)
        }
        #[cfg(unix)]
        Address::WebSocketUnix { .. } | Address::Unix { .. } => address.to_string(),
        // The arguments of a program may be secret.
        Address::Stdio { command, .. } => {
            let program = command.split_whitespace().next().unwrap_or_default();
            format!("stdio:{program}")
        }
        _ => return None,
    })
}

/// An address without a host is on this machine.
fn or_here(host: &Option<String>) -> &str {
    host.as_deref().unwrap_or("127.0.0.1")
}

impl Dialer {
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) async fn dial(&self) -> Result<Dialled, BoxError> {
        let address = match &self.target {
            Target::InProcess(server) => return Ok(self.in_process(server)),
            Target::Address(address) => address,
            #[cfg(all(feature = "tls", any(feature = "tcp", feature = "ws")))]
            Target::Secure(address, tls) => return self.dial_secure(address, tls).await,
        };
        match address {
            #[cfg(feature = "ws")]
            Address::WebSocket {
                secure: false,
                host,
                port,
                path,
            } => {
                let stream = tcp::connect(or_here(host), *port).await?;
                self.web_socket(stream, &self.place, path).await
            }
            #[cfg(feature = "tcp")]
            Address::Tcp {
                secure: false,
                host,
                port,
                framing,
            } => {
                let stream = tcp::connect(or_here(host), *port).await?;
                Ok(self.stream(stream, *framing, Transport::Tcp))
            }
            #[cfg(all(unix, feature = "unix"))]
            Address::Unix { socket, framing } => {
                let stream = unix::connect(socket).await?;
                Ok(self.stream(stream, *framing, Transport::Unix))
            }
            #[cfg(all(unix, feature = "unix", feature = "ws"))]
            Address::WebSocketUnix { socket } => {
                let stream = unix::connect(socket).await?;
                self.web_socket(stream, "localhost", "/").await
            }
            #[cfg(feature = "stdio")]
            Address::Stdio { command, framing } => {
                let pipes = stdio::child::spawn(command)?;
                Ok(self.stream(pipes, *framing, Transport::Stdio))
            }
            other => Err(format!("{other} is not spoken by this build").into()),
        }
    }

    #[cfg(all(feature = "tls", any(feature = "tcp", feature = "ws")))]
    async fn dial_secure(&self, address: &Address, tls: &ClientTls) -> Result<Dialled, BoxError> {
        match address {
            #[cfg(feature = "ws")]
            Address::WebSocket {
                host, port, path, ..
            } => {
                let host = or_here(host);
                let stream = tcp::connect(host, *port).await?;
                let stream = tls
                    .connect(host, stream, &[HTTP1], tcp::CONNECT_TIMEOUT)
                    .await?;
                self.web_socket(stream, &self.place, path).await
            }
            #[cfg(feature = "tcp")]
            Address::Tcp {
                host,
                port,
                framing,
                ..
            } => {
                let host = or_here(host);
                let stream = tcp::connect(host, *port).await?;
                let stream = tls.connect(host, stream, &[], tcp::CONNECT_TIMEOUT).await?;
                Ok(self.stream(stream, *framing, Transport::Tcp))
            }
            other => Err(format!("{other} is not spoken by this build").into()),
        }
    }

    fn in_process(&self, server: &Dispatcher) -> Dialled {
        let (ours, theirs) = memory::pair();
        let connection = Connection::new(Transport::InProcess, None);
        let terms = Terms::default();
        let serving = Session::new(theirs, server.clone(), connection, true, &terms, |_| {});
        // It ends when our end is dropped.
        tokio::spawn(serving);
        self.session(ours, Transport::InProcess)
    }

    #[cfg(feature = "ws")]
    async fn web_socket<S>(&self, stream: S, host: &str, path: &str) -> Result<Dialled, BoxError>
    where
        S: Socket,
    {
        let handshake = ws::connect::handshake(stream, host, path, &self.headers, self.max_message);
        let wire = tokio::time::timeout(tcp::CONNECT_TIMEOUT, handshake).await??;
        Ok(self.session(wire, Transport::WebSocket))
    }

    #[cfg(any(feature = "tcp", feature = "unix", feature = "stdio"))]
    fn stream<S>(
        &self,
        stream: S,
        framing: antiphon_proto::Framing,
        transport: Transport,
    ) -> Dialled
    where
        S: Socket,
    {
        self.session(
            StreamWire::new(stream, framing, self.max_message),
            transport,
        )
    }

    fn session<W: Wire>(&self, wire: W, transport: Transport) -> Dialled {
        let connection = Connection::new(transport, None);
        // What a server calls here comes over a connection that we have made: nobody is local.
        let session = Session::new(
            wire,
            self.dispatcher.clone(),
            connection,
            false,
            &self.terms,
            |_| {},
        )
        .patient();
        Dialled {
            link: session.link(),
            session: Box::pin(session),
        }
    }
}
