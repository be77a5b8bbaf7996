//! Cuts messages out of a byte stream, and puts them in.
//!
//! Raw streams (TCP, Unix sockets, pipes) have no messages of their own, so the two ends agree on a
//! [`Framing`]. A [`Decoder`] takes what has been received so far and gives back whole messages; it
//! neither reads nor waits, and it never looks further into a message than its first byte.
//!
//! Both framings end a connection at the first sign that the peer speaks something else. A browser
//! can be made to send a `POST` to any port, with a body of the attacker's choice: were the lines it
//! begins with skipped as noise, the body would run as a call.

use std::error::Error;
use std::fmt::{self, Display, Write};
use std::str::FromStr;

use bytes::{Buf, Bytes, BytesMut};

/// Longest header line of [`Framing::ContentLength`] in bytes, without its line ending.
const MAX_HEADER_LINE: usize = 1024;
/// Longest header block in bytes, line endings included.
const MAX_HEADER_BLOCK: usize = 4096;
/// Most header lines of one message.
const MAX_HEADER_LINES: usize = 16;

/// How messages are told apart on a byte stream.
///
/// # Examples
///
/// ```
/// use antiphon_proto::framing::Framing;
///
/// assert_eq!("content-length".parse(), Ok(Framing::ContentLength));
/// assert_eq!(Framing::default().to_string(), "newline");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// One message a line, ended by `\n`; a `\r` before it is dropped. The framing of JSON Lines.
    #[default]
    Newline,
    /// Header lines, an empty line and as many bytes as `Content-Length` says: the base protocol of
    /// the Language Server Protocol.
    ContentLength,
}

impl Framing {
    /// The word for this framing in addresses and options: `newline` or `content-length`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newline => "newline",
            Self::ContentLength => "content-length",
        }
    }

    /// Appends `message` to `out`, framed.
    ///
    /// `message` is one JSON text. On [`Framing::Newline`] raw line breaks in it become spaces, so
    /// that it stays one line: JSON allows them only between tokens (RFC 8259 §2 and §7), where a
    /// space means the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use antiphon_proto::framing::Framing;
    /// use bytes::BytesMut;
    ///
    /// let mut out = BytesMut::new();
    /// Framing::Newline.encode(b"{\n\"a\":1}", &mut out);
    /// Framing::ContentLength.encode(b"[1]", &mut out);
    /// assert_eq!(out, "{ \"a\":1}\nContent-Length: 3\r\n\r\n[1]");
    /// ```
    pub fn encode(self, message: &[u8], out: &mut BytesMut) {
        match self {
            Self::Newline => {
                out.reserve(message.len() + 1);
                let start = out.len();
                out.extend_from_slice(message);
                // A lone `\r` ends a line for some readers (Python's text files among them), so it
                // goes as well.
                for byte in &mut out[start..] {
                    *byte = if matches!(byte, b'\n' | b'\r') {
                        b' '
                    } else {
                        *byte
                    };
                }
                out.extend_from_slice(b"\n");
            }
            Self::ContentLength => {
                // Writing to a growing buffer does not fail: it grows or the process ends.
                let _ = write!(out, "Content-Length: {}\r\n\r\n", message.len());
                out.extend_from_slice(message);
            }
        }
    }
}

impl Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Framing {
    type Err = UnknownFraming;

    fn from_str(word: &str) -> Result<Self, UnknownFraming> {
        match word {
            "newline" => Ok(Self::Newline),
            "content-length" => Ok(Self::ContentLength),
            _ => Err(UnknownFraming(())),
        }
    }
}

/// The error of reading a [`Framing`] from a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFraming(());

impl Display for UnknownFraming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown framing: it is `newline` or `content-length`")
    }
}

impl Error for UnknownFraming {}

/// Why a stream cannot be cut into messages any further.
///
/// After one of these the place where the next message begins is unknown, or not to be trusted, so
/// the connection has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FramingError {
    /// A message is longer, or declared longer, than the limit given here in bytes.
    TooLong(usize),
    /// The first byte of a line, after white space, begins neither an object nor an array.
    NotJson,
    /// A header line is malformed, missing, repeated or too long; the text says which.
    BadHeader(&'static str),
    /// The stream ended within a message or its header.
    Truncated,
}

impl FramingError {
    /// Whether the peer is due one parse error (−32700, id null) before the connection closes.
    ///
    /// Only [`FramingError::NotJson`] is: a person who types into a raw port deserves an answer. With
    /// the other errors no message arrived that could be answered.
    ///
    /// # Examples
    ///
    /// ```
    /// use antiphon_proto::framing::FramingError;
    ///
    /// assert!(FramingError::NotJson.is_answered());
    /// assert!(!FramingError::Truncated.is_answered());
    /// ```
    pub const fn is_answered(self) -> bool {
        matches!(self, Self::NotJson)
    }
}

impl Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(limit) => write!(f, "message longer than {limit} bytes"),
            Self::NotJson => f.write_str("message begins with neither `{` nor `[`"),
            Self::BadHeader(reason) => write!(f, "bad message header: {reason}"),
            Self::Truncated => f.write_str("stream ended within a message"),
        }
    }
}

impl Error for FramingError {}

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

/// What is known of the header of a message that has begun. Lines leave the buffer as they are read.
#[derive(Debug, Default)]
struct Header {
    lines: usize,
    bytes: usize,
    /// Whether the name of the line at the front of the buffer has ended.
    named: bool,
    length: Option<usize>,
    /// Whether the empty line has been read: `length` bytes of body are next.
    complete: bool,
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

impl Header {
    /// Finds the `\n` of the line at the front, and refuses a line as soon as it cannot be a header.
    fn line_end(
        &mut self,
        buffer: &BytesMut,
        scanned: &mut usize,
    ) -> Result<Option<usize>, FramingError> {
        for (at, &byte) in buffer.iter().enumerate().skip(*scanned) {
            if self.bytes + at >= MAX_HEADER_BLOCK {
                return Err(FramingError::BadHeader("more than 4 KiB"));
            }
            match byte {
                b'\n' => {
                    self.named = false;
                    return Ok(Some(at));
                }
                // The line ending may follow the longest line.
                b'\r' if at <= MAX_HEADER_LINE && (self.named || at == 0) => {}
                _ if at >= MAX_HEADER_LINE => {
                    return Err(FramingError::BadHeader("line longer than 1 KiB"));
                }
                b':' if at > 0 => self.named = true,
                _ if self.named || is_token(byte) => {}
                _ => return Err(FramingError::BadHeader("line is not `name: value`")),
            }
        }
        *scanned = buffer.len();
        Ok(None)
    }

    /// Reads one line, given without its ending.
    fn read(&mut self, line: &[u8], max_message: usize) -> Result<(), FramingError> {
        if line.is_empty() {
            self.complete = true;
            return match self.length {
                Some(_) => Ok(()),
                None => Err(FramingError::BadHeader("no Content-Length")),
            };
        }
        self.lines += 1;
        if self.lines > MAX_HEADER_LINES {
            return Err(FramingError::BadHeader("more than 16 lines"));
        }
        // Also a lone `\r`, which some readers take for the end of the line.
        if line
            .iter()
            .any(|&byte| byte.is_ascii_control() && byte != b'\t')
        {
            return Err(FramingError::BadHeader("control character in a line"));
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return Err(FramingError::BadHeader("line is not `name: value`"));
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.is_some() {
                return Err(FramingError::BadHeader("more than one Content-Length"));
            }
            let length = parse_length(value).ok_or(FramingError::BadHeader(
                "Content-Length is not a number of bytes",
            ))?;
            // What exceeds this platform's `usize` exceeds every limit as well.
            self.length = match usize::try_from(length) {
                Ok(length) if length <= max_message => Some(length),
                _ => return Err(FramingError::TooLong(max_message)),
            };
        } else if name.eq_ignore_ascii_case(b"content-type") && !is_utf8(value) {
            return Err(FramingError::BadHeader("charset is not utf-8"));
        }
        Ok(())
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

/// Digits alone: `parse` would take a plus sign. `None` also for what exceeds 64 bits.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

/// The characters of a header name (RFC 9110 §5.6.2, to which the base protocol refers).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Whether a media type names no charset, or the only one that JSON has. `utf8` is what early
/// versions of LSP wrote.
fn is_utf8(media_type: &[u8]) -> bool {
    media_type
        .split(|&byte| byte == b';')
        .skip(1)
        .all(|parameter| {
            let equals = parameter.iter().position(|&byte| byte == b'=');
            let (name, value) = parameter.split_at(equals.unwrap_or(parameter.len()));
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            let value = value.strip_suffix(b"\"").unwrap_or(value);
            !name.trim_ascii().eq_ignore_ascii_case(b"charset")
                || value.eq_ignore_ascii_case(b"utf-8")
                || value.eq_ignore_ascii_case(b"utf8")
        })
}

#[cfg(test)]
mod tests {
    use super::FramingError::{BadHeader, NotJson, TooLong, Truncated};
    use super::*;

    /// What a stream comes to: its messages, and how it ended.
    type Outcome = (Vec<Bytes>, Result<(), FramingError>);
    /// A stream, its messages joined by `|`, and how it ends.
    type Row = (&'static [u8], &'static str, Result<(), FramingError>);

    fn run<'a>(
        framing: Framing,
        max: usize,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Outcome {
        let (mut decoder, mut buffer) = (Decoder::new(framing, max), BytesMut::new());
        let mut messages = Vec::new();
        for piece in pieces {
            buffer.extend_from_slice(piece);
            loop {
                match decoder.decode(&mut buffer) {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => break,
                    Err(error) => {
                        assert_eq!(decoder.finish(&mut buffer), Err(error), "an error stays");
                        return (messages, Err(error));
                    }
                }
            }
        }
        loop {
            match decoder.finish(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => return (messages, Ok(())),
                Err(error) => return (messages, Err(error)),
            }
        }
    }

    /// Whole, byte by byte and cut in two at every offset, with the same outcome each time. The limit
    /// is 8 bytes.
    fn check(framing: Framing, (input, messages, end): Row) {
        let messages = messages.split_terminator('|').map(Bytes::from).collect();
        let (expected, shown) = ((messages, end), input.escape_ascii());
        assert_eq!(run(framing, 8, [input]), expected, "{shown}");
        assert_eq!(
            run(framing, 8, input.chunks(1)),
            expected,
            "{shown} by bytes"
        );
        for cut in 0..input.len() {
            let (head, tail) = input.split_at(cut);
            assert_eq!(
                run(framing, 8, [head, tail]),
                expected,
                "{shown} cut at {cut}"
            );
        }
    }

    #[test]
    #[rustfmt::skip]
    fn lines() {
        let rows: &[Row] = &[
            (b"",                                        "",             Ok(())),
            (b"[1]\n",                                   "[1]",          Ok(())),
            (b"[1]\r\n{}\n[2]\n",                        "[1]|{}|[2]",   Ok(())),
            (b"\n \t\r\n  [1] \n\n",                    "[1] ",         Ok(())),
            (b"[1]\n[2]",                                "[1]|[2]",      Ok(())),
            (b"[1]\r",                                   "[1]",          Ok(())),
            (b"[1]\n \r",                                "[1]",          Ok(())),
            (b"[234567]\n{}\n",                          "[234567]|{}",  Ok(())),
            (b"[234567]\r\n{}\n",                        "[234567]|{}",  Ok(())),
            (b"[234567]\r",                              "[234567]",     Ok(())),
            (b"            [234567]",                    "[234567]",     Ok(())),
            (b"[2345678]\n",                             "",             Err(TooLong(8))),
            (b"[2345678]\r\n",                           "",             Err(TooLong(8))),
            (b"[2345678]",                               "",             Err(TooLong(8))),
            (b"[234567]\r\r",                            "",             Err(TooLong(8))),
            (b"{}\n[234567] {}\n",                       "{}",           Err(TooLong(8))),
            (b"{\n}\n",                                  "{",            Err(NotJson)),
            (b"{}\n 1\n{}\n",                            "{}",           Err(NotJson)),
            (b"\xEF\xBB\xBF{}\n",                        "",             Err(NotJson)),
            (b"POST / HTTP/1.1\r\n\r\n{}\n",             "",             Err(NotJson)),
        ];
        rows.iter().for_each(|row| check(Framing::Newline, *row));
    }

    #[test]
    #[rustfmt::skip]
    fn headed_messages() {
        let rows: &[Row] = &[
            (b"",                                                                "",         Ok(())),
            (b"Content-Length: 2\r\n\r\n{}",                                     "{}",       Ok(())),
            (b"content-LENGTH:2\r\n\r\n{}CONTENT-length: \t3 \r\n\r\n[1]",       "{}|[1]",   Ok(())),
            (b"Content-Length: 0\r\n\r\n",                                       "|",        Ok(())),
            (b"Content-Length: 4\r\n\r\n{\r\n}",                                 "{\r\n}",   Ok(())),
            (b"Content-Type: a/b; Charset=\"UTF-8\"\r\nContent-Length: 2\r\n\r\n{}", "{}",     Ok(())),
            (b"Content-Length: 2\r\nContent-Type: a/b;charset=utf8; x\r\n\r\n{}", "{}",       Ok(())),
            (b"X-Other: any: thing\r\nContent-Length: 008\r\n\r\n[234567]",      "[234567]", Ok(())),
            (b"Content-Length: 9\r\n\r\n",                                       "",         Err(TooLong(8))),
            (b"Content-Length: 18446744073709551615\r\n",                        "",         Err(TooLong(8))),
            (b"Content-Length: 3\r\n\r\n{}",                                     "",         Err(Truncated)),
            (b"Content-Length: 2\r\n\r\n{}C",                                    "{}",       Err(Truncated)),
            (b"Content-Length: 2\r\n\r\n",                                       "",         Err(Truncated)),
            (b"Content-Length: 2\r\n",                                           "",         Err(Truncated)),
            (b"Content-Length: 2\r\n\r",                                         "",         Err(Truncated)),
        ];
        rows.iter().for_each(|row| check(Framing::ContentLength, *row));
    }

    #[test]
    #[rustfmt::skip]
    fn hostile_headers() {
        let rows: &[(&'static [u8], &'static str)] = &[
            (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",  "line is not `name: value`"),
            (b"{\"jsonrpc\":\"2.0\"}",                            "line is not `name: value`"),
            (b"X: 1\r\nPOST http://a/ HTTP/1.1\r\n",             "line is not `name: value`"),
            (b": 2\r\n",                                         "line is not `name: value`"),
            (b"Content-Length : 2\r\n",                          "line is not `name: value`"),
            (b" Content-Length: 2\r\n",                          "line is not `name: value`"),
            (b"Content-Length\r\n",                              "line is not `name: value`"),
            (b"Content-Length: 2\n\n{}",                         "line not ended by CR LF"),
            (b"Content-Length: 2\r\n\n{}",                       "line not ended by CR LF"),
            (b"\rX: 1\r\n",                                      "control character in a line"),
            (b"X: 1\rContent-Length: 2\r\n",                     "control character in a line"),
            (b"X: \0\r\n",                                       "control character in a line"),
            (b"\r\n",                                            "no Content-Length"),
            (b"Content-Type: a/b\r\n\r\n",                       "no Content-Length"),
            (b"Content-Type: a/b; charset=utf-16\r\n",           "charset is not utf-8"),
            (b"Content-Type: a/b; charset\r\n",                  "charset is not utf-8"),
            (b"Content-Length: 2\r\ncontent-length: 2\r\n",      "more than one Content-Length"),
            (b"Content-Length: -2\r\n",                          "Content-Length is not a number of bytes"),
            (b"Content-Length: +2\r\n",                          "Content-Length is not a number of bytes"),
            (b"Content-Length: 0x2\r\n",                         "Content-Length is not a number of bytes"),
            (b"Content-Length: 2, 2\r\n",                        "Content-Length is not a number of bytes"),
            (b"Content-Length:\r\n",                             "Content-Length is not a number of bytes"),
            (b"Content-Length: 18446744073709551616\r\n",        "Content-Length is not a number of bytes"),
        ];
        for &(input, reason) in rows {
            check(Framing::ContentLength, (input, "", Err(BadHeader(reason))));
        }
    }

    #[test]
    fn header_caps() {
        let line = |length: usize| format!("X:{}\r\n", "x".repeat(length - 2)).into_bytes();
        // 4 lines of 1002 bytes, the last one, and `Content-Length: 2` with the empty line.
        let block = |last| [line(1000).repeat(4), line(last)].concat();
        let fits = 4096 - 4 * 1002 - 2 - 21;
        for (header, end) in [
            (line(1024), Ok(())),
            (line(1025), Err(BadHeader("line longer than 1 KiB"))),
            (b"x".repeat(1025), Err(BadHeader("line longer than 1 KiB"))),
            (line(3).repeat(15), Ok(())),
            (line(3).repeat(16), Err(BadHeader("more than 16 lines"))),
            (block(fits), Ok(())),
            (block(fits + 1), Err(BadHeader("more than 4 KiB"))),
        ] {
            let input = [&header[..], b"Content-Length: 2\r\n\r\n{}"].concat();
            let outcome = run(Framing::ContentLength, 8, [&input[..]]);
            assert_eq!(outcome.1, end, "{}", header.len());
            assert_eq!(run(Framing::ContentLength, 8, input.chunks(1)), outcome);
        }
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        let text = "{\r\n\"a\"\n:1}";
        for (framing, expected) in [
            (Framing::Newline, "{  \"a\" :1}"),
            (Framing::ContentLength, text),
        ] {
            assert_eq!(framing.as_str().parse(), Ok(framing));
            let mut out = BytesMut::new();
            framing.encode(b"[1]", &mut out);
            framing.encode(text.as_bytes(), &mut out);
            let place = out.as_ptr_range();
            assert_eq!(
                run(framing, 64, [&out[..]]),
                (vec!["[1]".into(), expected.into()], Ok(()))
            );

            let message = Decoder::new(framing, 8).decode(&mut out).unwrap().unwrap();
            assert!(place.contains(&message.as_ptr()), "{framing} copies");
        }
        assert_eq!("Newline".parse::<Framing>(), Err(UnknownFraming(())));
    }

    /// Takes minutes instead of moments if every call begins its search anew.
    #[test]
    fn a_long_line_in_small_pieces_is_read_once() {
        let line = [&b"["[..], &b" ".repeat(1 << 20), b"]"].concat();
        let (messages, end) = run(Framing::Newline, line.len(), line.chunks(1));
        assert_eq!(
            (messages.len(), messages[0].len(), end),
            (1, line.len(), Ok(()))
        );
    }

    #[test]
    fn chunking_never_changes_the_outcome() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        let lines = b"{\"id\":1}\r\n\n[1,2]\n  {\"a\": [3]} \n{}";
        let headed = b"Content-Length: 5\r\nContent-Type: a/b; charset=utf-8\r\n\r\n[1,2]\
            content-length:2\r\n\r\n{}X-A: b\r\nContent-Length: 12\r\n\r\n{\"a\": [3, 4]}";
        let spice = b"\n\r:;{[ 09-xC\0\xFF";
        let mut good = 0;
        for round in 0..10_000 {
            let (framing, seed) = match round % 2 {
                0 => (Framing::Newline, &lines[..]),
                _ => (Framing::ContentLength, &headed[..]),
            };
            let mut input = seed.to_vec();
            for _ in 0..random(4) {
                let (at, byte) = (random(input.len()), spice[random(spice.len())]);
                match random(4) {
                    0 => input[at] = byte,
                    1 => input.insert(at, byte),
                    2 => drop(input.remove(at)),
                    _ => input.extend_from_within(at..),
                }
            }
            let whole = run(framing, 14, [&input[..]]);
            let (mut rest, mut pieces) = (&input[..], Vec::new());
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at(1 + random(rest.len().min(24)));
                pieces.push(piece);
                rest = tail;
            }
            assert_eq!(
                run(framing, 14, pieces),
                whole,
                "{framing}: {}",
                input.escape_ascii()
            );
            good += usize::from(whole.1.is_ok());
        }
        // Mutations that always failed, or never, would prove little.
        assert!((2_000..8_000).contains(&good), "{good}");
    }
}
