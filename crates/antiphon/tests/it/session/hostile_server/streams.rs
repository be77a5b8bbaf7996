//! Tests of the messages of subscriptions.

use antiphon::call;
use antiphon::client::{ErrorKind, StreamError};

use super::super::raw::{RawPeer, TEST_TIMEOUT, result};
use super::{Outcome, actor, behave, client, listener, outcome};

/// A message of a subscription.
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
        Some(Err(StreamError::Gap { missed: Some(n) })) => format!("gap {n}"),
        Some(Err(StreamError::Gap { missed: None })) => "gap".to_owned(),
        Some(Err(StreamError::Interrupted)) => "interrupted".to_owned(),
        Some(Err(StreamError::Decode(_))) => "decode".to_owned(),
        Some(Err(StreamError::Failed(error))) => format!("failed {}", error.code().0),
        Some(Err(StreamError::Lagged)) => "lagged".to_owned(),
        Some(Err(StreamError::Shutdown)) => "shutdown".to_owned(),
        Some(Err(StreamError::Lost(_))) => "lost".to_owned(),
        Some(Err(other)) => format!("{other:?}"),
    }
}

#[tokio::test]
async fn every_sequence_of_items_has_a_defined_outcome() {
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
            let mut peer = RawPeer::accept(&listener).await;
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
            let next = tokio::time::timeout(TEST_TIMEOUT, items.next()).await;
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
        assert!(matches!(error.kind(), ErrorKind::Unknown), "{id}: {error}");
        assert!(error.is_invalid_answer(), "{id}: {error}");
        assert_eq!(outcome(call!(client.m()).await), Outcome::Is(7), "{id}");
        drop(client);
        acting.await.unwrap();
    }
}

/// Two subscriptions get the same id. The first one gets the items, and the second gets an error.
#[tokio::test]
async fn a_duplicate_subscription_id_is_an_error() {
    let (listener, address) = listener().await;
    let (go, going) = tokio::sync::oneshot::channel::<()>();
    let acting = tokio::spawn(async move {
        let mut peer = RawPeer::accept(&listener).await;
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
