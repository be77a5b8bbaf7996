//! Id of a call, kept as its original JSON text (JSON-RPC 2.0, section 4).

use std::fmt;

use bytes::Bytes;

use crate::printable::PrintableJson;

/// Maximum length of the JSON text of an id, in bytes.
pub const MAX_ID_LEN: usize = 256;

/// A JSON-RPC id as JSON text: a string, a number or null.
///
/// Two ids are equal if their texts are equal: `1`, `1.0` and `"1"` are three different ids. An id
/// is never parsed into a number, so `1e400` and numbers of 30 digits are returned unchanged.
///
/// ```
/// use antiphon_proto::Id;
///
/// assert_eq!(Id::from(7).as_str(), "7");
/// assert_eq!(Id::from("x\"y").as_str(), r#""x\"y""#);
/// assert_eq!(Id::from_json("1.50").unwrap().as_str(), "1.50");
/// assert_eq!(Id::from_json("true"), None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id(Box<str>);

impl Id {
    /// The id `null`.
    #[must_use]
    pub fn null() -> Self {
        Self("null".into())
    }

    /// Creates an id from JSON text. Returns `None` unless the text is a string, a number or null
    /// of at most [`MAX_ID_LEN`] bytes.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        let mut scanner = crate::scan::Scanner::<false>::new(text.as_bytes(), 1);
        let whole = scanner.value().is_ok() && scanner.at() == text.len();
        (whole && is_valid(text.as_bytes())).then(|| Self(text.into()))
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the id is `null`, which identifies no call.
    #[must_use]
    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }
}

/// Whether the JSON value is a valid id. The value must be well-formed JSON.
pub(crate) fn is_valid(value: &[u8]) -> bool {
    value.len() <= MAX_ID_LEN && matches!(value.first(), Some(b'"' | b'-' | b'0'..=b'9' | b'n'))
}

impl From<u64> for Id {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

impl From<&str> for Id {
    /// Creates a string id. A peer rejects ids whose JSON text is longer than [`MAX_ID_LEN`] bytes.
    fn from(text: &str) -> Self {
        Self(serde_json::Value::from(text).to_string().into())
    }
}

impl From<String> for Id {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl AsRef<[u8]> for Id {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl From<&Id> for Bytes {
    fn from(id: &Id) -> Self {
        Self::copy_from_slice(id.0.as_bytes())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The JSON text for a log or a terminal: what is [not printable](crate::is_printable) is escaped.
/// A message needs the bytes of [`as_str`](Id::as_str).
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&PrintableJson(&self.0), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strings_numbers_and_null_are_ids() {
        for good in ["1", "-1", "1e400", "\"\"", "\"\\ud800\"", "null"] {
            assert!(Id::from_json(good).is_some(), "{good}");
        }
        for bad in [
            "true", "false", "[]", "{}", "", " 1", "1 ", "01", "nul", "\"a",
        ] {
            assert!(Id::from_json(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_id_has_a_length_limit() {
        let of = |n: usize| format!("\"{}\"", "x".repeat(n - 2));
        assert!(Id::from_json(&of(MAX_ID_LEN)).is_some());
        assert!(Id::from_json(&of(MAX_ID_LEN + 1)).is_none());
    }
}
