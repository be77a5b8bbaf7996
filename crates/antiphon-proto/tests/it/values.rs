//! Tests of the limit of JSON values in a message, against a count of the decoded message.

use antiphon_proto::{ErrorCode, Rejection, Rules, parse};
use serde_json::{Map, Value, json};

/// The values of decoded JSON: what the parser should count.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// The text passes with exactly as many values as it has, and with no fewer.
fn check(text: &str) {
    let value = serde_json::from_str(text).unwrap_or_default();
    let values = count(&value);
    for max in values.saturating_sub(3)..values + 3 {
        let parsed = parse(text.to_owned().into(), &Rules::default().max_values(max));
        let refused = parsed.err() == Some(Rejection::TooManyValues);
        assert_eq!(refused, max < values, "{max} of {values} values: {text}");
    }
}

/// A generator of pseudorandom numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn value(&mut self, depth: u64) -> Value {
        let kinds = if depth == 0 { 6 } else { 10 };
        match self.below(kinds) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.below(1000)),
            3 => json!(-1.5e3),
            4 => json!("a,[{\"\\\u{e9}"),
            5 => json!(""),
            6 | 7 => (0..self.below(5)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let members = (0..self.below(5)).map(|n| (n.to_string(), self.value(depth - 1)));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }
}

#[test]
fn a_message_may_have_exactly_as_many_values_as_the_limit_says() {
    for text in [
        "0",
        "[]",
        "{}",
        "[0]",
        "[0,0]",
        "[[]]",
        "[[],{}]",
        r#"{"":0}"#,
        r#"[{"":0},{"":0}]"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[[],[[1,2],"x"],{"a":{"b":null}}]}"#,
        r#"[{"jsonrpc":"2.0","method":"m"},1,{}]"#,
        r#"{"jsonrpc":"2.0","id":1,"result":[true,false]}"#,
    ] {
        check(text);
    }
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..5_000 {
        let value = random.value(5);
        check(&value.to_string());
        check(&format!("{value:#}"));
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "m", "params": [value]});
        check(&call.to_string());
        check(&json!([call, call]).to_string());
    }
}

#[test]
fn too_many_values_are_a_parse_error_like_too_deep_nesting() {
    let message = |values: usize| {
        let params = "0,".repeat(values - 6);
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"m","params":[{params}0]}}"#)
    };
    // The message, its version, id, method and params are five, and one number has no comma.
    for (values, refused) in [(999_999, false), (1_000_000, false), (1_000_001, true)] {
        let parsed = parse(message(values).into(), &Rules::default());
        let code = parsed.err().map(|rejection| rejection.error().code());
        assert_eq!(code.is_some(), refused, "{values}");
        assert!(code.is_none_or(|code| code == ErrorCode::PARSE_ERROR));
    }
}

#[test]
fn beyond_the_limit_nothing_is_read() {
    // What follows is no JSON, and is not looked at.
    let rules = Rules::default().max_values(3);
    let parsed = parse("[1,2,3,4,5 x".into(), &rules);
    assert_eq!(parsed.err(), Some(Rejection::TooManyValues));
    // A fault before the limit is a fault of syntax.
    let parsed = parse("[1,2 x,3,4,5".into(), &rules);
    assert_eq!(parsed.err(), Some(Rejection::Syntax { at: 5 }));
}
