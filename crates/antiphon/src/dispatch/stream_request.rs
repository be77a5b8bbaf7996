//! Request for a stream, made of texts that are no message yet.

use antiphon_proto::message::{Extras, write_request_with};
use antiphon_proto::{ErrorCode, ErrorObject};
use bytes::Bytes;
use serde::de::IgnoredAny;

/// The request that calls this method with the id 1. `params` is JSON text, `after` a cursor.
///
/// # Errors
///
/// −32700 if `params` is anything but one JSON value: it cannot add members, nor end the message.
pub(crate) fn stream_request(
    method: &str,
    params: Option<&str>,
    after: Option<&str>,
) -> Result<Bytes, ErrorObject> {
    let is_value = |params: &str| serde_json::from_str::<IgnoredAny>(params).is_ok();
    if !params.is_none_or(is_value) {
        let reason = "`params` is no JSON text";
        return Err(ErrorObject::new(ErrorCode::PARSE_ERROR, reason));
    }
    let mut text = Vec::new();
    let extras = Extras {
        after,
        ..Extras::default()
    };
    write_request_with(&mut text, "2.0", Some("1"), method, params, extras);
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_where_they_belong() {
        let text = |method: &str, params: Option<&str>, after: Option<&str>| {
            let request = stream_request(method, params, after);
            let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
            request.map(text).map_err(|error| error.code())
        };
        let head = r#"{"jsonrpc":"2.0","id":1,"method":"#;
        for (method, params, after, expected) in [
            ("m", None, None, Some(r#""m"}"#)),
            ("m", Some("[1]"), None, Some(r#""m","params":[1]}"#)),
            (
                "m",
                Some(r#" {"a":"}"} "#),
                Some("5-1-a"),
                Some(r#""m","params": {"a":"}"} ,"after":"5-1-a"}"#),
            ),
            ("m\",\"x\":\"", None, None, Some(r#""m\",\"x\":\""}"#)),
            ("m", None, Some("\"}{"), Some(r#""m","after":"\"}{"}"#)),
            ("m", Some("[1],\"method\":\"n\""), None, None),
            ("m", Some("[1]},{\"id\":2"), None, None),
            ("m", Some("[1]}\n[2]"), None, None),
            ("m", Some(""), None, None),
            ("m", Some("[1"), None, None),
            ("m", Some("[\"\n\"]"), None, None),
        ] {
            let expected = expected.map(|rest| format!("{head}{rest}"));
            let expected = expected.ok_or(ErrorCode::PARSE_ERROR);
            assert_eq!(text(method, params, after), expected, "{method} {params:?}");
        }
    }
}
