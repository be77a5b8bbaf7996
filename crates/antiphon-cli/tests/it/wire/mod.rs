//! Raw peer: a blocking socket that speaks any of the server's protocols and does only what it is told.
//!
//! It does not read unless it is asked to, sends half a message as readily as a whole one, and lets
//! go of a connection in any state. A client library would not.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Peer`]: one connection; [`Protocol`] |
//! | `socket.rs` | byte stream: TCP, Unix, or the pipes of a child process |
//! | `encode.rs` | bytes of a message that is sent |
//! | `receive.rs` | messages out of the bytes that are received |

mod encode;
mod receive;
mod socket;

use std::io::{self, Write};
use std::time::Duration;

pub(crate) use socket::{Place, Socket};

/// Time limit of one read or write.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How messages travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Protocol {
    Http1,
    /// With prior knowledge. The peer grants no window for responses until it receives.
    Http2,
    WebSocket,
    /// A message per line.
    Lines,
    /// A message under a `Content-Length` header.
    Headers,
}

/// One connection to a server.
pub(crate) struct Peer {
    pub(crate) socket: Socket,
    protocol: Protocol,
    /// Bytes that were received and not yet taken.
    received: Vec<u8>,
    /// The next stream of HTTP/2.
    stream: u32,
    /// Whether the peer lets the server send over HTTP/2.
    has_window: bool,
    /// Whether the server has said that it ends the connection after this response.
    is_last: bool,
}

impl Peer {
    /// Connects, with the handshake of the protocol.
    pub(crate) fn connect(place: &Place, protocol: Protocol) -> io::Result<Self> {
        Self::over(Socket::connect(place)?, protocol)
    }

    /// Speaks the protocol over this byte stream.
    pub(crate) fn over(socket: Socket, protocol: Protocol) -> io::Result<Self> {
        let mut peer = Self {
            socket,
            protocol,
            received: Vec::new(),
            stream: 1,
            has_window: false,
            is_last: false,
        };
        peer.socket.write_all(encode::greeting(protocol))?;
        if protocol == Protocol::WebSocket {
            peer.read_upgrade()?;
        }
        Ok(peer)
    }

    /// Sends one message.
    pub(crate) fn send(&mut self, message: &str) -> io::Result<()> {
        let bytes = self.encode(message);
        self.socket.write_all(&bytes)
    }

    /// The bytes of one message, for those who want to send only some of them.
    pub(crate) fn encode(&mut self, message: &str) -> Vec<u8> {
        let stream = self.stream;
        self.stream += 2;
        encode::message(self.protocol, stream, encode::ANY, message.as_bytes())
    }

    /// Sends a call whose answer is to be an event stream.
    pub(crate) fn send_for_events(&mut self, message: &str) -> io::Result<()> {
        let stream = self.stream;
        self.stream += 2;
        let bytes = encode::message(self.protocol, stream, encode::EVENTS, message.as_bytes());
        self.socket.write_all(&bytes)
    }

    /// Whether the server takes no more requests on this connection, as it has said itself.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Sends one message and receives the next one.
    pub(crate) fn ask(&mut self, message: &str) -> io::Result<String> {
        self.grant_window()?;
        self.send(message)?;
        self.receive()
    }
}

/// The text of a call.
pub(crate) fn call(id: usize, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// The text of a batch of this many equal calls.
pub(crate) fn batch(calls: usize, method: &str, params: &str) -> String {
    let calls: Vec<_> = (0..calls).map(|id| call(id, method, params)).collect();
    format!("[{}]", calls.join(","))
}
