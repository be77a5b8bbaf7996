//! Decoder of frames: received bytes → whole messages.

use bytes::{Buf, Bytes, BytesMut};

use super::header::Header;
use super::{Framing, FramingError};

/// Cuts the messages of one peer out of what has been received.
///
/// It holds positions only, never bytes: the buffer stays the caller's, who appends to it and
/// removes nothing between two calls. Every byte is looked at once, however small the pieces in
/// which it arrives.
///
/// # Limits
///
/// A message has at most `max_message` bytes, line ending and header not counted. White space before
/// a line's first other byte, blank lines included, is dropped as it arrives and is no part of the
/// message. A header line has at most 1 KiB, a header block 4 KiB and 16 lines.
///
/// # Examples
///
/// ```
/// use antiphon_proto::framing::{Decoder, Framing};
/// use bytes::BytesMut;
///
/// let mut decoder = Decoder::new(Framing::Newline, 1024);
/// let mut buffer = BytesMut::from("[1]\n\n[2");
/// assert_eq!(decoder.decode(&mut buffer)?.as_deref(), Some(&b"[1]"[..]));
/// assert_eq!(decoder.decode(&mut buffer)?, None);
///
/// buffer.extend_from_slice(b",3]");
/// assert_eq!(decoder.finish(&mut buffer)?.as_deref(), Some(&b"[2,3]"[..]));
/// assert_eq!(decoder.finish(&mut buffer)?, None);
/// # Ok::<(), antiphon_proto::framing::FramingError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    framing: Framing,
    max_message: usize,
    /// How many bytes at the front of the buffer are known to hold no line ending.
    scanned: usize,
    header: Header,
    failed: Option<FramingError>,
}

impl Decoder {
    /// A decoder for the start of a stream, whose messages have at most `max_message` bytes each.
    pub fn new(framing: Framing, max_message: usize) -> Self {
        Self {
            framing,
            max_message,
            scanned: 0,
            header: Header::default(),
            failed: None,
        }
    }

    /// Takes the next whole message off the front of `buffer`, without copying it.
    ///
    /// `None` means that more bytes are needed. Call it until it says so: the buffer may hold several
    /// messages. A message is not checked beyond its first byte on [`Framing::Newline`], and not at
    /// all on [`Framing::ContentLength`], where it may be empty.
    ///
    /// # Errors
    ///
    /// An error is noticed at the byte that makes it certain, also in the middle of a line, and
    /// repeated by every later call: nothing behind it becomes a message.
    ///
    /// - [`FramingError::TooLong`]: more than `max_message` bytes have arrived without a line ending,
    ///   or are declared; what is declared is never allocated.
    /// - [`FramingError::NotJson`]: a line that begins neither an object nor an array.
    /// - [`FramingError::BadHeader`]: a header other than the base protocol of LSP prescribes. Lines end
    ///   in `\r\n`; names come in any case; `Content-Length` is required, once, as digits alone;
    ///   `Content-Type` may name no charset but `utf-8` (or `utf8`); other names are ignored.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FramingError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let outcome = match self.framing {
            Framing::Newline => self.line(buffer),
            Framing::ContentLength => self.headed(buffer),
        };
        if let Err(error) = outcome {
            self.failed = Some(error);
        }
        outcome
    }

    /// Takes the next message when the stream has ended; to be called until it gives `None`.
    ///
    /// On [`Framing::Newline`] the last line needs no ending.
    ///
    /// # Errors
    ///
    /// Those of [`decode`](Self::decode), and on [`Framing::ContentLength`] [`FramingError::Truncated`]
    /// if a header or a message has begun and is not complete.
    pub fn finish(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FramingError> {
        if let Some(message) = self.decode(buffer)? {
            return Ok(Some(message));
        }
        if !self.is_partial(buffer) {
            return Ok(None);
        }
        match self.framing {
            Framing::Newline => {
                self.scanned = 0;
                Ok(Some(without_ending(buffer.split())))
            }
            Framing::ContentLength => {
                self.failed = Some(FramingError::Truncated);
                Err(FramingError::Truncated)
            }
        }
    }

    /// Whether a message has begun, once [`decode`](Self::decode) has asked for more bytes.
    ///
    /// A connection that is silent between messages is idle; one that is silent within a message is
    /// stuck, and deserves less patience.
    pub fn is_partial(&self, buffer: &[u8]) -> bool {
        !buffer.is_empty() || self.header.lines > 0
    }

    /// [`Framing::Newline`].
    fn line(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FramingError> {
        if self.scanned == 0 {
            let blank = buffer
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            let blank = blank.count();
            buffer.advance(blank);
            match buffer.first() {
                None => return Ok(None),
                Some(b'{' | b'[') => {}
                Some(_) => return Err(FramingError::NotJson),
            }
        }
        // The longest line that is still good is the longest message and `\r\n`.
        let window = buffer.len().min(self.max_message.saturating_add(2));
        let from = self.scanned.min(window);
        if let Some(at) = find_newline(&buffer[from..window]) {
            self.scanned = 0;
            let message = without_ending(buffer.split_to(from + at + 1));
            return if message.len() > self.max_message {
                Err(FramingError::TooLong(self.max_message))
            } else {
                Ok(Some(message))
            };
        }
        self.scanned = window;
        match buffer.get(self.max_message) {
            None => Ok(None),
            // One byte too many, which the next may turn into a line ending.
            Some(b'\r') if buffer.len() == self.max_message + 1 => Ok(None),
            Some(_) => Err(FramingError::TooLong(self.max_message)),
        }
    }

    /// [`Framing::ContentLength`].
    fn headed(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FramingError> {
        while !self.header.complete {
            let Some(end) = self.header.line_end(buffer, &mut self.scanned)? else {
                return Ok(None);
            };
            // The base protocol knows one line ending. To take a bare `\n` as well would be to
            // disagree with other readers of the same bytes on where a header ends.
            let Some(line) = buffer[..=end].strip_suffix(b"\r\n") else {
                return Err(FramingError::BadHeader("line not ended by CR LF"));
            };
            self.header.read(line, self.max_message)?;
            self.header.bytes += end + 1;
            self.scanned = 0;
            buffer.advance(end + 1);
        }
        let length = self.header.length.unwrap_or_default();
        if buffer.len() < length {
            return Ok(None);
        }
        self.header = Header::default();
        Ok(Some(buffer.split_to(length).freeze()))
    }
}

/// Cuts `\n` or `\r\n` off a line.
fn without_ending(mut line: BytesMut) -> Bytes {
    for ending in [b'\n', b'\r'] {
        if line.last() == Some(&ending) {
            line.truncate(line.len() - 1);
        }
    }
    line.freeze()
}

/// Steps of a fixed size without a way out in the middle become vector instructions; `position`
/// alone goes byte by byte.
fn find_newline(bytes: &[u8]) -> Option<usize> {
    const STEP: usize = 32;
    let has_newline = |step: &[u8]| step.iter().fold(false, |hit, &byte| hit | (byte == b'\n'));
    let clean = bytes
        .chunks_exact(STEP)
        .take_while(|step| !has_newline(step));
    let start = clean.count() * STEP;
    let at = bytes[start..].iter().position(|&byte| byte == b'\n')?;
    Some(start + at)
}
