//! Framing of messages on a byte stream.
//!
//! Byte streams (TCP, Unix sockets, pipes) have no message boundaries, so the two peers agree on a
//! [`Framing`]. A [`Decoder`] takes the received bytes and returns complete messages. It does no
//! I/O, and it inspects at most the first byte of a message.
//!
//! Both framings end a connection at the first sign that the peer speaks another protocol. A
//! browser can be made to send a `POST` to any port with a body that an attacker has chosen. If its
//! header lines were skipped as noise, the body would run as a call.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Framing`] and its errors; encoder |
//! | `decoder.rs` | [`Decoder`] |
//! | `header.rs` | header lines of [`Framing::ContentLength`] |

mod decoder;
mod header;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt::{self, Display, Write};
use std::str::FromStr;

use bytes::BytesMut;

pub use decoder::Decoder;

/// How messages are delimited on a byte stream.
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
    /// One message per line, terminated by `\n`; a preceding `\r` is removed. The format of JSON
    /// Lines.
    #[default]
    Newline,
    /// Header lines, an empty line, and a body of `Content-Length` bytes: the base protocol of the
    /// Language Server Protocol.
    ContentLength,
}

impl Framing {
    /// The name of the framing in addresses and options: `newline` or `content-length`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Newline => "newline",
            Self::ContentLength => "content-length",
        }
    }

    /// Appends `message` with its framing to `out`.
    ///
    /// `message` is one JSON text. With [`Framing::Newline`], raw line breaks in it become spaces,
    /// so that it stays on one line. JSON allows line breaks only between tokens (RFC 8259 §2 and
    /// §7), where a space has the same meaning.
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
                // Some parsers also end a line at a lone `\r` (Python's text files, for example),
                // so it is replaced as well.
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
                // Writing to a `BytesMut` does not fail: it grows, or the process aborts.
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

/// The error of parsing an unknown [`Framing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFraming(());

impl Display for UnknownFraming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown framing: it is `newline` or `content-length`")
    }
}

impl Error for UnknownFraming {}

/// Why a stream cannot be decoded any further.
///
/// After an error, the start of the next message is unknown or not trustworthy, so the connection
/// must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FramingError {
    /// A message, or its declared length, exceeds this limit in bytes.
    TooLong(usize),
    /// More than this many bytes of white space have come in a row, without a message.
    Blank(usize),
    /// The first byte of a line after white space begins neither an object nor an array.
    NotJson,
    /// A header line is malformed, missing, repeated or too long; the text says which.
    BadHeader(&'static str),
    /// The stream ended within a message or its header.
    Truncated,
}

impl FramingError {
    /// Whether the peer should get one parse error (−32700, id null) before the connection is
    /// closed.
    ///
    /// This is only the case for [`FramingError::NotJson`], so that a person who types into a raw
    /// port gets an answer. The other errors leave no message that could be answered.
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
            Self::Blank(limit) => {
                write!(
                    f,
                    "more than {limit} bytes of white space without a message"
                )
            }
            Self::NotJson => f.write_str("message begins with neither `{` nor `[`"),
            Self::BadHeader(reason) => write!(f, "bad message header: {reason}"),
            Self::Truncated => f.write_str("stream ended within a message"),
        }
    }
}

impl Error for FramingError {}
