//! Tests of the JSON grammar over HTTP, with the table of the parser's own tests.

#[path = "../../../../antiphon-proto/tests/it/json_cases.rs"]
mod json_cases;

use json_cases::{Verdict, cases};

use crate::support::PARSE_ERROR;
use crate::support::http1::Http1;
use crate::support::test_server::TestServer;

async fn is_parse_error(http1: &mut Http1, body: &[u8]) -> bool {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = http1.ask([head.as_bytes(), body].concat()).await;
    assert_eq!(answer.status, 200);
    answer.text() == PARSE_ERROR
}

#[tokio::test]
async fn valid_json_is_never_a_parse_error_and_anything_else_always_is() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    for case in cases() {
        let expected = matches!(case.verdict, Verdict::Invalid | Verdict::TooDeep);
        let refused = is_parse_error(&mut http1, &case.text).await;
        assert_eq!(refused, expected, "{}", case.name);

        // If the decoder cannot represent a value, the parameter is invalid, not the message.
        if matches!(case.verdict, Verdict::Valid | Verdict::Range) {
            let before = br#"{"jsonrpc":"2.0","id":1,"method":"take","params":["#;
            let message = [before, case.text.as_ref(), b"]}"].concat();
            assert!(!is_parse_error(&mut http1, &message).await, "{}", case.name);
        }
    }
    assert_eq!(server.handle.accepted(), 1);
}
