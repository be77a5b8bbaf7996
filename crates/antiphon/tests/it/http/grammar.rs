//! Tests of the JSON grammar over HTTP, with the table of the parser's own tests.

#[path = "../../../../antiphon-proto/tests/it/json_cases.rs"]
mod json_cases;

use json_cases::{Verdict, cases};

use crate::support::PARSE_ERROR;
use crate::support::site::Site;
use crate::support::wire::Wire;

async fn is_parse_error(wire: &mut Wire, body: &[u8]) -> bool {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = wire.ask([head.as_bytes(), body].concat()).await;
    assert_eq!(answer.status, 200);
    answer.text() == PARSE_ERROR
}

#[tokio::test]
async fn legal_json_is_never_a_parse_error_and_anything_else_always_is() {
    let site = Site::new().await;
    let mut wire = site.connect().await;
    for case in cases() {
        let expected = matches!(case.verdict, Verdict::Invalid | Verdict::TooDeep);
        let refused = is_parse_error(&mut wire, &case.text).await;
        assert_eq!(refused, expected, "{}", case.name);

        // If the decoder cannot represent a value, the parameter is invalid, not the message.
        if matches!(case.verdict, Verdict::Valid | Verdict::Range) {
            let before = br#"{"jsonrpc":"2.0","id":1,"method":"take","params":["#;
            let message = [before, case.text.as_ref(), b"]}"].concat();
            assert!(!is_parse_error(&mut wire, &message).await, "{}", case.name);
        }
    }
    assert_eq!(site.handle.accepted(), 1);
}
