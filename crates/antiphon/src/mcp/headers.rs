//! Header fields of a request, which have to agree with its body.
//!
//! Proxies route by them. If they could say something else than the body, a proxy would decide about
//! another request than the one that runs.

use std::borrow::Cow;

use antiphon_proto::Printable;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

/// The version that the body is written in.
pub(super) const VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";
/// What stands before the name of a parameter's field.
const PARAM: &str = "mcp-param-";

/// The methods whose name is that of a tool or prompt, or the address of a resource.
const NAMED: [&str; 3] = ["tools/call", "prompts/get", "resources/read"];

/// The only value of a field: `None` if there is none.
///
/// # Errors
///
/// If there are several, or it is not text.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match text(value) {
            Some(text) => Ok(Some(text)),
            None => Err(format!("the header {name} has invalid characters")),
        },
        _ => Err(format!("the header {name} is there twice")),
    }
}

fn text(value: &HeaderValue) -> Option<&str> {
    value
        .to_str()
        .ok()
        .map(|text| text.trim_matches([' ', '\t']))
}

/// Checks that the fields say the same method, and the same name if it has one, as the body.
pub(super) fn check(headers: &HeaderMap, method: &str, name: Option<&str>) -> Result<(), String> {
    match only(headers, METHOD)? {
        Some(said) if said == method => {}
        said => return Err(disagree(METHOD, said, method)),
    }
    if !NAMED.contains(&method) {
        return Ok(());
    }
    let said = only(headers, NAME)?;
    let decoded = said.map(decoded).transpose()?;
    let name = name.unwrap_or_default();
    match decoded {
        Some(decoded) if decoded == name => Ok(()),
        _ => Err(disagree(NAME, said, name)),
    }
}

/// Checks the field of a parameter: it says the same value as the body, and is there if and only if
/// the body has one.
pub(super) fn check_param(
    headers: &HeaderMap,
    param: &str,
    value: Option<&Value>,
) -> Result<(), String> {
    let name = format!("{PARAM}{}", param.to_ascii_lowercase());
    let said = only(headers, &name)?;
    let decoded = said.map(decoded).transpose()?;
    let agrees = match (value.filter(|value| !value.is_null()), &decoded) {
        (None, None) => true,
        (Some(Value::String(text)), Some(said)) => said == text,
        (Some(Value::Bool(flag)), Some(said)) => *said == flag.to_string(),
        (Some(Value::Number(number)), Some(said)) => {
            let same = said.parse::<f64>().ok().zip(number.as_f64());
            *said == number.to_string() || same.is_some_and(|(said, own)| said == own)
        }
        _ => false,
    };
    match agrees {
        true => Ok(()),
        false => Err(disagree(
            &name,
            said,
            &value.unwrap_or(&Value::Null).to_string(),
        )),
    }
}

/// Why a request is refused.
fn disagree(header: &str, said: Option<&str>, body: &str) -> String {
    match said {
        None => format!("the header {header} is missing"),
        Some(said) => format!(
            "the header {header} is {}, and the body says {}",
            Printable(said),
            Printable(body)
        ),
    }
}

/// A value that may be written as `=?base64?…?=`, because not every text can stand in a header.
fn decoded(value: &str) -> Result<Cow<'_, str>, String> {
    let inner = value.strip_prefix("=?base64?");
    let Some(inner) = inner.and_then(|inner| inner.strip_suffix("?=")) else {
        return Ok(value.into());
    };
    let text = base64(inner).and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Cow::Owned)
        .ok_or_else(|| "a header is not the Base64 of a text".to_owned())
}

/// Decodes Base64 (RFC 4648, section 4), with its padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let text = text.as_bytes();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let body = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"="));
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in body.unwrap_or(text).chunks(4) {
        let mut bits = 0_u32;
        for &byte in group {
            bits = bits << 6 | u32::from(digit(byte)?);
        }
        bits <<= 6 * (4 - group.len());
        let [_, whole @ ..] = bits.to_be_bytes();
        bytes.extend_from_slice(whole.get(..group.len().checked_sub(1)?)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_name_may_be_base64() {
        for (value, expected) in [
            ("us-west1", Ok("us-west1")),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", Ok("Hello, 世界")),
            ("=?base64?IHBhZGRlZCA=?=", Ok(" padded ")),
            ("=?base64?bGluZTEKbGluZTI=?=", Ok("line1\nline2")),
            (
                "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=",
                Ok("=?base64?literal?="),
            ),
            ("=?base64??=", Ok("")),
            ("=?base64?a?=", Err(())),
            ("=?base64?/////w==?=", Err(())),
            ("=?base64?a b=?=", Err(())),
            ("=?base64?", Ok("=?base64?")),
        ] {
            let found = decoded(value).map_err(|_| ());
            assert_eq!(found, expected.map(Cow::from), "{value}");
        }
    }

    #[test]
    fn headers_say_what_the_body_says() {
        let call = [("mcp-method", "tools/call"), ("mcp-name", "add")];
        for (fields, method, name, fits) in [
            (&call[..], "tools/call", Some("add"), true),
            (
                &[
                    ("mcp-method", "tools/call"),
                    ("mcp-name", "=?base64?YWRk?="),
                ],
                "tools/call",
                Some("add"),
                true,
            ),
            (&[("mcp-method", "ping")], "ping", None, true),
            (
                &[("mcp-method", "ping"), ("mcp-name", "x")],
                "ping",
                None,
                true,
            ),
            (&call, "tools/call", Some("Add"), false),
            (&call[..1], "tools/call", Some("add"), false),
            (&call[1..], "tools/call", Some("add"), false),
            (&call, "prompts/get", Some("add"), false),
            (
                &[("mcp-method", "Tools/Call"), ("mcp-name", "add")],
                "tools/call",
                Some("add"),
                false,
            ),
            (
                &[call[0], call[0], call[1]],
                "tools/call",
                Some("add"),
                false,
            ),
        ] {
            let checked = check(&headers(fields), method, name);
            assert_eq!(
                checked.is_ok(),
                fits,
                "{fields:?} {method} {name:?}: {checked:?}"
            );
        }
    }

    #[test]
    fn a_parameter_has_its_header_or_neither_is_there() {
        for (value, said, fits) in [
            (json!("eu"), Some("eu"), true),
            (json!("eu"), Some("us"), false),
            (json!("eu"), None, false),
            (json!(null), None, true),
            (json!(null), Some("null"), false),
            (json!(42), Some("42.0"), true),
            (json!(42), Some("43"), false),
            (json!(true), Some("true"), true),
            (json!(true), Some("True"), false),
            (json!({}), Some("{}"), false),
        ] {
            let fields: Vec<_> = said
                .map(|said| ("mcp-param-region", said))
                .into_iter()
                .collect();
            let checked = check_param(&headers(&fields), "Region", Some(&value));
            assert_eq!(checked.is_ok(), fits, "{value} {said:?}: {checked:?}");
        }
    }
}
