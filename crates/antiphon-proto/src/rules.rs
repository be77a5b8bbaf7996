//! Rules for valid messages, and reasons to reject a message as a whole.

use std::fmt;

use crate::error::{ErrorCode, ErrorObject};

/// Rules for valid messages.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rules {
    /// Maximum count of entries in a batch.
    pub max_batch: usize,
    /// Maximum count of JSON values in a message: objects, arrays, strings, numbers, `true`, `false`
    /// and `null`, but not the names of members.
    pub max_values: usize,
    /// Required value of the member `jsonrpc`.
    pub version: String,
}

impl Default for Rules {
    /// At most 100 entries per batch and 1,000,000 values, and version `2.0`.
    fn default() -> Self {
        Self {
            max_batch: 100,
            max_values: 1_000_000,
            version: "2.0".to_owned(),
        }
    }
}

impl Rules {
    /// Sets the batch limit.
    #[must_use]
    pub fn max_batch(mut self, max: usize) -> Self {
        self.max_batch = max;
        self
    }

    /// Sets the limit of values.
    #[must_use]
    pub fn max_values(mut self, max: usize) -> Self {
        self.max_values = max;
        self
    }

    /// Sets the version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }
}

/// Why a message was rejected as a whole. The response is one error with the id null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// Not UTF-8, not JSON, or nested deeper than 128 brackets.
    Syntax {
        /// Offset of the first invalid byte.
        at: usize,
    },
    /// More values than [`Rules::max_values`]. The text after the first value too many was not read.
    TooManyValues,
    /// Valid JSON, but neither an object nor an array.
    NotAnObject,
    /// An empty batch: `[]`.
    EmptyBatch,
    /// A batch with more entries than [`Rules::max_batch`].
    BatchTooLong,
}

impl Rejection {
    /// The error for the response. It has no details, which are only for a log.
    ///
    /// ```
    /// use antiphon_proto::{Rules, parse};
    ///
    /// let rejection = parse("{\"jsonrpc\"".into(), &Rules::default()).unwrap_err();
    /// assert_eq!(rejection.error().to_json(), r#"{"code":-32700,"message":"Parse error"}"#);
    /// ```
    #[must_use]
    pub fn error(self) -> ErrorObject {
        ErrorObject::of(match self {
            Self::Syntax { .. } | Self::TooManyValues => ErrorCode::PARSE_ERROR,
            Self::NotAnObject | Self::EmptyBatch | Self::BatchTooLong => ErrorCode::INVALID_REQUEST,
        })
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { at } => write!(f, "not JSON, or nested too deep, at byte {at}"),
            Self::TooManyValues => f.write_str("too many JSON values"),
            Self::NotAnObject => f.write_str("neither an object nor an array"),
            Self::EmptyBatch => f.write_str("an empty batch"),
            Self::BatchTooLong => f.write_str("a batch with too many entries"),
        }
    }
}

impl std::error::Error for Rejection {}
