//! Tests of the JSON grammar, with the parser of all transports.

use antiphon_proto::{Entry, ErrorCode, Incoming, Rules, parse};

use crate::json_cases::{Verdict, cases};

/// The error code of the parser for this text; `None` for a valid message.
fn code(text: Vec<u8>) -> Option<ErrorCode> {
    parse(text.into(), &Rules::default())
        .err()
        .map(|rejection| rejection.error().code())
}

#[test]
fn valid_json_is_never_a_parse_error_and_anything_else_always_is() {
    for case in cases() {
        let refused = code(case.text.to_vec()) == Some(ErrorCode::PARSE_ERROR);
        let expected = matches!(case.verdict, Verdict::Invalid | Verdict::TooDeep);
        assert_eq!(refused, expected, "{}", case.name);
    }
}

#[test]
fn the_verdict_is_the_same_within_params() {
    for case in cases() {
        let before = br#"{"jsonrpc":"2.0","id":1,"method":"m","params":["#;
        let message = [before, case.text.as_ref(), b"]}"].concat();
        let parsed = parse(message.into(), &Rules::default());
        match case.verdict {
            Verdict::Valid | Verdict::Range => assert!(
                matches!(parsed, Ok(Incoming::Single(Entry::Request(_)))),
                "{}: {parsed:?}",
                case.name
            ),
            Verdict::Invalid | Verdict::TooDeep => {
                // Inside an array, an empty text, or one that closes the array early, is valid.
                let inner = serde_json::from_slice::<Vec<&serde_json::value::RawValue>>(
                    &[b"[", case.text.as_ref(), b"]"].concat(),
                )
                .is_ok();
                if !inner || matches!(case.verdict, Verdict::TooDeep) {
                    let error = parsed.err().map(|rejection| rejection.error().code());
                    assert_eq!(error, Some(ErrorCode::PARSE_ERROR), "{}", case.name);
                }
            }
        }
    }
}

#[test]
fn a_request_becomes_one_for_another_method() {
    use antiphon_proto::{Entry, Incoming, Rules, parse};

    let text =
        r#"{"jsonrpc":"2.0","id":"i","method":"call","params":{"name":"add","arguments":{"a":1}}}"#;
    let Ok(Incoming::Single(Entry::Request(request))) = parse(text.into(), &Rules::default())
    else {
        panic!("it is a request");
    };
    let params = request.params().unwrap();
    let start = params.find(r#"{"a""#).unwrap();
    for (range, expected) in [
        (Some(start..start + 7), Some(r#"{"a":1}"#)),
        (Some(start..params.len() + 1), None),
        (None, None),
    ] {
        let other = request.clone().redirected("add", range);
        assert_eq!((other.method(), other.id()), ("add", Some("\"i\"")));
        assert_eq!(other.params(), expected);
    }
    for params in [Some("[1,2]"), None] {
        let other = request.clone().replaced("sub", params);
        assert_eq!((other.method(), other.id()), ("sub", Some("\"i\"")));
        assert_eq!(other.params(), params);
    }
}
