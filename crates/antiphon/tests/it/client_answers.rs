//! Tests of the client's response parser: an invalid response never becomes a result.

use antiphon::client::{Client, Error, ErrorKind};
use antiphon_proto::params::members;
use serde_json::Value;

use crate::client_support::{answered, json, scripted};

/// Makes a call with the id 1 and returns its outcome for this response body.
async fn outcome(body: &str) -> Result<Value, Error> {
    answered(body).call("m", ()).await
}

#[tokio::test]
async fn a_valid_response_is_a_result_in_every_json_spelling() {
    for (body, result) in [
        (r#"{"jsonrpc":"2.0","id":1,"result":7}"#, "7"),
        (r#"{"jsonrpc":"2.0","result":null,"id":1}"#, "null"),
        (
            " {\"id\" : 1 ,\n\"jsonrpc\":\"2.0\",\"result\":[1 , 2]}\r\n",
            "[1,2]",
        ),
        (
            r#"{"jsonrpc":"2\u002e0","i\u0064":1,"result":"é"}"#,
            "\"é\"",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"result":7,"more":[]}"#, "7"),
    ] {
        assert_eq!(outcome(body).await.unwrap().to_string(), result, "{body}");
    }
}

#[tokio::test]
async fn a_response_that_does_not_answer_the_call_is_an_error() {
    let deep = |n: usize| {
        let (open, close) = ("[".repeat(n), "]".repeat(n));
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{open}{close}}}"#)
    };
    assert!(outcome(&deep(127)).await.is_ok());
    let too_deep = deep(128);
    let bomb = deep(100_000);
    let table = [
        (r#"{"jsonrpc":"2.0","id":2,"result":7}"#, "its id is 2"),
        (
            r#"{"jsonrpc":"2.0","id":"1","result":7}"#,
            "its id is \"1\"",
        ),
        (r#"{"jsonrpc":"2.0","id":1.0,"result":7}"#, "its id is 1.0"),
        (r#"{"jsonrpc":"2.0","id":1e0,"result":7}"#, "its id is 1e0"),
        (
            r#"{"jsonrpc":"2.0","id":null,"result":7}"#,
            "its id is null",
        ),
        (
            r#"{"jsonrpc":"2.0","id":[1],"result":7}"#,
            "the id is neither",
        ),
        (
            r#"{"jsonrpc":"2.0","id":true,"result":7}"#,
            "the id is neither",
        ),
        (
            r#"{"jsonrpc":"2.0","result":7}"#,
            "neither a method nor one of result and error",
        ),
        (
            r#"{"jsonrpc":"2.0","error":{"code":1,"message":""}}"#,
            "neither a method",
        ),
        (r#"{"jsonrpc":"2.0","id":1}"#, "neither a method"),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":7,"error":null}"#,
            "neither a method",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":7,"error":{"code":1,"message":""}}"#,
            "neither a method",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":""}}"#,
            "neither a method",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#,
            "neither a method",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":[1,"message"]}"#,
            "neither a method",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":null}"#,
            "neither a method",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":7,"result":8}"#,
            "a member came twice",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":7,"\u0069d":1}"#,
            "a member came twice",
        ),
        (
            r#"{"jsonrpc":"2.0","id":2,"id":1,"result":7}"#,
            "a member came twice",
        ),
        (r#"{"jsonrpc":"1.0","id":1,"result":7}"#, "another version"),
        (r#"{"jsonrpc":2.0,"id":1,"result":7}"#, "another version"),
        (r#"{"id":1,"result":7}"#, "another version"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"m","result":7}"#,
            "it is a request",
        ),
        (r#"{"jsonrpc":"2.0","method":"m"}"#, "it is a request"),
        (r#"[{"jsonrpc":"2.0","id":1,"result":7}]"#, "it is an array"),
        ("[]", "an empty batch"),
        ("7", "neither an object nor an array"),
        ("null", "neither an object nor an array"),
        ("", "the body is empty"),
        ("<html>", "not JSON"),
        (r#"{"jsonrpc":"2.0","id":1,"result":7} x"#, "not JSON"),
        (r#"{"jsonrpc":"2.0","id":1,"result":7}{}"#, "not JSON"),
        (r#"{"jsonrpc":"2.0","id":1,"result":7"#, "not JSON"),
        (r#"{"jsonrpc":"2.0","id":1,"result":NaN}"#, "not JSON"),
        (
            "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":7}",
            "not JSON",
        ),
        (too_deep.as_str(), "nested too deep"),
        (bomb.as_str(), "nested too deep"),
    ];
    for (body, expected) in table {
        let error = outcome(body).await.unwrap_err();
        let shown = &body[..body.len().min(80)];
        assert!(
            matches!(error.kind(), ErrorKind::Unknown),
            "{shown}: {error}"
        );
        assert!(error.is_invalid_answer(), "{shown}: {error}");
        assert_eq!(error.status().unwrap(), 200, "{shown}");
        assert!(error.to_string().contains(expected), "{shown}: {error}");
    }
}

#[tokio::test]
async fn a_response_that_is_not_utf_8_is_an_error() {
    let (builder, _) = scripted(|_| {
        let text = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xff\"}";
        http::Response::new(antiphon::client::Body::from(&text[..]))
    });
    let error = builder
        .build()
        .unwrap()
        .call::<Value>("m", ())
        .await
        .unwrap_err();
    assert!(error.is_invalid_answer(), "{error}");
}

#[tokio::test]
async fn an_error_of_the_server_has_its_code_message_and_data() {
    // A response without an id answers a request that the server could not read.
    for id in ["1", "null"] {
        let error = r#"{"code":-32602,"message":"no\u0007","data":{"why":1}}"#;
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
        let error = outcome(&body).await.unwrap_err();
        let ErrorKind::Refused(object) = error.kind() else {
            panic!("{error}")
        };
        assert_eq!(object.code().0, -32602);
        assert_eq!(object.message(), "no\u{7}");
        assert_eq!(object.data(), Some(r#"{"why":1}"#));
        assert_eq!(error.code(), Some(object.code()));
        let shown = "`m` was answered with an error: no\\u{7} (-32602)";
        assert_eq!(error.to_string(), shown);
    }
}

#[tokio::test]
async fn an_http_status_tells_whether_the_call_may_have_run() {
    let result = r#"{"jsonrpc":"2.0","id":1,"result":7}"#;
    let mine = r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#;
    let nobodys = r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}"#;
    let others = r#"{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"x"}}"#;
    let table = [
        (200, result, "7"),
        (400, result, "7"),
        (400, mine, "refused"),
        (400, nobodys, "refused"),
        (500, mine, "refused"),
        (400, others, "rejected"),
        (500, others, "unknown"),
        (204, "", "unknown"),
        (301, "", "rejected"),
        (303, "", "unknown"),
        (307, result, "7"),
        (308, "moved", "rejected"),
        (403, "no", "rejected"),
        (404, "<html>", "rejected"),
        (413, "", "rejected"),
        (500, "<html>", "unknown"),
        (501, "", "rejected"),
        (502, "bad gateway", "unknown"),
        // A proxy says it also if its server has died with the call.
        (503, "later", "unknown"),
        (503, result, "7"),
        (504, "", "unknown"),
    ];
    for (status, body, expected) in table {
        let (builder, _) = scripted(move |_| json(status, body));
        let client = builder.build().unwrap();
        let outcome = client.call::<Value>("m", ()).await;
        if let Err(error) = &outcome {
            assert_eq!(error.status().unwrap(), status);
        }
        let found = match outcome.as_ref().map_err(Error::kind) {
            Ok(value) => value.to_string(),
            Err(ErrorKind::Refused(_)) => "refused".to_owned(),
            Err(ErrorKind::Rejected { .. }) => "rejected".to_owned(),
            Err(ErrorKind::Unknown) => "unknown".to_owned(),
            Err(kind) => panic!("{kind:?}"),
        };
        assert_eq!(found, expected, "{status} {body}: {outcome:?}");

        // The same rules hold for a notification. Its response body is ignored.
        let outcome = client.notify("m", ()).await;
        match status {
            200 | 204 => assert!(outcome.is_ok(), "{status} {body}: {outcome:?}"),
            _ => assert!(outcome.is_err(), "{status} {body}"),
        }
    }
}

#[tokio::test]
async fn an_error_in_plain_text_is_reported_up_to_a_limit() {
    let refused = |kind: &'static str, text: String| async move {
        let (builder, _) = scripted(move |_| {
            let mut response = json(503, text.clone());
            let value = http::HeaderValue::from_static;
            response.headers_mut().insert("content-type", value(kind));
            let name = "rpc-may-have-run";
            response.headers_mut().insert(name, value("false"));
            response
        });
        let client: Client = builder.build().unwrap();
        client.call::<Value>("m", ()).await.unwrap_err()
    };
    let error = refused("Text/Plain; charset=utf-8", "try later\r\n".to_owned()).await;
    assert_eq!(
        error.to_string(),
        "`m` was refused with HTTP status 503 Service Unavailable: try later"
    );
    let error = refused("text/plain", "é".repeat(100_000)).await;
    assert!(matches!(error.kind(), ErrorKind::Rejected { text, .. } if text.len() <= 1024));
    let error = refused("text/html", "<h1>later</h1>".to_owned()).await;
    assert!(matches!(error.kind(), ErrorKind::Rejected { text: "", status } if status == 503));
}

#[tokio::test]
async fn a_response_of_the_maximum_length_is_read_and_a_longer_one_is_not() {
    let body = r#"{"jsonrpc":"2.0","id":1,"result":7}"#;
    for (max, fits) in [(body.len(), true), (body.len() - 1, false)] {
        let (builder, _) = scripted(move |_| json(200, body));
        let client = builder
            .max_response(max)
            .max_batch_response(0)
            .build()
            .unwrap();
        let outcome = client.call::<u8>("m", ()).await;
        assert_eq!(outcome.is_ok(), fits, "{outcome:?}");
        let Err(error) = outcome else { continue };
        assert!(matches!(error.kind(), ErrorKind::Unknown) && error.is_invalid_answer());
        assert_eq!(
            error.to_string(),
            "`m` was sent and may have run: the answer is longer than 34 bytes"
        );
        // The response to a notification is not read.
        client.notify("m", ()).await.unwrap();
    }
}

/// Pseudo-random numbers (xorshift), the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    /// Makes a few random changes: replaces, inserts, removes or doubles a byte, or cuts or repeats
    /// a slice.
    fn mutate(&mut self, text: &str) -> Vec<u8> {
        const BYTES: &[u8] = b"\"\\{}[]:,0123456789.eE+-nulltrue id\x00\xff\x80u";
        let mut text = text.as_bytes().to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(text.len().max(1));
            let until = (at + self.below(12)).min(text.len());
            match self.below(6) {
                _ if text.is_empty() => text.push(b'{'),
                0 => text[at] = BYTES[self.below(BYTES.len())],
                1 => text.insert(at, BYTES[self.below(BYTES.len())]),
                2 => drop(text.remove(at)),
                3 => drop(text.drain(at..until)),
                4 => {
                    let piece = text[at..until].to_vec();
                    let to = self.below(text.len());
                    text.splice(to..to, piece);
                }
                _ => text.truncate(at),
            }
        }
        text
    }
}

/// Whether the text is a response to call 1 with this result. The check is independent of the
/// client: it uses serde_json and counts the members.
fn is_answer(text: &[u8], result: &Value) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let Ok(members) = members(text) else {
        return false;
    };
    let only = |name: &str| {
        let mut found = members.iter().filter(|(known, _)| known == name);
        found
            .next()
            .filter(|_| found.next().is_none())
            .map(|(_, value)| value.get())
    };
    let version = only("jsonrpc").and_then(|version| serde_json::from_str::<String>(version).ok());
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
        && version.as_deref() == Some("2.0")
        && only("id") == Some("1")
        && only("result")
            .and_then(|text| serde_json::from_str(text).ok())
            .as_ref()
            == Some(result)
        && !members
            .iter()
            .any(|(name, _)| name == "error" || name == "method")
}

#[tokio::test]
async fn no_mutation_of_a_response_yields_a_wrong_result() {
    let answers = [
        r#"{"jsonrpc":"2.0","id":1,"result":{"a":[1,2.5,"x\u00e9"],"id":1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no","data":[1]}}"#,
        r#"[{"jsonrpc":"2.0","id":1,"result":7},{"jsonrpc":"2.0","id":2,"result":8}]"#,
        r#"{"id":1,"result":"1","jsonrpc":"2.0"}"#,
    ];
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut delivered = 0;
    for round in 0..10_000 {
        let text = random.mutate(answers[round % answers.len()]);
        let body = text.clone();
        let (builder, _) =
            scripted(move |_| http::Response::new(antiphon::client::Body::from(body.clone())));
        let client = builder.build().unwrap();
        if let Ok(result) = client.call::<Value>("m", ()).await {
            let shown = String::from_utf8_lossy(&text);
            assert!(is_answer(&text, &result), "{round}: {shown} → {result}");
            delivered += 1;
        }
    }
    assert!(
        delivered > 100,
        "{delivered}: the mutations are too wild to prove anything"
    );
}
