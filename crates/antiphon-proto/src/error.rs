//! Error object of a response, and error codes (JSON-RPC 2.0, section 5.1).

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::printable::{Printable, PrintableJson};

/// An error code.
///
/// The set is open: programs choose their own codes outside −32768…−32000. The constants below are
/// reserved by the specification and by Antiphon.
///
/// ```
/// use antiphon_proto::ErrorCode;
///
/// const OUT_OF_STOCK: ErrorCode = ErrorCode(1404);
/// assert!(!OUT_OF_STOCK.is_reserved());
/// assert!(ErrorCode::METHOD_NOT_FOUND.is_reserved());
/// assert_eq!(ErrorCode::INVALID_PARAMS.to_string(), "-32602");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ErrorCode(pub i64);

impl ErrorCode {
    /// The message is not valid JSON (section 5.1).
    pub const PARSE_ERROR: Self = Self(-32700);
    /// The message is not a valid request object (section 5.1).
    pub const INVALID_REQUEST: Self = Self(-32600);
    /// The method does not exist, or is not available to this caller (section 5.1).
    pub const METHOD_NOT_FOUND: Self = Self(-32601);
    /// The parameters do not match the method (section 5.1).
    pub const INVALID_PARAMS: Self = Self(-32602);
    /// The method failed unexpectedly (section 5.1).
    pub const INTERNAL_ERROR: Self = Self(-32603);
    /// The server has reached a limit, usually that of calls in flight; try again later. The method
    /// has not run, or it was dropped when it had to wait for the first time. Calls that a stopping
    /// server aborts get this code, too, with another message.
    pub const OVERLOADED: Self = Self(-32000);
    /// The deadline of the call passed before it ended.
    pub const TIMEOUT: Self = Self(-32001);
    /// The result exceeds the limit of responses. The data tells how many bytes it may have:
    /// `{"maxBytes": 10485760}`.
    pub const RESPONSE_TOO_LARGE: Self = Self(-32003);
    /// The method needs a session or an event stream, and the call had neither.
    pub const NEEDS_SESSION: Self = Self(-32004);
    /// The caller has made more calls than its rate limit allows, or its address has presented too
    /// many credentials that were refused. The method has not run. The data tells when it would:
    /// `{"retryAfterMs": 250}`.
    pub const LIMIT_EXCEEDED: Self = Self(-32005);
    /// The method needs a caller who is known, and this one is not, or not any more. It has not run:
    /// clients may get a new token and call again, so a method should not return this code itself.
    pub const UNAUTHENTICATED: Self = Self(-32006);
    /// The caller is known, and lacks a scope that the method needs. The data names it, in the member
    /// `scope`.
    pub const FORBIDDEN: Self = Self(-32007);
    /// The caller cancelled the call (`RequestCancelled` in the Language Server Protocol).
    pub const CANCELLED: Self = Self(-32800);

    /// Whether the code is in −32768…−32000, which the specification reserves, or is
    /// [`CANCELLED`](Self::CANCELLED).
    #[must_use]
    pub fn is_reserved(self) -> bool {
        (-32768..=-32000).contains(&self.0) || self == Self::CANCELLED
    }

    /// The default message of a reserved code.
    fn default_message(self) -> &'static str {
        match self {
            Self::PARSE_ERROR => "Parse error",
            Self::INVALID_REQUEST => "Invalid Request",
            Self::METHOD_NOT_FOUND => "Method not found",
            Self::INVALID_PARAMS => "Invalid params",
            Self::INTERNAL_ERROR => "Internal error",
            Self::OVERLOADED => "Server overloaded",
            Self::TIMEOUT => "Request timed out",
            Self::RESPONSE_TOO_LARGE => "Response too large",
            Self::NEEDS_SESSION => "Method needs a session",
            Self::LIMIT_EXCEEDED => "Limit exceeded",
            Self::UNAUTHENTICATED => "Unauthenticated",
            Self::FORBIDDEN => "Forbidden",
            Self::CANCELLED => "Request cancelled",
            _ => "Server error",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<i64> for ErrorCode {
    fn from(code: i64) -> Self {
        Self(code)
    }
}

/// The error object of a response: a code, a message and optional data (JSON-RPC 2.0, section 5.1).
///
/// A method of a server returns it as the `E` of a `Result`. A client finds it in the error of a
/// call that was refused. Codes from −32768 to −32000 are reserved for the protocol, all others are
/// free; see [`ErrorCode`].
///
/// ```
/// use antiphon_proto::{ErrorCode, ErrorObject};
///
/// let error = ErrorObject::new(1404, "out of stock").with_data(&["bolts", "nuts"]);
/// assert_eq!(error.code(), ErrorCode(1404));
/// assert_eq!(error.message(), "out of stock");
/// assert_eq!(error.to_json(), r#"{"code":1404,"message":"out of stock","data":["bolts","nuts"]}"#);
///
/// let error = ErrorObject::invalid_params("division by zero");
/// assert_eq!(error.code(), ErrorCode::INVALID_PARAMS);
/// ```
///
/// The data is kept as JSON text, so the data that a peer has sent is passed on byte for byte.
#[derive(Clone)]
pub struct ErrorObject {
    code: ErrorCode,
    message: Cow<'static, str>,
    data: Option<Box<RawValue>>,
}

impl ErrorObject {
    /// Creates an error with a code of the program.
    pub fn new(code: impl Into<ErrorCode>, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            data: None,
        }
    }

    /// Creates the error of a reserved code, with the message from the specification.
    ///
    /// ```
    /// # use antiphon_proto::{ErrorCode, ErrorObject};
    /// let error = ErrorObject::of(ErrorCode::PARSE_ERROR);
    /// assert_eq!(error.to_json(), r#"{"code":-32700,"message":"Parse error"}"#);
    /// ```
    #[must_use]
    pub fn of(code: ErrorCode) -> Self {
        Self {
            code,
            message: Cow::Borrowed(code.default_message()),
            data: None,
        }
    }

    /// Error −32602 with a specific reason: `Invalid params: {reason}`.
    pub fn invalid_params(reason: impl fmt::Display) -> Self {
        Self::new(
            ErrorCode::INVALID_PARAMS,
            format!("Invalid params: {reason}"),
        )
    }

    /// Adds `data`, which gives details to programs.
    ///
    /// Data that cannot be serialized is omitted; the error itself stays.
    #[must_use]
    pub fn with_data<T: Serialize + ?Sized>(mut self, data: &T) -> Self {
        self.data = serde_json::value::to_raw_value(data).ok();
        self
    }

    /// The error of a result with more bytes than this: −32003, with the limit in its data.
    ///
    /// ```
    /// let error = antiphon_proto::ErrorObject::response_too_large(100);
    /// assert_eq!(error.data(), Some(r#"{"maxBytes":100}"#));
    /// ```
    pub fn response_too_large(max: usize) -> Self {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Limit {
            max_bytes: usize,
        }
        Self::of(ErrorCode::RESPONSE_TOO_LARGE).with_data(&Limit { max_bytes: max })
    }

    /// The error code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The message, one sentence for people. A peer's message is here as it came; a terminal or a log
    /// should get it as [`Printable`].
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The JSON text of `data`, if there is any.
    #[must_use]
    pub fn data(&self) -> Option<&str> {
        self.data.as_deref().map(RawValue::get)
    }

    /// `data` as a `T`; `None` if it is missing or does not match `T`.
    #[must_use]
    pub fn data_as<'de, T: Deserialize<'de>>(&'de self) -> Option<T> {
        serde_json::from_str(self.data()?).ok()
    }

    /// The object as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    /// Appends the object as JSON text.
    pub fn write(&self, out: &mut Vec<u8>) {
        let wire = WireOut {
            code: self.code.0,
            message: &self.message,
            data: self.data.as_deref(),
        };
        // Cannot fail: the object has only a number, a string and raw JSON text.
        let _ = serde_json::to_writer(out, &wire);
    }

    /// Parses an error object. Returns `None` if the text is not an object, if `code` is not an
    /// integer, or if `message` is not a string.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        // Derived `Deserialize` would accept an array for the struct as well.
        if !text.trim_start().starts_with('{') {
            return None;
        }
        let wire: WireIn = serde_json::from_str(text).ok()?;
        Some(Self {
            code: ErrorCode(wire.code),
            message: Cow::Owned(wire.message),
            data: wire.data,
        })
    }
}

#[derive(Serialize)]
struct WireOut<'a> {
    code: i64,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireIn {
    code: i64,
    message: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

impl fmt::Debug for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&PrintableJson(&self.to_json()), f)
    }
}

/// The message and the code on one line. The message may be a peer's: it is shown as by
/// [`Printable`], and [`message`](ErrorObject::message) has it unchanged.
impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", Printable(&self.message), self.code)
    }
}

impl std::error::Error for ErrorObject {}

impl PartialEq for ErrorObject {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code && self.message == other.message && self.data() == other.data()
    }
}

impl From<ErrorCode> for ErrorObject {
    fn from(code: ErrorCode) -> Self {
        Self::of(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_object_survives_the_wire() {
        for text in [
            r#"{"code":1,"message":"m"}"#,
            r#"{"code":-32602,"message":"é\n","data":{"a":[1,2]}}"#,
            r#"{"code":1,"message":"m","data":1e400}"#,
        ] {
            let error = ErrorObject::from_json(text).unwrap();
            assert_eq!(error.to_json(), text);
        }
    }

    #[test]
    fn what_is_no_error_object_is_refused() {
        for text in [
            "{}",
            "null",
            r#"[1,"m",null]"#,
            r#"{"code":"1","message":"m"}"#,
            r#"{"code":1}"#,
            r#"{"code":1.5,"message":"m"}"#,
        ] {
            assert_eq!(ErrorObject::from_json(text), None, "{text}");
        }
    }

    #[test]
    fn an_error_of_a_peer_is_shown_on_one_line() {
        let error = ErrorObject::new(7, "a\n\u{1b}[2J\u{202e}b").with_data("\u{202e}\u{9b}");
        assert_eq!(error.to_string(), "a\\n\\u{1b}[2J\\u{202e}b (7)");
        assert_eq!(
            format!("{error:?}"),
            r#"{"code":7,"message":"a\n\u001b[2J\u202eb","data":"\u202e\u009b"}"#
        );
    }

    #[test]
    fn data_that_cannot_be_json_is_left_out() {
        let not_json = std::collections::HashMap::from([((1, 2), 3)]);
        let error = ErrorObject::new(1, "m").with_data(&not_json);
        assert_eq!(error.to_json(), r#"{"code":1,"message":"m"}"#);
    }
}
