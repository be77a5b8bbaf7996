//! Minimal WebSocket and newline framing of the load generator, over raw TCP. It does only what the
//! measured servers require: one fixed handshake, frames encoded in advance, and of each response
//! only the frame header and a check of the payload.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Failure;
use crate::finding::Refused;

/// The key of the handshake, and the value that every server must derive from it. A random key
/// would protect against caches, of which there are none here.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAA==";
const ACCEPT: &str = "ICX+Yqv66kxgM0FcWaLWlFLwTAI=";

/// Clients must mask their frames, but the mask need not be random.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x99];

/// Maximum size of the headers in a handshake response.
const MAX_HEAD: usize = 8 * 1024;

/// Maximum size of a message in any case.
const MAX_MESSAGE: usize = 4 << 20;

/// Timeout of a handshake or a small response.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The framing of messages in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// WebSocket text frames.
    WebSocket,
    /// One message per line, terminated by a newline.
    Lines,
}

impl Framing {
    /// Encodes a message of a client.
    pub(crate) fn encode(self, message: &str) -> Vec<u8> {
        if self == Self::Lines {
            return [message.as_bytes(), b"\n"].concat();
        }
        let length = message.len();
        let mut frame = vec![0x81];
        match u16::try_from(length) {
            Ok(short @ 0..126) => frame.push(0x80 | short.to_be_bytes()[1]),
            Ok(medium) => {
                frame.push(0x80 | 126);
                frame.extend(medium.to_be_bytes());
            }
            Err(_) => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(message.bytes().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b));
        frame
    }

    /// Finds the first frame or line in the received bytes, and the range of its payload. `None`
    /// until it is complete. A control frame is no message.
    fn decode(self, received: &[u8]) -> Result<Option<Frame>, Failure> {
        if self == Self::Lines {
            let end = received.iter().position(|&byte| byte == b'\n');
            return Ok(end.map(|end| Frame {
                start: 0,
                end,
                is_message: true,
            }));
        }
        let &[first, length, ..] = received else {
            return Ok(None);
        };
        let (start, length) = match length {
            0..126 => (2, Some(usize::from(length))),
            126 => (4, big_endian(received, 2..4)),
            127 => (10, big_endian(received, 2..10)),
            _ => return Err("a masked frame from a server".into()),
        };
        let Some(length) = length else {
            return Ok(None);
        };
        if length > MAX_MESSAGE {
            return Err("an answer is too long".into());
        }
        let is_message = match first {
            0x81 => true,
            0x89 | 0x8a => false,
            0x88 => return Err("the server closed a WebSocket".into()),
            _ => return Err(format!("a frame that begins with {first:#x}").into()),
        };
        let end = start + length;
        Ok((received.len() >= end).then_some(Frame {
            start,
            end,
            is_message,
        }))
    }

    /// Size of the delimiter after the payload.
    fn delimiter_len(self) -> usize {
        usize::from(self == Self::Lines)
    }
}

/// A frame or line in the received bytes.
struct Frame {
    start: usize,
    end: usize,
    is_message: bool,
}

/// Parses a big-endian integer once all of its bytes have arrived.
fn big_endian(received: &[u8], place: std::ops::Range<usize>) -> Option<usize> {
    let bytes = received.get(place)?;
    let number = bytes
        .iter()
        .fold(0u64, |sum, &byte| sum << 8 | u64::from(byte));
    Some(usize::try_from(number).unwrap_or(usize::MAX))
}

/// A bidirectional connection.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    pub(crate) framing: Framing,
    received: Vec<u8>,
}

impl Link {
    /// Connects to `ws://…` or `tcp://…`. A server that answers the upgrade with another status
    /// than 101, or not at all, is [`Refused`].
    pub(crate) async fn open(url: &str) -> Result<Self, Failure> {
        let (framing, address) = match url.split_once("://") {
            Some(("ws", rest)) => (Framing::WebSocket, rest),
            Some(("tcp", rest)) => (Framing::Lines, rest),
            _ => return Err("the URL has to start with ws:// or tcp://".into()),
        };
        let (host, path) = address.split_once('/').unwrap_or((address, ""));
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let mut link = Self {
            stream,
            framing,
            received: Vec::new(),
        };
        if framing == Framing::WebSocket {
            tokio::time::timeout(ANSWER_LIMIT, link.upgrade(host, path))
                .await
                .map_err(|_| Refused("no answer to the upgrade".into()))??;
        }
        Ok(link)
    }

    /// The local port, which identifies the connection in the kernel's table.
    pub(crate) fn port(&self) -> Result<u16, Failure> {
        Ok(self.stream.local_addr()?.port())
    }

    async fn upgrade(&mut self, host: &str, path: &str) -> Result<(), Failure> {
        let request = format!(
            "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\r\n"
        );
        // A connection reset is a refusal as well.
        let reset = |error: io::Error| Refused(format!("the upgrade: {error}"));
        let sent = self.stream.write_all(request.as_bytes()).await;
        sent.map_err(reset)?;
        let end = loop {
            let read = self.stream.read_buf(&mut self.received).await;
            let read = read.map_err(reset)?;
            let end = self
                .received
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            match end {
                Some(end) => break end + 4,
                None if read == 0 || self.received.len() > MAX_HEAD => {
                    return Err(Refused("no answer to the upgrade".into()).into());
                }
                None => {}
            }
        };
        let head = String::from_utf8_lossy(&self.received[..end]);
        if !head.starts_with("HTTP/1.1 101 ") {
            let line = head.lines().next().unwrap_or_default();
            return Err(Refused(format!("the upgrade was answered with {line:?}")).into());
        }
        if !head.contains(ACCEPT) {
            return Err("a wrong Sec-WebSocket-Accept".into());
        }
        self.received = self.received.split_off(end);
        Ok(())
    }

    pub(crate) async fn send(&mut self, encoded: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(encoded).await?)
    }

    /// Waits until at least one message is complete, calls `look` with each complete one, and
    /// returns their count.
    pub(crate) async fn messages(
        &mut self,
        mut look: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<usize, Failure> {
        let mut count = 0;
        while count == 0 {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the server closed a connection".into());
            }
            let mut used = 0;
            while let Some(found) = self.framing.decode(&self.received[used..])? {
                if found.is_message {
                    look(&self.received[used + found.start..used + found.end])?;
                    count += 1;
                }
                used += found.end + self.framing.delimiter_len();
            }
            if self.received.len() - used > MAX_MESSAGE + 16 {
                return Err("an answer is too long".into());
            }
            self.received.drain(..used);
            self.received.reserve(16 * 1024);
        }
        Ok(count)
    }

    /// Sends one message and waits for its response, the only one in flight.
    pub(crate) async fn call(
        &mut self,
        message: &str,
        look: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.exchange(&self.framing.encode(message), 1, look).await
    }

    /// Sends encoded messages in one write and waits for their responses, the only ones in flight.
    pub(crate) async fn exchange(
        &mut self,
        encoded: &[u8],
        count: usize,
        mut look: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.send(encoded).await?;
        let mut answers = 0;
        while answers < count {
            answers += tokio::time::timeout(ANSWER_LIMIT, self.messages(&mut look))
                .await
                .map_err(|_| "an answer never came")??;
        }
        if answers != count {
            return Err("more answers than calls".into());
        }
        Ok(())
    }

    /// Releases unused buffer memory, which adds up in thousands of idle connections of this
    /// process.
    pub(crate) fn shrink(&mut self) {
        self.received.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_three_lengths() {
        for (length, head) in [(125, 6), (126, 8), (65_535, 8), (65_536, 14)] {
            let text = "x".repeat(length);
            let frame = Framing::WebSocket.encode(&text);
            assert_eq!(frame.len(), head + length);
            assert_eq!(frame[head] ^ MASK[0], b'x');
        }
        assert_eq!(Framing::Lines.encode("{}"), b"{}\n");
    }

    #[test]
    fn finds_messages_once_they_are_complete() {
        let mut frame = vec![0x81, 126, 0, 200];
        frame.extend([b'a'; 200]);
        for short in [0, 1, 3, 4, 203] {
            let found = Framing::WebSocket.decode(&frame[..short]).unwrap();
            assert!(found.is_none());
        }
        let found = Framing::WebSocket.decode(&frame).unwrap().unwrap();
        assert_eq!((found.start, found.end), (4, 204));
        let line = Framing::Lines.decode(b"{}\n{").unwrap().unwrap();
        assert_eq!((line.start, line.end), (0, 2));
    }

    #[test]
    fn refuses_what_no_case_asks_for() {
        for frame in [[0x88, 0], [0x82, 0], [0x81, 0x85], [0x01, 0]] {
            assert!(Framing::WebSocket.decode(&frame).is_err());
        }
        let huge = [0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0];
        assert!(Framing::WebSocket.decode(&huge).is_err());
    }
}
