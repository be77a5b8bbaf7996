//! Tests of the messages around an outage, of a server that may send anything.

use std::collections::VecDeque;

use antiphon::client::Client;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::super::raw::{RawPeer, TEST_TIMEOUT, result};
use super::{expect, soon};

/// The messages of a server on its first connection and on the second one, after which cursor the client
/// asks there, and what its program sees.
#[tokio::test]
async fn every_sequence_of_messages_around_an_outage_has_a_defined_outcome() {
    let item = |rest: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"m","params":{{"subscription":"s",{rest}}}}}"#)
    };
    let at = |seq: u64, n: i64| item(&format!(r#""seq":{seq},"cursor":"c{n}","result":{n}"#));
    let long = item(&format!(r#""cursor":"{}","result":1"#, "c".repeat(255)));
    let longest = format!("\"{}\"", "c".repeat(254));
    let almost = item(&format!(r#""cursor":{longest},"result":1"#));
    let shutdown = |seq: u64| item(&format!(r#""seq":{seq},"end":"shutdown""#));
    let complete = item(r#""end":"complete""#);
    type Case<'a> = (
        &'a str,
        Vec<String>,
        Option<&'a str>,
        Vec<String>,
        &'a [&'a str],
    );
    let cases: Vec<Case<'_>> = vec![
        (
            "nothing",
            vec![],
            None,
            vec![at(1, 1)],
            &["interrupted", "1"],
        ),
        (
            "the place where it begins",
            vec![item(r#""cursor":"c0""#)],
            Some("\"c0\""),
            vec![at(1, 1)],
            &["1"],
        ),
        (
            "a place, and then items without one",
            vec![item(r#""cursor":"c0""#), item(r#""seq":1,"result":1"#)],
            None,
            vec![item(r#""seq":1,"result":1"#)],
            &["1", "interrupted", "1"],
        ),
        (
            "no gap",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![at(1, 2)],
            &["1", "2"],
        ),
        (
            "the last of many",
            vec![at(1, 1), at(2, 2), at(3, 3)],
            Some("\"c3\""),
            vec![at(1, 4)],
            &["1", "2", "3", "4"],
        ),
        (
            "some are missing",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![
                item(r#""seq":1,"missed":3,"cursor":"c5","result":5"#),
                at(2, 6),
            ],
            &["1", "gap 3", "5", "6"],
        ),
        (
            "and some were dropped",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(r#""seq":3,"missed":3,"cursor":"c7","result":7"#)],
            &["1", "gap 5", "7"],
        ),
        (
            "nobody knows",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(r#""seq":3,"missed":null,"cursor":"c7","result":7"#)],
            &["1", "gap", "7"],
        ),
        (
            "none is missing",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(r#""seq":1,"missed":0,"cursor":"c2","result":2"#)],
            &["1", "2"],
        ),
        (
            "a strange number",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(r#""seq":1,"missed":"x","cursor":"c2","result":2"#)],
            &["1", "gap", "2"],
        ),
        (
            "the largest number",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(
                r#""seq":9,"missed":18446744073709551615,"cursor":"c2","result":2"#,
            )],
            &["1", "gap 18446744073709551615", "2"],
        ),
        (
            "it has forgotten what cursors are",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(r#""seq":1,"result":2"#), item(r#""seq":2,"result":3"#)],
            &["1", "gap", "2", "3"],
        ),
        (
            "it never knew",
            vec![item(r#""seq":1,"result":1"#)],
            None,
            vec![item(r#""seq":1,"result":1"#)],
            &["1", "interrupted", "1"],
        ),
        (
            "the last one has none",
            vec![at(1, 1), item(r#""seq":2,"result":2"#)],
            None,
            vec![at(1, 3)],
            &["1", "2", "interrupted", "3"],
        ),
        (
            "the longest",
            vec![almost],
            Some(&longest),
            vec![at(1, 2)],
            &["1", "2"],
        ),
        (
            "too long",
            vec![long],
            None,
            vec![at(1, 2)],
            &["1", "interrupted", "2"],
        ),
        (
            "no text",
            vec![item(r#""cursor":7,"key":[],"result":1"#)],
            None,
            vec![at(1, 2)],
            &["1", "interrupted", "2"],
        ),
        (
            "of another type",
            vec![item(r#""cursor":"c1","result":"x""#)],
            Some("\"c1\""),
            vec![at(1, 2)],
            &["decode", "2"],
        ),
        (
            "cut within a message",
            vec![at(1, 1), at(2, 2).split_off(30).split_off(20)],
            Some("\"c1\""),
            vec![at(1, 2)],
            &["1", "2"],
        ),
        (
            "a server that stops",
            vec![at(1, 1), shutdown(2)],
            Some("\"c1\""),
            vec![at(1, 2)],
            &["1", "2"],
        ),
        (
            "with items left out that come again",
            vec![at(1, 1), shutdown(4)],
            Some("\"c1\""),
            vec![at(1, 2), at(2, 3)],
            &["1", "2", "3"],
        ),
        (
            "with items left out",
            vec![item(r#""seq":1,"result":1"#), shutdown(4)],
            None,
            vec![item(r#""seq":1,"result":1"#)],
            &["1", "gap 2", "interrupted", "1"],
        ),
        (
            "complete before",
            vec![at(1, 1), complete.clone()],
            None,
            vec![],
            &["1", "end", "end"],
        ),
        (
            "complete after",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![complete],
            &["1", "end", "end"],
        ),
        (
            "some are missing before the end",
            vec![at(1, 1), item(r#""seq":3,"missed":2,"end":"complete""#)],
            None,
            vec![],
            &["1", "gap 3", "end", "end"],
        ),
        (
            "nobody knows before an error",
            vec![
                at(1, 1),
                item(r#""seq":2,"missed":null,"error":{"code":7,"message":"no"}"#),
            ],
            None,
            vec![],
            &[
                "1",
                "gap",
                r#"Failed({"code":7,"message":"no"})"#,
                "end",
                "end",
            ],
        ),
    ];
    for (what, first, after, second, expected) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acting = tokio::spawn(async move {
            let mut asked = Vec::new();
            let mut parts = VecDeque::from([first, second]);
            while let Some(lines) = parts.pop_front() {
                let mut peer = RawPeer::accept(&listener).await;
                let request = peer.next().await;
                asked.push(request["after"].clone());
                let id = request["id"].to_string();
                peer.say([result(&id, "\"s\"")].into_iter().chain(lines))
                    .await;
                if parts.is_empty() {
                    // It stays until the client goes.
                    peer.rest().await;
                }
            }
            asked
        });
        let client = Client::builder(format!("tcp://{address}")).timeout(TEST_TIMEOUT);
        let client = client.reconnect(soon()).build().unwrap();
        let mut items = client.subscribe::<u64>("m", ()).await.unwrap();
        expect(&mut items, expected, what).await;
        drop((items, client));
        if expected.ends_with(&["end", "end"]) && after.is_none() {
            acting.abort();
            continue;
        }
        let asked = timeout(TEST_TIMEOUT, acting).await.unwrap().unwrap();
        let after: Value = after.map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        assert_eq!(asked, [Value::Null, after], "{what}");
    }
}
