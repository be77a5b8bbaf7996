//! A server that breaks the rules: every call ends, with what is known of it, and no answer reaches
//! a call that it does not belong to.

use std::net::SocketAddr;
use std::time::Duration;

use antiphon::client::{Client, ClientBuilder, Error, Kind, PendingCall, StreamError};
use antiphon::{ErrorCode, Router, call};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::raw::{PATIENCE, Raw, result};
use crate::support::{PARSE_ERROR, call as request};

/// Short enough for what is never answered.
const SHORT: Duration = Duration::from_millis(150);

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn client(address: SocketAddr) -> ClientBuilder {
    Client::builder(format!("tcp://{address}")).timeout(PATIENCE)
}

/// Answers what is asked with 7 from now on, and passes over what else comes.
async fn behave(peer: &mut Raw) {
    while let Some(line) = peer.line().await {
        let message: Value = serde_json::from_str(&line).unwrap();
        let wants = message.get("method").is_some() && message.get("id").is_some();
        if wants {
            peer.say([result(&message["id"].to_string(), "7")]).await;
        }
    }
}

/// What a call has come to.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Outcome {
    Is(i64),
    Refused(i64),
    /// Sent, and the connection ended.
    Closed,
    /// Sent, and the time was over.
    Late,
    /// Sent, and what came was no answer.
    Senseless,
    NotSent,
    Other,
}

fn outcome(result: Result<i64, Error>) -> Outcome {
    let error = match result {
        Ok(value) => return Outcome::Is(value),
        Err(error) => error,
    };
    match error.kind() {
        Kind::Refused(error) => Outcome::Refused(error.code().0),
        Kind::NotSent => Outcome::NotSent,
        Kind::Unknown if error.is_closed() => Outcome::Closed,
        Kind::Unknown if error.is_timeout() => Outcome::Late,
        Kind::Unknown if error.is_invalid_answer() => Outcome::Senseless,
        _ => Outcome::Other,
    }
}

/// A server that reads one message, says its part (`$ID` is the id of the call) and goes on, or
/// closes after it.
fn actor(listener: TcpListener, part: Vec<u8>, goes_on: bool) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut peer = Raw::accept(&listener).await;
        let first = peer.next().await;
        peer.send(with_id(&part, &first["id"].to_string())).await;
        if goes_on {
            behave(&mut peer).await;
        }
    })
}

/// The same bytes with the id where `$ID` stands.
fn with_id(part: &[u8], id: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = part;
    while let Some(at) = rest.windows(3).position(|w| w == b"$ID") {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(id.as_bytes());
        rest = &rest[at + 3..];
    }
    out.extend_from_slice(rest);
    out
}

#[tokio::test]
async fn whatever_comes_a_call_ends_and_nobody_gets_what_is_not_his() {
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
        // A line needs no line break if it is the last one.
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
        // A malformed answer is one all the same: the call is told, as it is over HTTP, and the
        // peer is not told of an invalid request.
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
async fn headers_of_a_message_may_lie() {
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
            let mut peer = Raw::accept(&listener).await;
            // The head, the empty line, and a body without an end of line.
            peer.line().await.unwrap();
            peer.send(part).await;
            match name {
                "half" => drop(peer),
                _ => drop(peer.rest().await),
            }
        });
        let url = format!("tcp://{address}?framing=content-length");
        let client = Client::builder(url).timeout(PATIENCE).build().unwrap();
        assert_eq!(outcome(call!(client.m()).await), Outcome::Closed, "{name}");
        assert_eq!(outcome(call!(client.m()).await), Outcome::NotSent, "{name}");
        drop(client);
        acting.await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_too_long_reaches_nobody() {
    let (listener, address) = listener().await;
    let long = result("$ID", &format!("\"{}\"", "x".repeat(5_000))) + "\n";
    let acting = actor(listener, long.into(), true);
    let client = client(address).max_response(1_000).build().unwrap();
    let error = call!(client.m()).await.map(|_: String| ()).unwrap_err();
    assert!(matches!(error.kind(), Kind::Unknown), "{error}");
    assert!(error.is_invalid_answer(), "{error}");
    assert_eq!(outcome(call!(client.m()).await), Outcome::Is(7));
    drop(client);
    acting.await.unwrap();
}

/// The peer guesses the ids of calls to come.
#[tokio::test]
async fn an_answer_before_the_question_answers_nothing() {
    let (listener, address) = listener().await;
    let (told, heard) = tokio::sync::oneshot::channel();
    let acting = tokio::spawn(async move {
        let mut peer = Raw::accept(&listener).await;
        let early = (0..10).map(|id: u32| result(&id.to_string(), "666"));
        peer.say(early.chain([request("\"p\"", "same", "[1]")]))
            .await;
        // Our request is answered behind all of that.
        assert_eq!(peer.next().await["result"], 1);
        told.send(()).unwrap();
        behave(&mut peer).await;
    });
    let here = Router::default().method_fn("same", |n: u64| n);
    let client = client(address).router(here).build().unwrap();
    client.ready().await.unwrap();
    heard.await.unwrap();
    for _ in 0..10 {
        assert_eq!(outcome(call!(client.m()).await), Outcome::Is(7));
    }
    drop(client);
    acting.await.unwrap();
}

/// An answer to a call that was given up belongs to nobody, and is no fault.
#[tokio::test]
async fn late_answers_are_no_fault() {
    let (listener, address) = listener().await;
    let acting = tokio::spawn(async move {
        let mut peer = Raw::accept(&listener).await;
        let mut late = Vec::new();
        while late.len() < 40 {
            let message = peer.next().await;
            if message["method"] == "m" {
                late.push(result(&message["id"].to_string(), "666"));
            } else {
                assert_eq!(message["method"], "$/cancelRequest");
            }
        }
        // Twenty calls are answered late, and twenty not at all.
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

/// `max_calls` are out, and one is told that it could not be read: its place is free.
#[tokio::test]
async fn a_call_that_could_not_be_read_leaves_its_place() {
    let (listener, address) = listener().await;
    let acting = actor(listener, format!("{PARSE_ERROR}\n").into(), true);
    let mut limits = antiphon::SessionLimits::default();
    limits.max_calls = 1;
    let client = client(address).session_limits(limits).build().unwrap();
    let first = tokio::spawn(call!(client.m()).into_future());
    let second = tokio::spawn(call!(client.m()).into_future());
    let ends = [first.await.unwrap(), second.await.unwrap()].map(outcome);
    // Whichever was first.
    assert!(ends.contains(&Outcome::Refused(-32700)), "{ends:?}");
    assert!(ends.contains(&Outcome::Is(7)), "{ends:?}");
    drop(client);
    acting.await.unwrap();
}

/// Three calls; what the server makes of them; what becomes of each.
#[tokio::test]
async fn answers_to_batches_come_in_any_shape() {
    use Outcome::{Is, Late, Refused};
    let (a, b, c) = (result("$A", "1"), result("$B", "2"), result("$C", "3"));
    let all: Option<[Outcome; 3]> = Some([Is(1), Is(2), Is(3)]);
    let refused = Some([Refused(-32700); 3]);
    let extra = result("999", "6");
    let table: Vec<(&str, String, Option<[Outcome; 3]>)> = vec![
        ("in order", format!("[{a},{b},{c}]\n"), all),
        ("in another order", format!("[{c},{a},{b}]\n"), all),
        ("one by one", format!("{b}\n{c}\n{a}\n"), all),
        ("in two arrays", format!("[{b}]\n[{c},{a}]\n"), all),
        ("one more", format!("[{a},{extra},{b},{c}]\n"), all),
        ("one twice", format!("[{a},{a},{b},{c}]\n"), all),
        (
            "with a request",
            format!("[{a},{},{b},{c}]\n", request("$A", "m", "[]")),
            all,
        ),
        (
            "one missing",
            format!("[{a},{c}]\n"),
            Some([Is(1), Late, Is(3)]),
        ),
        ("none", "[]\n".to_owned(), None),
        (
            "texts for numbers",
            format!("[{a},{b},{}]\n", result("\"$C\"", "6")),
            Some([Is(1), Is(2), Late]),
        ),
        ("one error for all", format!("{PARSE_ERROR}\n"), refused),
        (
            "one error for all in an array",
            format!("[{PARSE_ERROR}]\n"),
            refused,
        ),
    ];
    for (name, part, expected) in table {
        let (listener, address) = listener().await;
        let acting = tokio::spawn(async move {
            let mut peer = Raw::accept(&listener).await;
            let calls = peer.next().await;
            let mut part = part;
            for (at, place) in ["$A", "$B", "$C"].iter().enumerate() {
                part = part.replace(place, &calls[at]["id"].to_string());
            }
            peer.send(part).await;
            behave(&mut peer).await;
        });
        let client = client(address).build().unwrap();
        let mut batch = client.batch();
        if expected.is_none_or(|all| all.contains(&Late)) {
            batch = batch.timeout(SHORT);
        }
        let tickets = [1, 2, 3].map(|n| batch.call::<i64>("m", (n,)));
        match (batch.send().await, expected) {
            (Ok(mut responses), Some(expected)) => {
                let got = tickets.map(|ticket| outcome(responses.take(ticket)));
                assert_eq!(got, expected, "{name}");
            }
            (Err(error), None) => {
                assert!(matches!(error.kind(), Kind::Unknown), "{name}: {error}");
            }
            (got, expected) => panic!("{name}: {got:?}, not {expected:?}"),
        }
        assert_eq!(outcome(call!(client.add(3, 4)).await), Is(7), "{name}");
        drop(client);
        acting.await.unwrap();
    }
}

/// A connection that is closed before anything was asked.
#[tokio::test]
async fn a_server_that_hangs_up_at_once() {
    let (listener, address) = listener().await;
    let acting = tokio::spawn(async move {
        for _ in 0..20 {
            drop(Raw::accept(&listener).await);
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

/// One of a subscription's messages.
fn item(id: &str, rest: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"m","params":{{"subscription":{id},{rest}}}}}"#)
}

fn number(seq: u64, n: i64) -> String {
    item("\"s\"", &format!(r#""seq":{seq},"result":{n}"#))
}

fn told(next: Option<Result<i64, StreamError>>) -> String {
    match next {
        None => "end".to_owned(),
        Some(Ok(n)) => n.to_string(),
        Some(Err(StreamError::Gap { missed })) => format!("gap {missed}"),
        Some(Err(StreamError::Decode(_))) => "decode".to_owned(),
        Some(Err(StreamError::Failed(error))) => format!("failed {}", error.code().0),
        Some(Err(StreamError::Lagged)) => "lagged".to_owned(),
        Some(Err(StreamError::Shutdown)) => "shutdown".to_owned(),
        Some(Err(StreamError::Lost(_))) => "lost".to_owned(),
        Some(Err(other)) => format!("{other:?}"),
    }
}

#[tokio::test]
async fn items_of_a_subscription_may_be_anything() {
    let end = |how: &str| item("\"s\"", how);
    let complete = || end(r#""end":"complete""#);
    let table: Vec<(&str, Vec<String>, &[&str])> = vec![
        (
            "in order",
            vec![number(1, 1), number(2, 2), complete()],
            &["1", "2", "end"],
        ),
        (
            "of others",
            vec![
                item("\"t\"", r#""seq":1,"result":6"#),
                item("7", r#""result":6"#),
                number(1, 1),
                complete(),
            ],
            &["1", "end"],
        ),
        (
            "with a gap",
            vec![number(1, 1), number(4, 4), complete()],
            &["1", "gap 2", "4", "end"],
        ),
        (
            "a gap before the first",
            vec![number(3, 3), complete()],
            &["gap 2", "3", "end"],
        ),
        (
            "the largest number",
            vec![number(u64::MAX, 1), number(u64::MAX, 2), complete()],
            &["gap 18446744073709551614", "1", "2", "end"],
        ),
        (
            "twice the end",
            vec![number(1, 1), complete(), complete()],
            &["1", "end", "end"],
        ),
        (
            "after the end",
            vec![complete(), number(1, 1)],
            &["end", "end"],
        ),
        (
            "a gap before the end",
            vec![number(1, 1), end(r#""seq":4,"end":"complete""#)],
            &["1", "gap 2", "end"],
        ),
        (
            "lagged",
            vec![end(r#""seq":1,"end":"lagged""#)],
            &["lagged", "end"],
        ),
        (
            "shutdown",
            vec![end(r#""seq":1,"end":"shutdown""#)],
            &["shutdown", "end"],
        ),
        (
            "an unknown end",
            vec![end(r#""seq":1,"end":"because""#)],
            &["end"],
        ),
        (
            "an end that is no text",
            vec![end(r#""seq":1,"end":5"#)],
            &["decode", "end"],
        ),
        (
            "an error",
            vec![
                end(r#""seq":1,"error":{"code":5,"message":"x"}"#),
                number(2, 2),
            ],
            &["failed 5", "end"],
        ),
        (
            "an error that is none",
            vec![end(r#""seq":1,"error":7"#)],
            &["failed 0", "end"],
        ),
        (
            "another type",
            vec![
                item("\"s\"", r#""seq":1,"result":"x""#),
                number(2, 2),
                complete(),
            ],
            &["decode", "2", "end"],
        ),
        (
            "a strange number",
            vec![
                item("\"s\"", r#""seq":-1,"result":1"#),
                number(1, 1),
                complete(),
            ],
            &["decode", "1", "end"],
        ),
        (
            "nothing in it",
            vec![item("\"s\"", r#""seq":1"#), number(2, 2), complete()],
            &["2", "end"],
        ),
        (
            "not as agreed",
            vec![
                r#"{"jsonrpc":"2.0","method":"m","params":["s"]}"#.to_owned(),
                r#"{"jsonrpc":"2.0","method":"m"}"#.to_owned(),
                number(1, 1),
                complete(),
            ],
            &["1", "end"],
        ),
        (
            "without numbers",
            vec![
                item("\"s\"", r#""result":1"#),
                item("\"s\"", r#""result":2"#),
                complete(),
            ],
            &["1", "2", "end"],
        ),
        (
            "then the end of all",
            vec![number(1, 1)],
            &["1", "lost", "end"],
        ),
    ];
    let mut wrong = Vec::new();
    for (name, lines, expected) in table {
        let (listener, address) = listener().await;
        let closes = name == "then the end of all";
        let acting = tokio::spawn(async move {
            let mut peer = Raw::accept(&listener).await;
            let id = peer.next().await["id"].to_string();
            peer.say([result(&id, "\"s\"")].into_iter().chain(lines))
                .await;
            if !closes {
                behave(&mut peer).await;
            }
        });
        let client = client(address).build().unwrap();
        let mut items = client.subscribe::<i64>("m", ()).await.unwrap();
        for expected in expected {
            let next = tokio::time::timeout(PATIENCE, items.next()).await;
            let next = told(next.expect(name));
            if next != *expected {
                wrong.push(format!("{name}: {next}, not {expected}"));
                break;
            }
        }
        drop(items);
        if !closes {
            let next = outcome(call!(client.add(3, 4)).await);
            assert_eq!(next, Outcome::Is(7), "{name}");
        }
        drop(client);
        acting.await.unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_subscription_needs_an_id() {
    for id in ["{}", "[]", "null", "true"] {
        let (listener, address) = listener().await;
        let acting = actor(listener, (result("$ID", id) + "\n").into(), true);
        let client = client(address).build().unwrap();
        let error = client.subscribe::<i64>("m", ()).await.unwrap_err();
        assert!(matches!(error.kind(), Kind::Unknown), "{id}: {error}");
        assert!(error.is_invalid_answer(), "{id}: {error}");
        assert_eq!(outcome(call!(client.m()).await), Outcome::Is(7), "{id}");
        drop(client);
        acting.await.unwrap();
    }
}

/// Two subscriptions of one id: the items are the first one's, and the second is told.
#[tokio::test]
async fn a_server_that_gives_an_id_twice_takes_nothing_away_in_silence() {
    let (listener, address) = listener().await;
    let (go, going) = tokio::sync::oneshot::channel::<()>();
    let acting = tokio::spawn(async move {
        let mut peer = Raw::accept(&listener).await;
        for _ in 0..2 {
            let id = peer.next().await["id"].to_string();
            peer.say([result(&id, "\"s\"")]).await;
        }
        going.await.unwrap();
        peer.say([number(1, 1)]).await;
        behave(&mut peer).await;
    });
    let client = client(address).build().unwrap();
    let mut first = client.subscribe::<i64>("m", ()).await.unwrap();
    let mut second = client.subscribe::<i64>("m", ()).await.unwrap();
    assert_eq!(told(second.next().await), "lost");
    drop(second);
    go.send(()).unwrap();
    assert_eq!(told(first.next().await), "1");
    assert_eq!(outcome(call!(client.m()).await), Outcome::Is(7));
    drop((first, client));
    acting.await.unwrap();
}

/// A peer that cannot be reached is another matter than one that says nothing.
#[tokio::test]
async fn nobody_listens() {
    let (listener, address) = listener().await;
    drop(listener);
    let client = client(address).build().unwrap();
    let error = call!(client.m()).await.map(|_: i64| ()).unwrap_err();
    assert!(
        error.is_connect() && matches!(error.kind(), Kind::NotSent),
        "{error}"
    );
    assert_ne!(error.code(), Some(ErrorCode::TIMEOUT));
}
