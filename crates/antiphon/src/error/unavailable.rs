//! Data of errors of calls that were not run, or perhaps not: where a caller may try again.

use antiphon_proto::{ErrorCode, ErrorObject};
use serde::{Deserialize, Serialize};

/// The data of an error −32000 that says whether the call may have run.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unavailable {
    may_have_run: bool,
    /// Whether the server stops, so that it will not run others on this connection either.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    stopping: bool,
}

/// The error for a caller if another server cannot be reached, or has not answered.
pub(crate) fn unavailable(may_have_run: bool) -> ErrorObject {
    ErrorObject::new(ErrorCode::OVERLOADED, "Unavailable").with_data(&Unavailable {
        may_have_run,
        stopping: false,
    })
}

/// The error of a call that comes on a connection of a server that stops.
pub(crate) fn stopping() -> ErrorObject {
    ErrorObject::new(ErrorCode::OVERLOADED, "The server is stopping").with_data(&Unavailable {
        may_have_run: false,
        stopping: true,
    })
}

/// Whether an error says that the call has not run, and if so, whether its server stops.
pub(crate) fn not_run(error: &ErrorObject) -> Option<bool> {
    if error.code() != ErrorCode::OVERLOADED {
        return None;
    }
    let told: Unavailable = error.data_as()?;
    (!told.may_have_run).then_some(told.stopping)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_that_says_so_tells_that_a_call_has_not_run() {
        let with = |code, data: &str| {
            let data: serde_json::Value = serde_json::from_str(data).unwrap();
            ErrorObject::new(code, "m").with_data(&data)
        };
        for (error, expected) in [
            (unavailable(false), Some(false)),
            (unavailable(true), None),
            (stopping(), Some(true)),
            (ErrorObject::of(ErrorCode::OVERLOADED), None),
            (
                with(-32000, r#"{"mayHaveRun":false,"retryAfterMs":5}"#),
                Some(false),
            ),
            (with(-32001, r#"{"mayHaveRun":false}"#), None),
            (with(-32000, r#"{"mayHaveRun":0}"#), None),
            (with(-32000, "[]"), None),
        ] {
            assert_eq!(not_run(&error), expected, "{}", error.to_json());
        }
    }
}
