//! Hostile peer: one end of a socket connection that sends a script.
//!
//! Each line of a script is a valid or invalid message. An empty line is a pause, in which the
//! other side may run.

use std::fmt;
use std::time::Duration;

use antiphon_proto::Framing;
use antiphon_proto::framing::Decoder;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::framing::{Outcome, Sizes, cut};

/// Time limit after which the other side counts as hung.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The maximum size of a message on both sides.
pub(crate) const MAX_MESSAGE: usize = 1024 * 1024;

/// How often a pause yields to other tasks.
const TURNS: usize = 8;

/// Bytes to send, with pauses between them.
pub(crate) struct Script {
    framing: Framing,
    parts: Vec<Vec<u8>>,
}

impl Script {
    /// With line framing the text is sent unchanged. With length headers each line becomes a
    /// message.
    pub(crate) fn new(framing: Framing, text: &[u8]) -> Self {
        let mut parts = vec![Vec::new()];
        for line in text.split(|&byte| byte == b'\n') {
            if line.is_empty() {
                parts.push(Vec::new());
            } else if let Some(part) = parts.last_mut() {
                part.extend(wrapped(framing, line));
            }
        }
        Self { framing, parts }
    }

    /// The messages that the other side receives.
    pub(crate) fn received(&self) -> Outcome {
        let parts = self.parts.iter().map(Vec::as_slice);
        cut(self.framing, MAX_MESSAGE, parts)
    }
}

fn wrapped(framing: Framing, message: &[u8]) -> Vec<u8> {
    match framing {
        Framing::Newline => [message, b"\n"].concat(),
        _ => {
            let mut bytes = BytesMut::new();
            framing.encode(message, &mut bytes);
            bytes.to_vec()
        }
    }
}

/// One end of a connection.
pub(crate) struct Peer {
    stream: TcpStream,
    framing: Framing,
    decoder: Decoder,
    input: BytesMut,
    over: bool,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream, framing: Framing) -> Self {
        // Nagle's algorithm would delay small messages.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            framing,
            decoder: Decoder::new(framing, MAX_MESSAGE),
            input: BytesMut::new(),
            over: false,
        }
    }

    /// Reads the next message. `None` means that the connection has ended. After the time limit it
    /// panics with the list of pending responses.
    pub(crate) async fn next(&mut self, due: &dyn fmt::Display) -> Option<Bytes> {
        loop {
            let message = match self.over {
                true => self.decoder.finish(&mut self.input),
                false => self.decoder.decode(&mut self.input),
            };
            match message {
                Ok(Some(message)) => return Some(message),
                Ok(None) if self.over => return None,
                Ok(None) => {}
                Err(error) => panic!("what came is no stream of messages: {error}"),
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await;
            let Ok(read) = read else {
                panic!("nothing comes; due: {due}");
            };
            // A reset counts as the end.
            self.over = read.unwrap_or_default() == 0;
        }
    }

    /// Sends the script, in pieces if the number is odd, or else at once. The number determines the
    /// sizes of the pieces.
    pub(crate) async fn play(&mut self, script: &Script, pieces: u8) {
        for part in &script.parts {
            let pieces = match pieces % 2 {
                0 => vec![part.as_slice()],
                _ => Sizes(pieces.into()).of(part),
            };
            for piece in pieces {
                // The other side may have closed the connection. The outcome is checked later.
                if self.stream.write_all(piece).await.is_err() {
                    return;
                }
                yield_now().await;
            }
            for _ in 0..TURNS {
                yield_now().await;
            }
        }
    }

    /// Sends one message. The other side may have closed the connection.
    pub(crate) async fn say(&mut self, message: &str) {
        let _ = self
            .stream
            .write_all(&wrapped(self.framing, message.as_bytes()))
            .await;
    }

    /// Shuts down the sending direction.
    pub(crate) async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Resets the connection.
    pub(crate) fn cut(self) {
        let _ = self.stream.set_zero_linger();
    }
}

/// The framing that the lowest bit selects.
pub(crate) fn framing(flags: u8) -> Framing {
    match flags % 2 {
        0 => Framing::Newline,
        _ => Framing::ContentLength,
    }
}

/// The address of a local port with this framing.
pub(crate) fn address(port: u16, framing: Framing) -> String {
    match framing {
        Framing::Newline => format!("tcp://127.0.0.1:{port}"),
        _ => format!("tcp://127.0.0.1:{port}?framing=content-length"),
    }
}
