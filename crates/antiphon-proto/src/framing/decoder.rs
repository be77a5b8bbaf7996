//! Decoder of framed messages: received bytes → complete messages.

use bytes::{Buf, Bytes, BytesMut};

use super::header::Header;
use super::{Framing, FramingError};

/// Maximum count of white space bytes between two messages of [`Framing::Newline`].
const MAX_BLANK: usize = 64 * 1024;

/// Extracts complete messages from the bytes that a peer has sent.
///
/// The decoder stores positions, not bytes. The caller owns the buffer, appends received bytes to
/// it, and removes nothing between two calls. Each byte is scanned only once, however small the
/// received pieces are.
///
/// # Limits
///
/// A message has at most `max_message` bytes, without its line ending or header. White space at the
/// start of a line, including blank lines, is dropped when it arrives and is not part of the
/// message; there are at most 64 KiB of it in a row. A header line has at most 1 KiB, and a header block at most 4 KiB and 16 lines.
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
    /// Count of bytes at the front of the buffer that are known to contain no line ending.
    scanned: usize,
    /// Count of white space bytes since the last message.
    blank: usize,
    header: Header,
    failed: Option<FramingError>,
}

impl Decoder {
    /// Creates a decoder for the start of a stream with messages of at most `max_message` bytes.
    pub fn new(framing: Framing, max_message: usize) -> Self {
        Self {
            framing,
            max_message,
            scanned: 0,
            blank: 0,
            header: Header::default(),
            failed: None,
        }
    }

    /// Removes the next complete message from the front of `buffer`, without copying it.
    ///
    /// `None` means that more bytes are needed. Call it until it returns `None`, because the buffer
    /// may hold several messages. With [`Framing::Newline`], only the first byte of a message is
    /// checked. With [`Framing::ContentLength`], nothing is checked, and a message may be empty.
    ///
    /// # Errors
    ///
    /// An error is returned at the first byte that makes it certain, even in the middle of a line.
    /// Every later call returns it again: nothing after it becomes a message.
    ///
    /// - [`FramingError::TooLong`]: more than `max_message` bytes have arrived without a line
    ///   ending, or are declared. A declared length is never allocated in advance.
    /// - [`FramingError::Blank`]: more than 64 KiB of white space follow each other between two
    ///   messages.
    /// - [`FramingError::NotJson`]: a line begins neither an object nor an array.
    /// - [`FramingError::BadHeader`]: a header violates the base protocol of LSP. Lines end in
    ///   `\r\n`; names are case-insensitive; `Content-Length` is required exactly once and consists
    ///   of digits; `Content-Type` may name no charset but `utf-8` (or `utf8`); other names are
    ///   ignored.
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

    /// Removes the next message after the end of the stream. Call it until it returns `None`.
    ///
    /// With [`Framing::Newline`], the last line needs no line ending.
    ///
    /// # Errors
    ///
    /// Those of [`decode`](Self::decode). With [`Framing::ContentLength`], also
    /// [`FramingError::Truncated`] if a header or a message is incomplete.
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

    /// Whether part of a message has arrived, once [`decode`](Self::decode) has returned `None`.
    ///
    /// A connection that is silent between messages is idle. One that is silent within a message is
    /// stalled, and should have a shorter timeout.
    pub fn is_partial(&self, buffer: &[u8]) -> bool {
        !buffer.is_empty() || self.header.lines > 0
    }

    /// Decodes [`Framing::Newline`].
    fn line(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FramingError> {
        if self.scanned == 0 {
            let blank = buffer
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
            let blank = blank.count();
            buffer.advance(blank);
            self.blank = self.blank.saturating_add(blank);
            if self.blank > MAX_BLANK {
                return Err(FramingError::Blank(MAX_BLANK));
            }
            match buffer.first() {
                None => return Ok(None),
                Some(b'{' | b'[') => self.blank = 0,
                Some(_) => return Err(FramingError::NotJson),
            }
        }
        // The longest valid line is the longest message and `\r\n`.
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
            // The `\r` exceeds the limit, but may turn out to be part of a line ending.
            Some(b'\r') if buffer.len() == self.max_message + 1 => Ok(None),
            Some(_) => Err(FramingError::TooLong(self.max_message)),
        }
    }

    /// Decodes [`Framing::ContentLength`].
    fn headed(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FramingError> {
        while !self.header.complete {
            let Some(end) = self.header.line_end(buffer, &mut self.scanned)? else {
                return Ok(None);
            };
            // The base protocol has only this line ending. If a bare `\n` were accepted, other
            // parsers could disagree on where the header ends.
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

/// Removes the trailing `\n` or `\r\n` of a line.
fn without_ending(mut line: BytesMut) -> Bytes {
    for ending in [b'\n', b'\r'] {
        if line.last() == Some(&ending) {
            line.truncate(line.len() - 1);
        }
    }
    line.freeze()
}

/// The position of the first `\n`. The compiler vectorizes the search in steps of a fixed size
/// without an early exit; `position` alone would search byte by byte.
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
