//! Tests of client batches: one request, and each call gets its own response in any order.

use antiphon::client::{Client, Error, ErrorKind};
use antiphon::{ErrorObject, Id, Router};
use serde_json::{Value, json};

use crate::client_support::{self, Log, in_process, scripted};

/// A client whose batches are answered with this body.
fn answered(status: u16, body: &str) -> (Client, Log) {
    let body = body.to_owned();
    let (builder, log) = scripted(move |_| client_support::json(status, body.clone()));
    (builder.build().unwrap(), log)
}

/// Expands a short form into a valid batch response: `1=7` is a result, `2!x` an error.
fn entries(short: &str) -> String {
    let entry = |short: &str| match short.split_once('=') {
        Some((id, result)) => format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
        None => {
            let (id, message) = short.split_once('!').unwrap();
            let error = ErrorObject::new(5, message.to_owned()).to_json();
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
        }
    };
    let entries: Vec<_> = short.split_whitespace().map(entry).collect();
    format!("[{}]", entries.join(","))
}

/// Checks the outcomes of the calls 1, 2 and 3 for this response body. An expected outcome is a
/// result, `!` and the message of an error, or `?` and a part of the reason of `ErrorKind::Unknown`.
async fn check(body: &str, expected: [&str; 3]) {
    let (client, _) = answered(200, body);
    let mut batch = client.batch();
    let tickets = ["a", "b", "c"].map(|method| batch.call::<Value>(method, ()));
    let mut responses = batch.send().await.unwrap();
    assert_eq!(responses.len(), 3);
    for (ticket, expected) in tickets.into_iter().zip(expected) {
        let outcome = responses.take(ticket);
        match (outcome.as_ref().map_err(Error::kind), expected.split_at(1)) {
            (Ok(value), _) => assert_eq!(value.to_string(), expected, "{body}"),
            (Err(ErrorKind::Refused(error)), ("!", message)) => {
                assert_eq!(error.message(), message)
            }
            (Err(ErrorKind::Unknown), ("?", part)) => {
                let error = outcome.unwrap_err();
                assert!(error.is_invalid_answer());
                assert!(error.to_string().contains(part), "{body}: {error}");
            }
            _ => panic!("{body}: {outcome:?}, not {expected}"),
        }
    }
}

#[tokio::test]
async fn responses_may_come_in_any_order() {
    for order in [
        "1=1 2=2 3=3",
        "1=1 3=3 2=2",
        "2=2 1=1 3=3",
        "2=2 3=3 1=1",
        "3=3 1=1 2=2",
        "3=3 2=2 1=1",
    ] {
        check(&entries(order), ["1", "2", "3"]).await;
    }
    check(&entries("3!no 1=[1] 2=null"), ["[1]", "null", "!no"]).await;
}

#[tokio::test]
async fn a_response_that_does_not_fit_is_an_error_of_its_call() {
    for (body, expected) in [
        (entries("1=1 3=3"), ["1", "?leaves it out", "3"]),
        (
            entries("1=1 1=1 3=3"),
            ["?came twice", "?leaves it out", "3"],
        ),
        (
            entries("1=1 1!x 3=3"),
            ["?came twice", "?leaves it out", "3"],
        ),
        (
            entries("3=3 2=2 4=1"),
            ["?leaves it out, and has one to no call (id 4)", "2", "3"],
        ),
        (
            entries("\"1\"=1 2=2 3=3"),
            ["?to no call (id \"1\")", "2", "3"],
        ),
        (
            entries("1.0=1 2.0=2 3=3"),
            ["?has 2 to no call (the first: id 1.0)", "?", "3"],
        ),
        (
            entries("null!bad 2=2 3=3"),
            ["?to no call (id null: bad (5))", "2", "3"],
        ),
        (entries("null!bad"), ["?bad", "?bad", "?bad"]),
        (
            r#"[1, {"jsonrpc":"2.0","id":2}, {"jsonrpc":"2.0","id":3,"result":3}]"#.to_owned(),
            ["?leaves it out", "?neither a method nor one of", "3"],
        ),
        (
            r#"[{"jsonrpc":"1.0","id":1,"result":1}, {"jsonrpc":"2.0","id":2,"method":"m"}]"#
                .to_owned(),
            ["?another version", "?it is a request", "?leaves it out"],
        ),
        // One error for the whole batch.
        (
            entries("null!busy").trim_matches(['[', ']']).to_owned(),
            ["!busy", "!busy", "!busy"],
        ),
    ] {
        check(&body, expected).await;
    }
}

#[tokio::test]
async fn a_response_that_is_not_a_batch_response_is_an_error_of_the_batch() {
    let single = entries("1=1");
    let table = [
        (200, entries("1=1 2=2 3=3"), "too many entries"),
        (
            200,
            single.trim_matches(['[', ']']).to_owned(),
            "its id is 1",
        ),
        (200, "[]".to_owned(), "an empty batch"),
        (200, "[1".to_owned(), "not JSON"),
        (200, String::new(), "the body is empty"),
        (204, String::new(), "the body is empty"),
        (502, String::new(), "502 Bad Gateway"),
        (413, String::new(), "413 Payload Too Large"),
    ];
    for (status, body, expected) in table {
        let (client, _) = answered(status, &body);
        let mut batch = client.batch();
        let _ = (batch.call::<u8>("a", ()), batch.call::<u8>("b", ()));
        let error = batch.send().await.unwrap_err();
        let rejected = matches!(error.kind(), ErrorKind::Rejected { .. });
        assert!(rejected == (status == 413), "{error}");
        assert!(
            rejected || matches!(error.kind(), ErrorKind::Unknown),
            "{error}"
        );
        assert!(error.to_string().starts_with("the batch was "), "{error}");
        assert!(error.to_string().contains(expected), "{body}: {error}");
    }
    // As for a single call, a matching response counts, whatever the HTTP status is.
    let (client, _) = answered(400, &entries("1=1"));
    let mut batch = client.batch();
    let ticket = batch.call::<u8>("a", ());
    assert_eq!(batch.send().await.unwrap().take(ticket).unwrap(), 1);
}

#[tokio::test]
async fn a_batch_is_one_request_with_its_entries_in_order() {
    let (client, log) = answered(200, &entries("\"x\"=1 1=2"));
    let client = client.namespace("n");
    let mut batch = client.batch();
    assert!(batch.is_empty());
    let x = batch.call_with_id::<u8>("x", "a", (3,));
    batch.notify("b", [4]);
    let one = batch.call::<u8>("c", ());
    assert_eq!(batch.len(), 3);
    let mut responses = batch.send().await.unwrap();
    assert_eq!((responses.len(), responses.is_empty()), (2, false));
    assert_eq!(responses.status().unwrap(), 200);
    assert_eq!(responses.take(one).unwrap(), 2);
    assert_eq!(responses.take(x).unwrap(), 1);
    let log = log.lock().unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!(
        log[0].json(),
        json!([
            {"jsonrpc": "2.0", "id": "x", "method": "n.a", "params": [3]},
            {"jsonrpc": "2.0", "method": "n.b", "params": [4]},
            {"jsonrpc": "2.0", "id": 1, "method": "n.c"},
        ])
    );
}

#[tokio::test]
async fn an_empty_batch_sends_nothing() {
    let (client, log) = answered(500, "");
    let responses = client.batch().send().await.unwrap();
    assert!(responses.is_empty() && responses.status().is_none());
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_of_notifications_expects_no_body() {
    for (status, body, fits) in [
        (204, "", true),
        (202, "", true),
        (200, "[1]", true),
        (403, "", false),
    ] {
        let (client, log) = answered(status, body);
        let mut batch = client.batch();
        batch.notify("a", ());
        batch.notify("b", ());
        assert_eq!(batch.send().await.is_ok(), fits, "{status}");
        assert_eq!(log.lock().unwrap()[0].json().as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_batch_with_an_entry_that_cannot_be_sent_sends_nothing() {
    let (builder, log) = scripted(|_| unreachable!());
    let client = builder.data("token", 1).build().unwrap();
    let mut batch = client.batch();
    let _ = batch.call::<u8>("a", ());
    let _ = batch.call::<u8>("b", (1,));
    batch.notify("c", (2,));
    let error = batch.send().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`b`: cannot mix positional and named parameters"
    );

    let mut batch = client.batch();
    let _ = batch.call_with_id::<u8>(5, "a", ());
    let _ = batch.call_with_id::<u8>(5, "b", ());
    let error = batch.send().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`b`: another call of the batch has its id"
    );

    let mut batch = client.batch();
    let _ = batch.call_with_id::<u8>(Id::null(), "a", ());
    let error = batch.send().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Local), "{error}");
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_ticket_is_valid_only_for_its_own_batch() {
    let (client, _) = answered(200, &entries("\"x\"=1"));
    let mut one = client.batch();
    let mut other = client.batch();
    let mine = one.call_with_id::<u8>("x", "a", ());
    let foreign = other.call_with_id::<u8>("x", "a", ());
    let mut responses = one.send().await.unwrap();
    let error = responses.take(foreign).unwrap_err();
    assert!(error.to_string().contains("of another batch"), "{error}");
    assert_eq!(responses.take(mine).unwrap(), 1);
}

#[tokio::test]
async fn a_server_answers_a_batch_entry_by_entry() {
    let divide = |a: i64, b: i64| match a.checked_div(b) {
        Some(quotient) => Ok(quotient),
        None => Err(ErrorObject::new(1, "division by zero")),
    };
    let client = in_process(Router::new().method_fn("divide", divide).build().unwrap());
    let mut batch = client.batch();
    let good = batch.call::<i64>("divide", (7, 2));
    let bad = batch.call::<i64>("divide", (7, 0));
    batch.notify("divide", (1, 0));
    let unknown = batch.call::<i64>("multiply", ());
    let other_type = batch.call::<String>("divide", (1, 1));
    let mut responses = batch.send().await.unwrap();
    assert_eq!(responses.take(good).unwrap(), 3);
    assert_eq!(responses.take(bad).unwrap_err().code().unwrap().0, 1);
    assert_eq!(
        responses.take(unknown).unwrap_err().code().unwrap().0,
        -32601
    );
    assert!(responses.take(other_type).unwrap_err().is_decode());
}
