//! Messages out of received bytes.

use std::io::{self, Read, Write};

use super::encode::{frame, frame_head};
use super::{Peer, Protocol};

/// Largest window of HTTP/2.
const WINDOW: u32 = 0x7fff_ffff;

impl Peer {
    /// Receives the next whole message; over HTTP, the body of a response with status 200.
    pub(crate) fn receive(&mut self) -> io::Result<String> {
        let message = match self.protocol {
            Protocol::Http1 => self.read_response()?,
            Protocol::Http2 => self.read_streams()?,
            Protocol::WebSocket => self.read_frames()?,
            Protocol::Lines => self.take_until(b"\n")?,
            Protocol::Headers => {
                let head = self.take_until(b"\r\n\r\n")?;
                self.take(content_length(&head)?)?
            }
        };
        let mut text = String::from_utf8(message).map_err(io::Error::other)?;
        text.truncate(text.trim_end().len());
        Ok(text)
    }

    /// Reads until the server ends the connection, and returns the number of bytes.
    pub(crate) fn drain(&mut self) -> io::Result<u64> {
        io::copy(&mut self.socket, &mut io::sink())
    }

    pub(super) fn read_upgrade(&mut self) -> io::Result<()> {
        let head = self.take_until(b"\r\n\r\n")?;
        match head.starts_with(b"HTTP/1.1 101") {
            true => Ok(()),
            false => Err(refused(&head)),
        }
    }

    /// Over HTTP/2, lets the server send whatever it likes.
    pub(super) fn grant_window(&mut self) -> io::Result<()> {
        if self.protocol != Protocol::Http2 || self.has_window {
            return Ok(());
        }
        self.has_window = true;
        let settings = [&[0, 4][..], &WINDOW.to_be_bytes()].concat();
        let rest = (WINDOW - 65_535).to_be_bytes();
        let frames = [frame(4, 0, 0, &settings), frame(8, 0, 0, &rest)].concat();
        self.socket.write_all(&frames)
    }

    fn read_response(&mut self) -> io::Result<Vec<u8>> {
        let head = self.take_until(b"\r\n\r\n")?;
        let length = content_length(&head)?;
        let body = self.take(length)?;
        let text = String::from_utf8_lossy(&head).to_lowercase();
        self.is_last = text.contains("\r\nconnection: close\r\n");
        match head.starts_with(b"HTTP/1.1 200") {
            true => Ok(body),
            false => Err(refused(&head)),
        }
    }

    /// The body of the next response. Its frames are not mixed with those of others, since this
    /// peer asks for one thing after the other when it wants to know the answer.
    fn read_streams(&mut self) -> io::Result<Vec<u8>> {
        /// `:status: 200` in the static table.
        const OK: u8 = 0x88;
        let mut body = Vec::new();
        loop {
            let head = self.take(9)?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let payload = self.take(length as usize)?;
            let (kind, flags) = (head[3], head[4]);
            match kind {
                0 => body.extend(payload),
                1 if payload.first() != Some(&OK) => return Err(refused(&payload)),
                3 | 7 => return Err(refused(&payload)),
                4 | 6 if flags & 1 == 0 => {
                    let reply = if kind == 4 { Vec::new() } else { payload };
                    self.socket.write_all(&frame(kind, 1, 0, &reply))?;
                    continue;
                }
                _ => continue,
            }
            if flags & 1 == 1 {
                return Ok(body);
            }
        }
    }

    fn read_frames(&mut self) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let head = self.take(2)?;
            let length = match head[1] {
                126 => self.take(2)?,
                127 => self.take(8)?,
                short => vec![short],
            };
            let length = length
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            let payload = self.take(length)?;
            match head[0] & 0x0f {
                8 => return Err(refused(&payload)),
                9 => {
                    let pong = [&*frame_head(10, length), &payload].concat();
                    self.socket.write_all(&pong)?;
                }
                10 => {}
                _ => {
                    message.extend(payload);
                    if head[0] & 0x80 != 0 {
                        return Ok(message);
                    }
                }
            }
        }
    }

    /// Takes this many bytes.
    fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.received.len() < count {
            self.read_more()?;
        }
        Ok(self.received.drain(..count).collect())
    }

    /// Takes bytes up to this mark, and the mark.
    fn take_until(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        let mut seen = 0;
        loop {
            let rest = &self.received[seen..];
            if let Some(at) = rest.windows(mark.len()).position(|bytes| bytes == mark) {
                return self.take(seen + at + mark.len());
            }
            seen = self.received.len().saturating_sub(mark.len() - 1);
            self.read_more()?;
        }
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut room = [0; 65_536];
        match self.socket.read(&mut room)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.received.extend_from_slice(&room[..count]);
                Ok(())
            }
        }
    }
}

/// The length of a body, from the head above it.
fn content_length(head: &[u8]) -> io::Result<usize> {
    let head = String::from_utf8_lossy(head).to_lowercase();
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    line.and_then(|length| length.trim().parse().ok())
        .ok_or_else(|| refused(head.as_bytes()))
}

/// What came instead of a message.
fn refused(said: &[u8]) -> io::Error {
    let said = String::from_utf8_lossy(said);
    io::Error::other(said.lines().next().unwrap_or_default().to_owned())
}
