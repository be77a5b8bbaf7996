//! Blocking connection of the load generator: fixed bytes out, expected messages in.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::Failure;
use crate::cases::Exchange;
use crate::framing::Framing;

/// Deadline of each read and write. Callgrind makes a server fifty times slower.
const PATIENCE: Duration = Duration::from_secs(60);

/// Maximum size of a response head.
const MAX_HEAD: usize = 8 * 1024;

/// The fixed key of the handshake, and the answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    framing: Framing,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, framing: Framing) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut connection = Self {
            stream,
            framing,
            received: Vec::new(),
        };
        if framing == Framing::WebSocket {
            connection.upgrade()?;
        }
        Ok(connection)
    }

    fn upgrade(&mut self) -> Result<(), Failure> {
        self.send(
            format!(
                "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
            )
            .as_bytes(),
        )?;
        let end = loop {
            let mut fours = self.received.windows(4);
            match fours.position(|four| four == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if self.received.len() > MAX_HEAD => return Err("an endless head".into()),
                None => self.read()?,
            }
        };
        let head = String::from_utf8_lossy(&self.received[..end]);
        if !head.starts_with("HTTP/1.1 101 ") || !head.contains(ACCEPT) {
            return Err(format!("the upgrade was answered with {head}").into());
        }
        self.received.drain(..end);
        Ok(())
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Waits for the next message.
    pub(crate) fn receive(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            if let Some(message) = self.framing.decode(&self.received)? {
                let payload = self.received[message.payload].to_vec();
                self.received.drain(..message.end);
                return Ok(payload);
            }
            self.read()?;
        }
    }

    /// Sends a request in one piece, and waits for its responses. Nothing else may come.
    pub(crate) fn exchange(&mut self, exchange: &Exchange) -> Result<(), Failure> {
        self.send(&exchange.request)?;
        let mut missing: Vec<&[u8]> = exchange.responses.iter().map(Vec::as_slice).collect();
        while !missing.is_empty() {
            let message = self.receive()?;
            let Some(place) = missing.iter().position(|expected| *expected == message) else {
                let message = String::from_utf8_lossy(&message);
                return Err(format!("a wrong response: {message}").into());
            };
            missing.swap_remove(place);
        }
        match self.received.is_empty() {
            true => Ok(()),
            false => Err("more responses than calls".into()),
        }
    }

    fn read(&mut self) -> Result<(), Failure> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece)? {
            0 => Err("the server has closed a connection".into()),
            length => {
                self.received.extend_from_slice(&piece[..length]);
                Ok(())
            }
        }
    }
}
