//! Calls from the HTTP client of `jsonrpsee` to our server.

use std::time::Duration;

use interop::{DIVISION, Dividend, Site, antiphon_server};
use jsonrpsee::core::client::{ClientT, Error, IdKind};
use jsonrpsee::core::params::{BatchRequestBuilder, ObjectParams};
use jsonrpsee::core::rpc_params;
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee_http_client::{HttpClient, HttpClientBuilder};
use serde_json::{Value, json};
use tokio::time::timeout;

async fn site() -> (Site, HttpClient) {
    let site = antiphon_server::start().await.unwrap();
    let client = HttpClientBuilder::default().build(&site.url).unwrap();
    (site, client)
}

fn named() -> ObjectParams {
    let mut params = ObjectParams::new();
    params.insert("b", 7).unwrap();
    params.insert("a", 3).unwrap();
    params
}

/// The error object of a failed call.
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> ErrorObjectOwned {
    match outcome.unwrap_err() {
        Error::Call(error) => error,
        other => panic!("{other:?}"),
    }
}

fn data(error: &ErrorObjectOwned) -> Value {
    let text = error.data().map_or("null", |data| data.get());
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn calls_by_position_and_by_name() {
    let (_site, client) = site().await;
    let sum: f64 = client.request("calc.add", rpc_params![3, 7]).await.unwrap();
    assert_eq!(sum, 10.0);
    let sum: f64 = client.request("calc.add", named()).await.unwrap();
    assert_eq!(sum, 10.0);
    let pong: String = client.request("ping", rpc_params![]).await.unwrap();
    assert_eq!(pong, "pong");
    let text = "ü\n\"\u{1f600}".repeat(100_000);
    let echo: String = client.request("echo", rpc_params![&text]).await.unwrap();
    assert_eq!(echo, text);
}

#[tokio::test]
async fn ids_that_are_strings_come_back_as_strings() {
    let (site, _) = site().await;
    let builder = HttpClientBuilder::default().id_format(IdKind::String);
    let client = builder.build(&site.url).unwrap();
    let sum: f64 = client.request("calc.add", rpc_params![3, 7]).await.unwrap();
    assert_eq!(sum, 10.0);
    let mut batch = BatchRequestBuilder::new();
    batch.insert("calc.add", named()).unwrap();
    let answers = client.batch_request::<f64>(batch).await.unwrap();
    assert_eq!(answers.into_ok().unwrap().collect::<Vec<_>>(), [10.0]);
}

#[tokio::test]
async fn errors_arrive_with_code_message_and_data() {
    let (_site, client) = site().await;
    let error = refused(
        client
            .request::<i64, _>("calc.divide", rpc_params![5, 0])
            .await,
    );
    assert_eq!((error.code(), error.message()), DIVISION);
    let dividend: Dividend = serde_json::from_value(data(&error)).unwrap();
    assert_eq!(dividend, Dividend { dividend: 5 });

    let error = refused(client.request::<Value, _>("calc.none", rpc_params![]).await);
    assert_eq!(
        (error.code(), error.message()),
        (-32601, "Method not found")
    );
    assert_eq!(data(&error), Value::Null);

    let error = refused(client.request::<Value, _>("calc.add", rpc_params![3]).await);
    assert_eq!(error.code(), -32602);
    assert_eq!(data(&error), json!({"parameter": "b", "reason": "missing"}));
    let error = refused(
        client
            .request::<Value, _>("calc.add", rpc_params![3, "x"])
            .await,
    );
    assert_eq!(error.code(), -32602);
    assert_eq!(data(&error)["reason"], "type");
}

#[tokio::test]
async fn a_notification_runs() {
    let (mut site, client) = site().await;
    client
        .notification("note", rpc_params!["done"])
        .await
        .unwrap();
    let noted = timeout(Duration::from_secs(5), site.noted.recv()).await;
    assert_eq!(noted.unwrap().unwrap(), "done");
    // Errors of notifications are never reported, and the connection stays usable.
    client.notification("nothing", rpc_params![]).await.unwrap();
    let pong: String = client.request("ping", rpc_params![]).await.unwrap();
    assert_eq!(pong, "pong");
}

#[tokio::test]
async fn a_batch_brings_results_and_errors_in_order() {
    let (_site, client) = site().await;
    let mut batch = BatchRequestBuilder::new();
    batch.insert("calc.add", rpc_params![3, 7]).unwrap();
    batch.insert("calc.divide", rpc_params![5, 0]).unwrap();
    batch.insert("none", rpc_params![]).unwrap();
    batch.insert("calc.add", named()).unwrap();
    let answers = client.batch_request::<Value>(batch).await.unwrap();
    assert_eq!(
        (answers.num_successful_calls(), answers.num_failed_calls()),
        (2, 2)
    );
    let came: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.map_err(|error| error.code()))
        .collect();
    assert_eq!(
        came,
        [
            Ok(json!(10.0)),
            Err(DIVISION.0),
            Err(-32601),
            Ok(json!(10.0))
        ]
    );
}

/// The server answers a batch that is too long with one error object, which this client cannot
/// parse.
#[tokio::test]
async fn a_batch_that_is_too_long_is_an_error_of_parsing_to_this_client() {
    let (_site, client) = site().await;
    let batch = |length| {
        let mut batch = BatchRequestBuilder::new();
        for _ in 0..length {
            batch.insert("ping", rpc_params![]).unwrap();
        }
        batch
    };
    let answers = client.batch_request::<String>(batch(100)).await.unwrap();
    assert_eq!(answers.num_successful_calls(), 100);
    let error = client
        .batch_request::<String>(batch(101))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ParseError(_)), "{error:?}");
}

#[tokio::test]
async fn many_calls_at_the_same_time() {
    let (_site, client) = site().await;
    let calls = (0..64).map(|n| {
        let client = client.clone();
        let call = async move {
            client
                .request::<f64, _>("calc.add", rpc_params![n, 1])
                .await
        };
        tokio::spawn(call)
    });
    let calls: Vec<_> = calls.collect();
    for (n, call) in (1..).zip(calls) {
        assert_eq!(call.await.unwrap().unwrap(), f64::from(n));
    }
}
