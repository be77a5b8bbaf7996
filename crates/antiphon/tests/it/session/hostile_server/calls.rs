//! Tests of responses to single calls.

use std::time::Duration;

use antiphon::client::{Client, ErrorKind, PendingCall};
use antiphon::{ErrorCode, Router, call};

use super::super::raw::{RawPeer, TEST_TIMEOUT, result};
use super::{Outcome, SHORT, actor, behave, client, listener, outcome};
use crate::support::{PARSE_ERROR, call as request};

#[tokio::test]
async fn every_call_ends_and_gets_no_response_of_another_call() {
    use Outcome::{Closed, Is, Late, Refused, Senseless};
    let right = || result("$ID", "1") + "\n";
    let lines = |lines: &[&str]| (lines.join("\n") + "\n").into_bytes();
    let strangers = |count: u32| {
        let ids = 1_000..1_000 + count;
        ids.map(|id| result(&id.to_string(), "6") + "\n")
            .collect::<String>()
    };
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let bomb = "[".repeat(300_000);
    let bad_text = [
        br#"{"jsonrpc":"2.0","id":$ID,"result":""#,
        &b"\xff\"}\n"[..],
    ]
    .concat();
    let table: Vec<(&str, Vec<u8>, Outcome, bool)> = vec![
        ("right", right().into(), Is(1), true),
        (
            "a stranger first",
            (strangers(1) + &right()).into(),
            Is(1),
            true,
        ),
        (
            "16 strangers first",
            (strangers(16) + &right()).into(),
            Is(1),
            true,
        ),
        (
            "17 strangers first",
            (strangers(17) + &right()).into(),
            Closed,
            false,
        ),
        (
            "twice",
            (right() + &result("$ID", "2") + "\n").into(),
            Is(1),
            true,
        ),
        (
            "an error after the result",
            (right() + r#"{"jsonrpc":"2.0","id":$ID,"error":{"code":5,"message":"x"}}"# + "\n")
                .into(),
            Is(1),
            true,
        ),
        (
            "a text for a number",
            lines(&[&result("\"$ID\"", "6")]),
            Late,
            true,
        ),
        (
            "another spelling",
            lines(&[&result("$ID.0", "6")]),
            Late,
            true,
        ),
        (
            "no id at all",
            lines(&[r#"{"jsonrpc":"2.0","result":6}"#]),
            Late,
            true,
        ),
        (
            "a result for null",
            (result("null", "6") + "\n" + &right()).into(),
            Is(1),
            true,
        ),
        (
            "an error for null",
            lines(&[PARSE_ERROR]),
            Refused(-32700),
            true,
        ),
        (
            "an answer after the error for null",
            (PARSE_ERROR.to_owned() + "\n" + &right()).into(),
            Refused(-32700),
            true,
        ),
        (
            "a request",
            (request("$ID", "m", "[]") + "\n" + &right()).into(),
            Is(1),
            true,
        ),
        (
            "a request alone",
            lines(&[&request("$ID", "m", "[]")]),
            Late,
            true,
        ),
        ("nothing", Vec::new(), Late, true),
        ("an end", Vec::new(), Closed, false),
        (
            "half a line, then the end",
            br#"{"jsonrpc":"2.0","id":$ID,"resu"#.to_vec(),
            Closed,
            false,
        ),
        // The last line needs no line break.
        (
            "a line, then the end",
            right().trim_end().into(),
            Is(1),
            false,
        ),
        ("words", lines(&["hello", &right()]), Closed, false),
        ("HTTP", b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), Closed, false),
        ("deep", (deep + "\n" + &right()).into(), Is(1), true),
        ("a bomb", (bomb + "\n" + &right()).into(), Is(1), true),
        (
            "not UTF-8",
            [bad_text, right().into()].concat(),
            Is(1),
            true,
        ),
        (
            "white space",
            ("\n\r\n  \n".to_owned() + &right()).into(),
            Is(1),
            true,
        ),
        (
            "another type",
            lines(&[&result("$ID", "\"x\"")]),
            Outcome::Other,
            true,
        ),
        (
            "in an array",
            lines(&[&format!("[{}]", result("$ID", "1"))]),
            Is(1),
            true,
        ),
        (
            "an empty array",
            ("[]\n".to_owned() + &right()).into(),
            Is(1),
            true,
        ),
        // A malformed response still ends its call, with an error as over HTTP. The peer gets no
        // error for an invalid request.
        (
            "result and error",
            lines(&[r#"{"jsonrpc":"2.0","id":$ID,"result":1,"error":{"code":5,"message":"x"}}"#]),
            Senseless,
            true,
        ),
        (
            "neither",
            lines(&[r#"{"jsonrpc":"2.0","id":$ID}"#]),
            Senseless,
            true,
        ),
        (
            "no version",
            lines(&[r#"{"id":$ID,"result":1}"#]),
            Senseless,
            true,
        ),
        (
            "an error without a code",
            lines(&[r#"{"jsonrpc":"2.0","id":$ID,"error":{}}"#]),
            Senseless,
            true,
        ),
    ];
    let mut wrong = Vec::new();
    for (name, part, expected, lives) in table {
        let (listener, address) = listener().await;
        let acting = actor(listener, part, lives || expected == Late);
        let client = client(address).build().unwrap();
        let mut call: PendingCall<i64> = call!(client.m());
        if matches!(expected, Late | Senseless) {
            call = call.timeout(SHORT);
        }
        let got = outcome(call.await);
        if got != expected {
            wrong.push(format!("{name}: {got:?}, not {expected:?}"));
        }
        let next = outcome(call!(client.add(3, 4)).await);
        let expected = if lives { Is(7) } else { Outcome::NotSent };
        if next != expected {
            wrong.push(format!("{name}, the next call: {next:?}, not {expected:?}"));
        }
        drop(client);
        acting.await.unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn invalid_headers_of_a_message_end_its_call() {
    let table = [
        ("2 GiB", "Content-Length: 2147483648\r\n\r\n{"),
        (
            "more than any number",
            "Content-Length: 99999999999999999999999\r\n\r\n{",
        ),
        ("negative", "Content-Length: -1\r\n\r\n{"),
        ("twice", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        ("no number", "Content-Length: x\r\n\r\n{}"),
        ("none", "Content-Type: x\r\n\r\n{}"),
        (
            "no headers",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n",
        ),
        ("half", "Content-Length: 100\r\n\r\n{\"jsonrpc\""),
    ];
    for (name, part) in table {
        let (listener, address) = listener().await;
        let acting = tokio::spawn(async move {
            let mut peer = RawPeer::accept(&listener).await;
            // The head, the empty line, and a body without a line break.
            peer.line().await.unwrap();
            peer.send(part).await;
            match name {
                "half" => drop(peer),
                _ => drop(peer.rest().await),
            }
        });
        let url = format!("tcp://{address}?framing=content-length");
        let client = Client::builder(url).timeout(TEST_TIMEOUT).build().unwrap();
        assert_eq!(outcome(call!(client.m()).await), Outcome::Closed, "{name}");
        assert_eq!(outcome(call!(client.m()).await), Outcome::NotSent, "{name}");
        drop(client);
        acting.await.unwrap();
    }
}

#[tokio::test]
async fn a_response_that_is_too_long_is_not_delivered() {
    let (listener, address) = listener().await;
    let long = result("$ID", &format!("\"{}\"", "x".repeat(5_000))) + "\n";
    let acting = actor(listener, long.into(), true);
    let client = client(address).max_response(1_000).build().unwrap();
    let error = call!(client.m()).await.map(|_: String| ()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unknown), "{error}");
    assert!(error.is_invalid_answer(), "{error}");
    assert_eq!(outcome(call!(client.m()).await), Outcome::Is(7));
    drop(client);
    acting.await.unwrap();
}

/// The peer guesses the ids of future calls.
#[tokio::test]
async fn a_response_before_its_request_is_ignored() {
    let (listener, address) = listener().await;
    let (told, heard) = tokio::sync::oneshot::channel();
    let acting = tokio::spawn(async move {
        let mut peer = RawPeer::accept(&listener).await;
        let early = (0..10).map(|id: u32| result(&id.to_string(), "666"));
        peer.say(early.chain([request("\"p\"", "same", "[1]")]))
            .await;
        // The response to the actual request comes after all of these.
        assert_eq!(peer.next().await["result"], 1);
        told.send(()).unwrap();
        behave(&mut peer).await;
    });
    let here = Router::new().method_fn("same", |n: u64| n);
    let client = client(address).router(here).build().unwrap();
    client.ready().await.unwrap();
    heard.await.unwrap();
    for _ in 0..10 {
        assert_eq!(outcome(call!(client.m()).await), Outcome::Is(7));
    }
    drop(client);
    acting.await.unwrap();
}

/// A response to an abandoned call is ignored and does not count as a violation.
#[tokio::test]
async fn late_responses_are_ignored() {
    let (listener, address) = listener().await;
    let acting = tokio::spawn(async move {
        let mut peer = RawPeer::accept(&listener).await;
        let mut late = Vec::new();
        while late.len() < 40 {
            let message = peer.next().await;
            if message["method"] == "m" {
                late.push(result(&message["id"].to_string(), "666"));
            } else {
                assert_eq!(message["method"], "$/cancelRequest");
            }
        }
        // Twenty calls get a late response, and twenty get none.
        peer.say(&late[..20]).await;
        behave(&mut peer).await;
    });
    let client = client(address).build().unwrap();
    for _ in 0..40 {
        let given_up = call!(client.m()).timeout(Duration::from_millis(5));
        assert_eq!(outcome(given_up.await), Outcome::Late);
    }
    for _ in 0..20 {
        assert_eq!(outcome(call!(client.add(3, 4)).await), Outcome::Is(7));
    }
    drop(client);
    acting.await.unwrap();
}

/// `max_calls` calls are in flight, and the server reports that it could not read one of them. This
/// frees its permit.
#[tokio::test]
async fn a_call_that_could_not_be_read_frees_its_permit() {
    let (listener, address) = listener().await;
    let acting = actor(listener, format!("{PARSE_ERROR}\n").into(), true);
    let mut limits = antiphon::SessionLimits::default();
    limits.max_calls = 1;
    let client = client(address).session_limits(limits).build().unwrap();
    let first = tokio::spawn(call!(client.m()).into_future());
    let second = tokio::spawn(call!(client.m()).into_future());
    let ends = [first.await.unwrap(), second.await.unwrap()].map(outcome);
    // The calls may be sent in any order.
    assert!(ends.contains(&Outcome::Refused(-32700)), "{ends:?}");
    assert!(ends.contains(&Outcome::Is(7)), "{ends:?}");
    drop(client);
    acting.await.unwrap();
}

/// The server closes the connection before the first request.
#[tokio::test]
async fn a_server_that_closes_at_once_ends_the_call() {
    let (listener, address) = listener().await;
    let acting = tokio::spawn(async move {
        for _ in 0..20 {
            drop(RawPeer::accept(&listener).await);
        }
    });
    for _ in 0..20 {
        let client = client(address).build().unwrap();
        let got = outcome(call!(client.m()).await);
        assert!(matches!(got, Outcome::Closed | Outcome::NotSent), "{got:?}");
        assert_eq!(outcome(call!(client.m()).await), Outcome::NotSent);
    }
    acting.await.unwrap();
}

/// An unreachable server is a different error than a silent one.
#[tokio::test]
async fn a_call_to_an_unreachable_server_is_not_sent() {
    let (listener, address) = listener().await;
    drop(listener);
    let client = client(address).build().unwrap();
    let error = call!(client.m()).await.map(|_: i64| ()).unwrap_err();
    assert!(
        error.is_connect() && matches!(error.kind(), ErrorKind::NotSent),
        "{error}"
    );
    assert_ne!(error.code(), Some(ErrorCode::TIMEOUT));
}
