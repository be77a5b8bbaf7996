//! Framing of messages on a byte stream.
//!
//! Raw streams (TCP, Unix sockets, pipes) have no messages of their own, so the two ends agree on a
//! [`Framing`]. A [`Decoder`] takes what has been received so far and gives back whole messages; it
//! neither reads nor waits, and it never looks further into a message than its first byte.
//!
//! Both framings end a connection at the first sign that the peer speaks something else. A browser
//! can be made to send a `POST` to any port, with a body of the attacker's choice: were the lines it
//! begins with skipped as noise, the body would run as a call.
//!
//! | file | what it does |
//! |---|---|
//! | `mod.rs` | [`Framing`] and its errors; encoding |
//! | `decoder.rs` | [`Decoder`]: decoding |
//! | `header.rs` | the header lines of [`Framing::ContentLength`] |

mod decoder;
mod header;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt::{self, Display, Write};
use std::str::FromStr;

use bytes::BytesMut;

pub use decoder::Decoder;

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
