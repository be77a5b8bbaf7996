//! Server's end of an HTTP/2 connection, as raw frames.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::RIGHT;

/// The setting with the number of concurrent streams, and that with the window of each.
pub(super) const MAX_STREAMS: u16 = 3;
pub(super) const WINDOW: u16 = 4;

/// The server's end of a connection, as raw frames.
/// It answers pings while it reads.
pub(super) struct Frames<S = TcpStream>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// Begins a connection, with this limit of concurrent streams.
    pub(super) async fn begin(stream: S, max_streams: Option<u32>) -> io::Result<Self> {
        let limit = max_streams.map(|max| (MAX_STREAMS, max));
        Self::begin_with(stream, limit.as_slice()).await
    }

    /// Begins a connection with these settings.
    pub(super) async fn begin_with(stream: S, settings: &[(u16, u32)]) -> io::Result<Self> {
        let mut frames = Self(stream);
        let setting =
            |(kind, value): &(u16, u32)| [&kind.to_be_bytes()[..], &value.to_be_bytes()].concat();
        let settings: Vec<_> = settings.iter().map(setting).collect();
        frames.send(4, 0, 0, &settings.concat()).await?;
        // The preface of the client.
        frames.0.read_exact(&mut [0; 24]).await?;
        Ok(frames)
    }

    pub(super) async fn send(
        &mut self,
        kind: u8,
        flags: u8,
        stream: u32,
        payload: &[u8],
    ) -> io::Result<()> {
        self.0.write_all(&frame(kind, flags, stream, payload)).await
    }

    /// The kind, the flags and the stream of the next frame.
    pub(super) async fn frame(&mut self) -> io::Result<(u8, u8, u32)> {
        let (kind, flags, stream, _) = self.whole_frame().await?;
        Ok((kind, flags, stream))
    }

    /// The same, and the payload.
    pub(super) async fn whole_frame(&mut self) -> io::Result<(u8, u8, u32, Vec<u8>)> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).await?;
            if (kind, flags) == (6, 0) {
                self.send(6, 1, 0, &payload).await?;
                continue;
            }
            return Ok((kind, flags, u32::from_be_bytes(stream), payload));
        }
    }

    /// The stream of the next whole request.
    pub(super) async fn request(&mut self) -> io::Result<u32> {
        loop {
            // DATA that ends the stream.
            if let (0, flags, stream) = self.frame().await?
                && flags & 1 != 0
            {
                return Ok(stream);
            }
        }
    }

    /// How many requests begin before the client has answered a ping.
    pub(super) async fn more(&mut self) -> io::Result<usize> {
        self.send(6, 0, 0, &[0; 8]).await?;
        let mut begun = 0;
        loop {
            match self.frame().await? {
                (6, 1, _) => return Ok(begun),
                (1, ..) => begun += 1,
                _ => {}
            }
        }
    }

    /// Answers a request: `:status: 200`, and the body.
    pub(super) async fn answer(&mut self, stream: u32) -> io::Result<()> {
        let head = frame(1, 4, stream, &[0x88]);
        let body = frame(0, 1, stream, RIGHT.as_bytes());
        self.0.write_all(&[head, body].concat()).await
    }

    pub(super) async fn go_away(&mut self, last: u32) -> io::Result<()> {
        let payload = [last.to_be_bytes(), [0; 4]].concat();
        self.send(7, 0, 0, &payload).await
    }

    pub(super) async fn answer_all(&mut self) -> io::Result<()> {
        loop {
            let stream = self.request().await?;
            self.answer(stream).await?;
        }
    }
}

/// A frame of HTTP/2.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}
