//! Strict parser for responses (section 5 of the specification).

use serde_json::value::RawValue;

use crate::model::{Members, decoded, is_id};

/// The content of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The JSON text of the result.
    Result(String),
    /// The code of the error.
    Code(i64),
}

/// The id and the content of a response.
pub(crate) fn verdict(answer: &RawValue) -> (String, Verdict) {
    let Members(members) = decoded(answer);
    let [version, id, (what, value)] = &members[..] else {
        panic!("{answer}");
    };
    assert_eq!((&*version.0, version.1.get()), ("jsonrpc", r#""2.0""#));
    assert_eq!(&*id.0, "id");
    let id = id.1.get();
    assert!(is_id(id), "{answer}");
    let verdict = match &**what {
        "result" => Verdict::Result(value.get().to_owned()),
        "error" => Verdict::Code(code(value)),
        _ => panic!("{answer}"),
    };
    (id.to_owned(), verdict)
}

fn code(error: &RawValue) -> i64 {
    let Members(error) = decoded(error);
    let names: Vec<_> = error.iter().map(|(name, _)| &**name).collect();
    assert!(
        matches!(*names, ["code", "message"] | ["code", "message", "data"]),
        "{names:?}"
    );
    let text: String = decoded(error[1].1);
    assert!(!text.is_empty());
    decoded(error[0].1)
}
