//! Numbers of a schema.

use super::model::{Float, Int};
use crate::openrpc::value::Json;

/// The largest integer that a floating-point number has all digits of: 2⁵³ − 1.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

/// The type of an integer.
pub(super) fn integer(schema: &Json) -> Int {
    let (signed, bits) = match schema.text("format") {
        Some("int8") => (true, 8),
        Some("int16") => (true, 16),
        Some("int32") => (true, 32),
        Some("uint8") => (false, 8),
        Some("uint16") => (false, 16),
        Some("uint32") => (false, 32),
        Some("uint" | "uint64") => (false, 64),
        Some("int" | "int64") => (true, 64),
        _ => (schema.integer("minimum").is_none_or(|min| min < 0), 64),
    };
    let named = matches!(
        schema.text("format"),
        Some("int64" | "uint64" | "int" | "uint" | "int128" | "uint128")
    );
    let beyond = |key| match schema.get(key) {
        Some(Json::Number(number)) => number
            .as_f64()
            .is_some_and(|number| number.abs() > MAX_EXACT),
        _ => false,
    };
    let wide = named || beyond("minimum") || beyond("maximum");
    Int { signed, bits, wide }
}

/// The type of any other number.
pub(super) fn float(schema: &Json) -> Float {
    match schema.text("format") {
        Some("float") => Float::Single,
        _ => Float::Double,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_beyond_those_of_a_float_are_wide() {
        for (schema, told, wide) in [
            (r#"{}"#, "i64", false),
            (r#"{"format": "int32"}"#, "i32", false),
            (r#"{"format": "uint64"}"#, "u64", true),
            (r#"{"format": "int64"}"#, "i64", true),
            (r#"{"minimum": 0}"#, "u64", false),
            (
                r#"{"minimum": 0, "maximum": 9007199254740991}"#,
                "u64",
                false,
            ),
            (
                r#"{"minimum": 0, "maximum": 18446744073709551615}"#,
                "u64",
                true,
            ),
            (r#"{"minimum": -9223372036854775808}"#, "i64", true),
        ] {
            let int = integer(&serde_json::from_str(schema).unwrap());
            let sign = if int.signed { "i" } else { "u" };
            assert_eq!(format!("{sign}{}", int.bits), told, "{schema}");
            assert_eq!(int.wide, wide, "{schema}");
        }
    }
}
