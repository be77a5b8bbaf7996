//! Data of errors that tell more: the time to wait, and the scopes that are missing.

use std::time::Duration;

use serde::Deserialize;

use crate::error::{ErrorCode, ErrorObject};

impl ErrorObject {
    /// The time after which a call may be made again, if the error tells: the member `retryAfterMs` in
    /// its data. Antiphon's servers tell it with [`LIMIT_EXCEEDED`](ErrorCode::LIMIT_EXCEEDED), and
    /// with [`OVERLOADED`](ErrorCode::OVERLOADED) if there is no memory for the response.
    ///
    /// ```
    /// use std::time::Duration;
    /// use antiphon_proto::ErrorObject;
    ///
    /// let error = r#"{"code":-32005,"message":"Limit exceeded","data":{"retryAfterMs":250}}"#;
    /// let error = ErrorObject::from_json(error).unwrap();
    /// assert_eq!(error.retry_after(), Some(Duration::from_millis(250)));
    /// ```
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            retry_after_ms: u64,
        }
        let Data { retry_after_ms } = self.data_as()?;
        Some(Duration::from_millis(retry_after_ms))
    }

    /// The scopes that the caller lacks, separated by spaces, if this is
    /// [`FORBIDDEN`](ErrorCode::FORBIDDEN) and tells them: the member `scope` in its data. It is a
    /// peer's text.
    ///
    /// ```
    /// use antiphon_proto::ErrorObject;
    ///
    /// let error = r#"{"code":-32007,"message":"Forbidden","data":{"scope":"calc:random"}}"#;
    /// let error = ErrorObject::from_json(error).unwrap();
    /// assert_eq!(error.missing_scope().as_deref(), Some("calc:random"));
    /// ```
    #[must_use]
    pub fn missing_scope(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Data {
            scope: String,
        }
        if self.code() != ErrorCode::FORBIDDEN {
            return None;
        }
        let Data { scope } = self.data_as()?;
        Some(scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_of_another_form_tells_nothing() {
        for (code, data, wait, scope) in [
            (-32005, r#"{"retryAfterMs":0}"#, Some(0), None),
            (-32000, r#"{"a":1,"retryAfterMs":7}"#, Some(7), None),
            (-32005, r#"{"retryAfterMs":"soon"}"#, None, None),
            (-32005, r#"{"retryAfterMs":-1}"#, None, None),
            (-32005, r#"{"retryAfterMs":1.5}"#, None, None),
            (-32005, "7", None, None),
            (-32005, "null", None, None),
            (-32007, r#"{"scope":"a b"}"#, None, Some("a b")),
            (-32007, r#"{"scope":1}"#, None, None),
            (-32007, r#""a""#, None, None),
            (-32006, r#"{"scope":"a"}"#, None, None),
        ] {
            let text = format!(r#"{{"code":{code},"message":"m","data":{data}}}"#);
            let error = ErrorObject::from_json(&text).unwrap();
            assert_eq!(
                error.retry_after(),
                wait.map(Duration::from_millis),
                "{text}"
            );
            assert_eq!(error.missing_scope().as_deref(), scope, "{text}");
        }
        assert_eq!(ErrorObject::of(ErrorCode::FORBIDDEN).missing_scope(), None);
        assert_eq!(
            ErrorObject::of(ErrorCode::LIMIT_EXCEEDED).retry_after(),
            None
        );
    }
}
