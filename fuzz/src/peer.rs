//! A hostile peer: one end of a real connection, with a script of what to say.
//!
//! A script is lines. Each is a message, or what is none; an empty one is a pause in which the other
//! side may work.

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

/// Longer than anything takes; what takes longer hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The longest message that either side takes.
pub(crate) const MAX_MESSAGE: usize = 1024 * 1024;

/// How often others have their turn in a pause.
const TURNS: usize = 8;

/// What to say: bytes, with pauses between them.
pub(crate) struct Script {
    framing: Framing,
    parts: Vec<Vec<u8>>,
}

impl Script {
    /// In lines the text goes as it is; with lengths, each of its lines is a message.
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

    /// What the other side hears of it.
    pub(crate) fn heard(&self) -> Outcome {
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
        // Messages that go one by one must not wait for each other.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            framing,
            decoder: Decoder::new(framing, MAX_MESSAGE),
            input: BytesMut::new(),
            over: false,
        }
    }

    /// The next message, or none at the end of the connection. If nothing comes, the panic says what
    /// is due.
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
            // A reset is an end as well.
            self.over = read.unwrap_or_default() == 0;
        }
    }

    /// Says all of it, in pieces whose sizes follow from the number; whole if that is even.
    pub(crate) async fn play(&mut self, script: &Script, pieces: u8) {
        for part in &script.parts {
            let pieces = match pieces % 2 {
                0 => vec![part.as_slice()],
                _ => Sizes(pieces.into()).of(part),
            };
            for piece in pieces {
                // The other side may have closed; what it did then is looked at later.
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

    /// Sends one message; the other side may have gone.
    pub(crate) async fn say(&mut self, message: &str) {
        let _ = self
            .stream
            .write_all(&wrapped(self.framing, message.as_bytes()))
            .await;
    }

    /// Says that nothing more comes.
    pub(crate) async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Cuts the connection without a word.
    pub(crate) fn cut(self) {
        let _ = self.stream.set_zero_linger();
    }
}

/// The framing that the lowest bit of a number chooses.
pub(crate) fn framing(flags: u8) -> Framing {
    match flags % 2 {
        0 => Framing::Newline,
        _ => Framing::ContentLength,
    }
}

/// The address of a port here, for this framing.
pub(crate) fn address(port: u16, framing: Framing) -> String {
    match framing {
        Framing::Newline => format!("tcp://127.0.0.1:{port}"),
        _ => format!("tcp://127.0.0.1:{port}?framing=content-length"),
    }
}
