//! Calls from our HTTP client to the server of `jsonrpsee`.

use antiphon::client::{Client, Error, ErrorKind};
use antiphon::{ErrorCode, ErrorObject, Id, Params};
use interop::{DIVISION, Dividend, Site, jsonrpsee_server};
use serde_json::{Value, json};

async fn site() -> (Site, Client) {
    let site = jsonrpsee_server::start().await.unwrap();
    let client = Client::connect(&site.url).unwrap();
    (site, client)
}

/// The error object of a failed call.
fn refused(error: &Error) -> &ErrorObject {
    match error.kind() {
        ErrorKind::Refused(error) => error,
        _ => panic!("{error}"),
    }
}

#[tokio::test]
async fn calls_by_position_and_by_name() {
    let (_site, client) = site().await;
    let sum: f64 = client.call("calc.add", (3, 7)).await.unwrap();
    assert_eq!(sum, 10.0);
    let named = Params::none().insert("b", 7).insert("a", 3);
    let sum: f64 = client.call("calc.add", named).await.unwrap();
    assert_eq!(sum, 10.0);
    let sum: f64 = antiphon::call!(client.calc.add(3, 7)).await.unwrap();
    assert_eq!(sum, 10.0);
    let pong: String = client.call("ping", ()).await.unwrap();
    assert_eq!(pong, "pong");
    let text = "ü\n\"\u{1f600}".repeat(100_000);
    let echo: String = client.call("echo", (&text,)).await.unwrap();
    assert_eq!(echo, text);
}

#[tokio::test]
async fn errors_arrive_with_code_message_and_data() {
    let (_site, client) = site().await;
    let error = client.call::<i64>("calc.divide", (5, 0)).await.unwrap_err();
    let object = refused(&error);
    assert_eq!(
        (object.code().0, object.message()),
        (i64::from(DIVISION.0), DIVISION.1)
    );
    let dividend: Dividend = object.data_as().unwrap();
    assert_eq!(dividend, Dividend { dividend: 5 });

    let error = client.call::<Value>("none", ()).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::METHOD_NOT_FOUND));
    let error = client.call::<Value>("calc.add", (3,)).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::INVALID_PARAMS));
}

#[tokio::test]
async fn a_batch_brings_results_and_errors() {
    let (_site, client) = site().await;
    let mut batch = client.batch();
    let sum = batch.call::<f64>("calc.add", (3, 7));
    let quotient = batch.call::<i64>("calc.divide", (5, 0));
    batch.notify("note", ("in a batch",));
    let nothing = batch.call::<Value>("none", ());
    let named = batch.call_with_id::<f64>("x", "calc.add", json!({"a": 3, "b": 7}));
    let mut answers = batch.send().await.unwrap();
    assert_eq!(answers.take(named).unwrap(), 10.0);
    assert_eq!(answers.take(sum).unwrap(), 10.0);
    let error = answers.take(quotient).unwrap_err();
    assert_eq!(refused(&error).code().0, i64::from(DIVISION.0));
    let error = answers.take(nothing).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::METHOD_NOT_FOUND));
}

/// The server answers a notification with status 200 and the body `null`, and does not run the
/// method.
#[tokio::test]
async fn a_notification_is_taken_but_its_method_never_runs() {
    let (mut site, client) = site().await;
    client.notify("note", ("alone",)).await.unwrap();
    let mut batch = client.batch();
    batch.notify("note", ("in a batch",));
    batch.send().await.unwrap();
    let () = client.call("note", ("called",)).await.unwrap();
    assert_eq!(site.noted.recv().await.unwrap(), "called");
}

#[tokio::test]
async fn ids_that_it_knows_come_back() {
    let (_site, client) = site().await;
    for id in ["0", "18446744073709551615", r#""x""#, r#""ü\"""#] {
        let id = Id::from_json(id).unwrap();
        let pong = client.call::<String>("ping", ()).id(id.clone()).await;
        assert_eq!(pong.unwrap(), "pong", "{id}");
    }
}

/// The server answers other numbers with `null`, because it cannot represent them. It escapes
/// strings differently, and our client compares ids byte by byte. So neither is accepted as the
/// response.
#[tokio::test]
async fn ids_that_it_loses_or_changes_are_no_answer() {
    let (_site, client) = site().await;
    for (id, body) in [
        ("-1", "null"),
        ("1.5", "null"),
        ("18446744073709551616", "null"),
        (
            r#""\u00fc""#,
            r#"{"jsonrpc":"2.0","id":"ü","result":"pong"}"#,
        ),
    ] {
        let call = client.call::<String>("ping", ());
        let answer = call.id(Id::from_json(id).unwrap()).full().await.unwrap();
        assert_eq!(
            (answer.status.as_u16(), &answer.body[..]),
            (200, body.as_bytes()),
            "{id}"
        );
        let error = answer.result.unwrap_err();
        assert!(error.is_invalid_answer(), "{id}: {error}");
    }
}

/// The server returns an error of its own; ours would return status 413 and a plain sentence.
#[tokio::test]
async fn a_body_that_is_too_long_is_an_error() {
    let (_site, client) = site().await;
    let text = "x".repeat(10 * 1024 * 1024);
    let error = client.call::<String>("echo", (text,)).await.unwrap_err();
    // The server may close the connection before our client has read the reason.
    match error.kind() {
        ErrorKind::Refused(object) => assert_eq!(object.code().0, -32007),
        ErrorKind::Unknown => {}
        _ => panic!("{error}"),
    }
}
