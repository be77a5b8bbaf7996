//! Tests of responses to batches.

use antiphon::call;
use antiphon::client::ErrorKind;

use super::super::raw::{RawPeer, result};
use super::{Outcome, SHORT, behave, client, listener, outcome};
use crate::support::{PARSE_ERROR, call as request};

/// Each case has the response of the server to three calls and the outcome of each call.
#[tokio::test]
async fn each_call_of_a_batch_ends_for_every_shape_of_response() {
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
            let mut peer = RawPeer::accept(&listener).await;
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
                assert!(
                    matches!(error.kind(), ErrorKind::Unknown),
                    "{name}: {error}"
                );
            }
            (got, expected) => panic!("{name}: {got:?}, not {expected:?}"),
        }
        assert_eq!(outcome(call!(client.add(3, 4)).await), Is(7), "{name}");
        drop(client);
        acting.await.unwrap();
    }
}
