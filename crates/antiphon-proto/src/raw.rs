//! Part of a message that is known to be JSON and is not decoded yet.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;

use crate::scan::Span;

/// JSON text that has passed the grammar, cut out of the message it came in without a copy.
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
    /// Writes a value as JSON text.
    ///
    /// # Errors
    ///
    /// When the value has no JSON form: a map whose keys are not strings, or its own `Serialize`
    /// fails.
    pub fn from_value<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_vec(value).map(|text| Self(text.into()))
    }

    pub(crate) fn cut(message: &Bytes, span: Span) -> Self {
        Self(message.slice(span.range()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Checked as UTF-8 when the message was parsed, and cut at quotes, brackets and digits.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The value as a `T`.
    ///
    /// # Errors
    ///
    /// When the text is not a `T`, or has a number or string that the type cannot hold.
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
