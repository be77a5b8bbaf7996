//! Calls and subscriptions from our WebSocket client to the server of `jsonrpsee`.

use std::time::Duration;

use antiphon::client::{Client, Error, ErrorKind, StreamError, Subscription};
use antiphon::{ErrorCode, ErrorObject, Params};
use interop::{DIVISION, Dividend, Site, jsonrpsee_server};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::soon;

async fn site() -> (Site, Client) {
    let site = jsonrpsee_server::start().await.unwrap();
    let client = Client::connect(site.web_socket()).unwrap();
    (site, client)
}

fn refused(error: &Error) -> &ErrorObject {
    match error.kind() {
        ErrorKind::Refused(error) => error,
        _ => panic!("{error}"),
    }
}

async fn numbers(client: &Client, name: &str, last: u64) -> Subscription<u64> {
    let opened = client
        .subscribe(name, (last,))
        .unsubscribe_method(format!("{name}_stop"));
    soon(opened.into_future()).await.unwrap()
}

/// The server ignores the member `timeout`, which it does not know.
#[tokio::test]
async fn calls_with_and_without_a_deadline_told() {
    let site = jsonrpsee_server::start().await.unwrap();
    for told in [true, false] {
        let client = Client::builder(site.web_socket()).tell_deadlines(told);
        let client = client.build().unwrap();
        let sum: f64 = client.call("calc.add", (3, 7)).await.unwrap();
        assert_eq!(sum, 10.0, "{told}");
        let named = Params::none().insert("b", 7).insert("a", 3);
        let sum: f64 = client.call("calc.add", named).await.unwrap();
        assert_eq!(sum, 10.0, "{told}");
        let pong: String = client.call("ping", ()).await.unwrap();
        assert_eq!(pong, "pong", "{told}");
        let mut items = numbers(&client, "numbers", 1).await;
        assert_eq!(soon(items.next()).await.unwrap().unwrap(), 1, "{told}");
    }
}

#[tokio::test]
async fn long_texts() {
    let (_site, client) = site().await;
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
    assert_eq!(object.data_as(), Some(Dividend { dividend: 5 }));
    let error = client.call::<Value>("none", ()).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::METHOD_NOT_FOUND));
    let error = client
        .subscribe::<u64>("numbers", ("x",))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::INVALID_PARAMS));
}

#[tokio::test]
async fn a_notification_is_taken_but_its_method_never_runs() {
    let (mut site, client) = site().await;
    client.notify("note", ("lost",)).await.unwrap();
    client.call::<()>("note", ("called",)).await.unwrap();
    assert_eq!(soon(site.noted.recv()).await.unwrap(), "called");
}

#[tokio::test]
async fn a_batch_brings_results_and_errors() {
    let (_site, client) = site().await;
    let mut batch = client.batch();
    let sum = batch.call::<f64>("calc.add", (3, 7));
    let quotient = batch.call::<i64>("calc.divide", (5, 0));
    let none = batch.call::<Value>("none", ());
    batch.notify("note", ("lost",));
    let mut answers = batch.send().await.unwrap();
    assert_eq!(answers.take(sum).unwrap(), 10.0);
    let error = answers.take(quotient).unwrap_err();
    assert_eq!(refused(&error).code().0, i64::from(DIVISION.0));
    let error = answers.take(none).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::METHOD_NOT_FOUND));
}

#[tokio::test]
async fn many_calls_in_flight() {
    let (_site, client) = site().await;
    let mut calls = JoinSet::new();
    for n in 0..500_u64 {
        let call = client.call::<u64>("sleep", (n % 7,));
        calls.spawn(async move { (n % 7, call.await.unwrap()) });
    }
    while let Some(call) = soon(calls.join_next()).await {
        let (asked, slept) = call.unwrap();
        assert_eq!(asked, slept);
    }
}

#[tokio::test]
async fn items_come_in_order_and_dropping_unsubscribes() {
    let (site, client) = site().await;
    let mut items = numbers(&client, "numbers", 500).await;
    // This server uses numbers as subscription ids.
    assert!(items.id().unwrap().parse::<u64>().is_ok());
    for n in 1..=500 {
        assert_eq!(soon(items.next()).await.unwrap().unwrap(), n);
    }
    assert_eq!(site.seen.gone.get(), 0);
    drop(items);
    site.seen.gone.reach(1).await;
    let pong: String = client.call("ping", ()).await.unwrap();
    assert_eq!(pong, "pong");
}

#[tokio::test]
async fn an_error_ends_a_stream() {
    let (_site, client) = site().await;
    let mut items = numbers(&client, "failing", 2).await;
    for n in 1..=2 {
        assert_eq!(soon(items.next()).await.unwrap().unwrap(), n);
    }
    match soon(items.next()).await {
        Some(Err(StreamError::Failed(error))) => {
            assert_eq!((error.code().0, error.message()), (9, "no more"));
            assert_eq!(error.data_as(), Some("dry"));
        }
        other => panic!("{other:?}"),
    }
    assert!(soon(items.next()).await.is_none());
}

/// A method of this server may end a stream with a text instead of an error object.
#[tokio::test]
async fn an_error_that_is_a_text_ends_a_stream_too() {
    let (_site, client) = site().await;
    let mut items = numbers(&client, "saying", 1).await;
    assert_eq!(soon(items.next()).await.unwrap().unwrap(), 1);
    match soon(items.next()).await {
        Some(Err(StreamError::Failed(error))) => {
            assert_eq!((error.code().0, error.message()), (0, "the well is dry"));
        }
        other => panic!("{other:?}"),
    }
    assert!(soon(items.next()).await.is_none());
}

/// The server sends nothing at the end, so the subscription stays open without items until it is
/// dropped.
#[tokio::test]
async fn an_end_without_an_error_is_not_told() {
    let (site, client) = site().await;
    let mut items = numbers(&client, "ending", 1).await;
    assert_eq!(soon(items.next()).await.unwrap().unwrap(), 1);
    site.seen.gone.reach(1).await;
    let pong: String = client.call("ping", ()).await.unwrap();
    assert_eq!(pong, "pong");
    let more = tokio::time::timeout(Duration::from_millis(50), items.next()).await;
    assert!(more.is_err(), "{more:?}");
}

/// The server does not know our cancel notification, so its method continues. The connection stays
/// open, and the late response is ignored.
#[tokio::test]
async fn a_call_that_is_given_up_runs_on() {
    let (site, client) = site().await;
    let hold = client.call::<()>("hold", ());
    let error = hold.timeout(Duration::from_millis(50)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let late = client.call::<u64>("sleep", (60,));
    let late = late.timeout(Duration::from_millis(20)).await.unwrap_err();
    assert!(late.is_timeout(), "{late}");
    for _ in 0..3 {
        let slept: u64 = client.call("sleep", (30,)).await.unwrap();
        assert_eq!(slept, 30);
    }
    assert_eq!((site.seen.begun.get(), site.seen.gone.get()), (1, 0));
}

#[tokio::test]
async fn a_server_that_goes_is_noticed() {
    let (site, client) = site().await;
    let mut items = numbers(&client, "numbers", 1).await;
    assert_eq!(soon(items.next()).await.unwrap().unwrap(), 1);
    drop(site);
    let end = soon(items.next()).await;
    assert!(matches!(end, Some(Err(StreamError::Lost(_)))), "{end:?}");
    assert!(soon(items.next()).await.is_none());
    let error = client.call::<String>("ping", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error}");
}
