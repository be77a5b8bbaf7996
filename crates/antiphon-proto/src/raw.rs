//! Valid JSON text that is not decoded yet.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;

use crate::json_text::json_vec;
use crate::scan::Span;

/// A value may keep a message of up to this many bytes in memory, however small it is.
const SMALL_MESSAGE: usize = 4096;
/// A value may keep a message in memory that has up to this many times its length.
const SMALL_PART: usize = 8;

/// Valid JSON text, sliced from its message without a copy.
///
/// ```
/// use antiphon_proto::RawJson;
///
/// let raw = RawJson::from_value(&[1, 2]).unwrap();
/// assert_eq!(raw.as_str(), "[1,2]");
/// assert_eq!(raw.decode::<Vec<u8>>().unwrap(), [1, 2]);
/// ```
///
/// As a slice it keeps its whole message in memory; see [`compact`](Self::compact).
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Bytes);

impl RawJson {
    /// Serializes a value as JSON text.
    ///
    /// # Errors
    ///
    /// If the value has no JSON representation: it has a map with keys that are not strings, or its
    /// `Serialize` implementation fails.
    pub fn from_value<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        json_vec(value).map(|text| Self(text.into()))
    }

    pub(crate) fn cut(message: &Bytes, span: Span) -> Self {
        Self(message.slice(span.range()))
    }

    /// Releases the message of so many bytes that this was cut from, if this is only a small part of
    /// it: less than an eighth, of more than 4 KiB. The text is copied then.
    ///
    /// For values that are kept: otherwise a peer could have a few bytes keep megabytes in memory.
    #[must_use]
    pub fn compact(self, message: usize) -> Self {
        match self.kept(message) < message {
            true => Self(Bytes::copy_from_slice(&self.0)),
            false => self,
        }
    }

    /// A copy that keeps no message in memory.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }

    /// The bytes that it keeps in memory after [`compact`](Self::compact): its own, or those of the
    /// message.
    #[must_use]
    pub fn kept(&self, message: usize) -> usize {
        match message > SMALL_MESSAGE && self.0.len() < message / SMALL_PART {
            true => self.0.len(),
            false => message,
        }
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The parser has validated the message as UTF-8, and slices begin and end at ASCII
        // characters.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Deserializes the value as a `T`.
    ///
    /// # Errors
    ///
    /// If the text does not match `T`, or contains a number or string that the type cannot hold.
    pub fn decode<'de, T: Deserialize<'de>>(&'de self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<RawJson> for Bytes {
    fn from(raw: RawJson) -> Self {
        raw.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_part_of_a_large_message_is_copied() {
        for (part, message, copied) in [
            (1, 4096, false),
            (1, 4097, true),
            (511, 4097, true),
            (512, 4097, false),
            (100_000, 1_000_000, true),
            (125_000, 1_000_000, false),
            (0, 0, false),
        ] {
            let text = Bytes::from(vec![b'1'; message]);
            let slice = text.slice(..part);
            let at = slice.as_ptr();
            let raw = RawJson(slice);
            assert_eq!(raw.kept(message), if copied { part } else { message });
            let raw = raw.compact(message);
            assert_eq!(raw.as_str().len(), part);
            assert_eq!(raw.0.as_ptr() != at, copied, "{part} of {message}");
        }
    }
}
