//! Messages of the cases over HTTP: the request, the fixed response of the floor, and the check of
//! responses. Every peer has the same methods: `calc.add` of two numbers, `len` and `echo` of one
//! string, `blob` without parameters.

use std::sync::LazyLock;

use serde_json::Value;

use super::Case;
use crate::Failure;

/// Count of calls in the batch.
const BATCH: usize = 100;

/// Size of the large parameter and of the large result.
const MEBIBYTE: usize = 1 << 20;

/// The single call, which the in-process case uses as well.
pub(crate) const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"calc.add","params":[3,7]}"#;

/// The result of `blob`. Handlers return a reference if their library allows it.
static BLOB: LazyLock<String> = LazyLock::new(|| "b".repeat(MEBIBYTE));

/// The implementation of `calc.add` for every peer.
pub(crate) fn add(a: f64, b: f64) -> f64 {
    a + b
}

/// The implementation of `blob` for every peer.
pub(crate) fn blob() -> &'static str {
    &BLOB
}

impl Case {
    /// The JSON that the HTTP load generator sends.
    pub(crate) fn request(self) -> String {
        match self {
            Self::Batch100 => batch(|id| {
                format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"calc.add","params":[3,7]}}"#)
            }),
            Self::Params1m => format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"len","params":["{}"]}}"#,
                "p".repeat(MEBIBYTE)
            ),
            Self::Result1m => r#"{"jsonrpc":"2.0","id":1,"method":"blob"}"#.to_owned(),
            _ => CALL.to_owned(),
        }
    }

    /// The JSON that a server without any logic would return.
    pub(crate) fn fixed_answer(self) -> String {
        match self {
            Self::Batch100 => batch(|id| format!(r#"{{"jsonrpc":"2.0","id":{id},"result":10.0}}"#)),
            Self::Params1m => format!(r#"{{"jsonrpc":"2.0","id":1,"result":{MEBIBYTE}}}"#),
            Self::Result1m => format!(r#"{{"jsonrpc":"2.0","id":1,"result":"{}"}}"#, blob()),
            _ => r#"{"jsonrpc":"2.0","id":1,"result":10.0}"#.to_owned(),
        }
    }

    /// Parses a response and checks it against the specification. The responses of a batch may be
    /// in any order, so they are looked up by id.
    pub(crate) fn verify(self, answer: &[u8]) -> Result<(), Failure> {
        let value: Value = serde_json::from_slice(answer)?;
        let right = match self {
            Self::Batch100 => value.as_array().is_some_and(|answers| {
                answers.len() == BATCH
                    && (1..=BATCH).all(|id| {
                        let mut with_id = answers.iter().filter(|one| one["id"] == id);
                        with_id.next().is_some_and(is_ten) && with_id.next().is_none()
                    })
            }),
            Self::Params1m => succeeded(&value) && value["result"] == MEBIBYTE,
            Self::Result1m => succeeded(&value) && value["result"] == blob(),
            _ => value["id"] == 1 && is_ten(&value),
        };
        if right {
            return Ok(());
        }
        let start = String::from_utf8_lossy(&answer[..answer.len().min(200)]);
        Err(format!("a wrong answer to {}: {start}", self.name()).into())
    }
}

fn batch(entry: impl Fn(usize) -> String) -> String {
    let entries: Vec<_> = (1..=BATCH).map(entry).collect();
    format!("[{}]", entries.join(","))
}

fn succeeded(answer: &Value) -> bool {
    answer["jsonrpc"] == "2.0" && answer.get("error").is_none()
}

/// Whether the number equals 10; JSON may write it as `10` or `10.0`.
pub(crate) fn is_ten(answer: &Value) -> bool {
    succeeded(answer) && answer["result"].as_f64() == Some(10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_answers_are_right_and_others_are_not() {
        for case in Case::all() {
            case.verify(case.fixed_answer().as_bytes()).unwrap();
            let other = if case == Case::Params1m {
                Case::Call
            } else {
                Case::Params1m
            };
            case.verify(other.fixed_answer().as_bytes()).unwrap_err();
            assert_eq!(Case::named(&case.name()).unwrap(), case);
        }
    }

    #[test]
    fn a_batch_with_an_id_twice_is_wrong() {
        let twice = Case::Batch100
            .fixed_answer()
            .replace("\"id\":2,", "\"id\":1,");
        Case::Batch100.verify(twice.as_bytes()).unwrap_err();
    }

    #[test]
    fn an_error_object_is_wrong() {
        let error = br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#;
        Case::Call.verify(error).unwrap_err();
    }
}
