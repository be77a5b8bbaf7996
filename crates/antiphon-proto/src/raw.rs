//! Valid JSON text that is not decoded yet.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;

use crate::scan::Span;

/// Valid JSON text, sliced from its message without a copy.
///
/// ```
/// use antiphon_proto::RawJson;
///
/// let raw = RawJson::from_value(&[1, 2]).unwrap();
/// assert_eq!(raw.as_str(), "[1,2]");
/// assert_eq!(raw.decode::<Vec<u8>>().unwrap(), [1, 2]);
/// ```
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
        serde_json::to_vec(value).map(|text| Self(text.into()))
    }

    pub(crate) fn cut(message: &Bytes, span: Span) -> Self {
        Self(message.slice(span.range()))
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
