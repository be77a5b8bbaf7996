//! Calls and subscriptions from the WebSocket client of `jsonrpsee` to our server.

use std::time::Duration;

use interop::{DIVISION, Dividend, Site, antiphon_server};
use jsonrpsee::core::client::{ClientT, Error, Subscription, SubscriptionClientT};
use jsonrpsee::core::params::{BatchRequestBuilder, ObjectParams};
use jsonrpsee::core::rpc_params;
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee_ws_client::{PingConfig, WsClient, WsClientBuilder};
use serde_json::{Value, json};

use crate::soon;

async fn site() -> (Site, WsClient) {
    let site = antiphon_server::start().await.unwrap();
    let client = soon(WsClientBuilder::default().build(site.web_socket())).await;
    (site, client.unwrap())
}

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

async fn numbers(client: &WsClient, name: &str, last: u64) -> Subscription<u64> {
    let stop = format!("{name}_stop");
    let opened = client.subscribe::<u64, _>(name, rpc_params![last], &stop);
    soon(opened).await.unwrap()
}

#[tokio::test]
async fn calls_by_position_and_by_name() {
    let (_site, client) = site().await;
    let sum: f64 = soon(client.request("calc.add", rpc_params![3, 7]))
        .await
        .unwrap();
    assert_eq!(sum, 10.0);
    let mut named = ObjectParams::new();
    named.insert("b", 7).unwrap();
    named.insert("a", 3).unwrap();
    let sum: f64 = soon(client.request("calc.add", named)).await.unwrap();
    assert_eq!(sum, 10.0);
    let text = "ü\n\"\u{1f600}".repeat(100_000);
    let echo: String = soon(client.request("echo", rpc_params![&text]))
        .await
        .unwrap();
    assert_eq!(echo, text);
}

#[tokio::test]
async fn errors_arrive_with_code_message_and_data() {
    let (_site, client) = site().await;
    let divide = client.request::<i64, _>("calc.divide", rpc_params![5, 0]);
    let error = refused(soon(divide).await);
    assert_eq!((error.code(), error.message()), DIVISION);
    let dividend: Dividend = serde_json::from_value(data(&error)).unwrap();
    assert_eq!(dividend, Dividend { dividend: 5 });
    let error = refused(soon(client.request::<Value, _>("none", rpc_params![])).await);
    assert_eq!(
        (error.code(), error.message()),
        (-32601, "Method not found")
    );
    let error = refused(soon(client.request::<Value, _>("calc.add", rpc_params![3])).await);
    assert_eq!(data(&error), json!({"parameter": "b", "reason": "missing"}));
}

#[tokio::test]
async fn notifications_run_in_their_order() {
    let (mut site, client) = site().await;
    for n in 0..50 {
        let text = n.to_string();
        soon(client.notification("note", rpc_params![text]))
            .await
            .unwrap();
    }
    for n in 0..50 {
        assert_eq!(soon(site.noted.recv()).await.unwrap(), n.to_string());
    }
}

#[tokio::test]
async fn a_batch_brings_results_and_errors_in_order() {
    let (_site, client) = site().await;
    let mut batch = BatchRequestBuilder::new();
    batch.insert("calc.add", rpc_params![3, 7]).unwrap();
    batch.insert("calc.divide", rpc_params![5, 0]).unwrap();
    batch.insert("none", rpc_params![]).unwrap();
    batch.insert("ping", rpc_params![]).unwrap();
    let answers = soon(client.batch_request::<Value>(batch)).await.unwrap();
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
            Ok(json!("pong"))
        ]
    );
}

/// Over HTTP this is a parse error. Here the client cannot match the single error object with any
/// of its calls, and closes the connection.
#[tokio::test]
async fn a_batch_that_is_too_long_costs_this_client_its_connection() {
    let (_site, client) = site().await;
    let mut batch = BatchRequestBuilder::new();
    for _ in 0..101 {
        batch.insert("ping", rpc_params![]).unwrap();
    }
    let error = soon(client.batch_request::<String>(batch))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::RestartNeeded(_)), "{error:?}");
    assert!(!client.is_connected());
}

#[tokio::test]
async fn many_calls_at_the_same_time() {
    let (_site, client) = site().await;
    let client = std::sync::Arc::new(client);
    let calls = (0..200).map(|n| {
        let client = client.clone();
        tokio::spawn(async move {
            let sum = client.request::<f64, _>("calc.add", rpc_params![n, 1]);
            sum.await
        })
    });
    let calls: Vec<_> = calls.collect();
    for (n, call) in (1..).zip(calls) {
        assert_eq!(soon(call).await.unwrap().unwrap(), f64::from(n));
    }
}

#[tokio::test]
async fn its_pings_are_answered() {
    let site = antiphon_server::start().await.unwrap();
    let quick = Duration::from_millis(20);
    let pings = PingConfig::new()
        .ping_interval(quick)
        .inactive_limit(Duration::from_secs(2))
        .max_failures(1);
    let client = WsClientBuilder::default().enable_ws_ping(pings);
    let client = soon(client.build(site.web_socket())).await.unwrap();
    tokio::time::sleep(quick * 10).await;
    let pong: String = soon(client.request("ping", rpc_params![])).await.unwrap();
    assert_eq!(pong, "pong");
}

/// Items with the members `seq` and `end`, and without them.
#[tokio::test]
async fn items_come_in_order_and_dropping_ends_the_stream() {
    let (site, client) = site().await;
    for name in ["plain", "full"] {
        let gone = site.seen.gone.get();
        let mut items = numbers(&client, name, 500).await;
        for n in 1..=500 {
            assert_eq!(soon(items.next()).await.unwrap().unwrap(), n, "{name}");
        }
        assert_eq!(site.seen.gone.get(), gone, "{name}");
        drop(items);
        site.seen.gone.reach(gone + 1).await;
        let mut items = numbers(&client, name, 3).await;
        assert_eq!(soon(items.next()).await.unwrap().unwrap(), 1, "{name}");
        soon(items.unsubscribe()).await.unwrap();
        site.seen.gone.reach(gone + 2).await;
    }
    let pong: String = soon(client.request("ping", rpc_params![])).await.unwrap();
    assert_eq!(pong, "pong");
}

/// This client does not support the end of a stream without an error, so the stream stays open on
/// its side: a plain stream sends nothing at its end, and the client ignores the message with
/// `end`.
#[tokio::test]
async fn an_end_without_an_error_is_not_heard() {
    let (site, client) = site().await;
    for (count, name) in (1..).zip(["plain_ending", "full_ending"]) {
        let mut items = numbers(&client, name, 2).await;
        for n in 1..=2 {
            assert_eq!(soon(items.next()).await.unwrap().unwrap(), n, "{name}");
        }
        site.seen.gone.reach(count).await;
        // The response is behind the end of the stream, so the client has already ignored the end.
        let pong: String = soon(client.request("ping", rpc_params![])).await.unwrap();
        assert_eq!(pong, "pong");
        let more = tokio::time::timeout(Duration::from_millis(50), items.next()).await;
        assert!(more.is_err(), "{name}: {more:?}");
        drop(items);
    }
    // Unsubscribing from an ended stream is no error.
    let pong: String = soon(client.request("ping", rpc_params![])).await.unwrap();
    assert_eq!(pong, "pong");
}

#[tokio::test]
async fn an_error_ends_its_stream() {
    let (_site, client) = site().await;
    for name in ["plain_failing", "full_failing"] {
        let mut items = numbers(&client, name, 2).await;
        for n in 1..=2 {
            assert_eq!(soon(items.next()).await.unwrap().unwrap(), n, "{name}");
        }
        assert!(soon(items.next()).await.is_none(), "{name}");
    }
}

#[tokio::test]
async fn the_methods_of_ethereum() {
    let (site, client) = site().await;
    let subscribe = async |params| {
        let opened = client.subscribe::<Value, _>("eth_subscribe", params, "eth_unsubscribe");
        soon(opened).await
    };
    let mut heads = subscribe(rpc_params!["newHeads"]).await.unwrap();
    let mut logs = subscribe(rpc_params!["logs", json!({"address": "0x7"})])
        .await
        .unwrap();
    for number in ["0x1", "0x2"] {
        assert_eq!(
            soon(heads.next()).await.unwrap().unwrap(),
            json!({ "number": number })
        );
    }
    assert_eq!(
        soon(logs.next()).await.unwrap().unwrap(),
        json!({"address": "0x7"})
    );

    let error = refused(subscribe(rpc_params!["nothing"]).await.map(|_| ()));
    assert_eq!(
        (error.code(), error.message()),
        (-32602, "no such subscription")
    );

    soon(heads.unsubscribe()).await.unwrap();
    site.seen.gone.reach(1).await;
    let ended: bool = soon(client.request("eth_unsubscribe", rpc_params!["0x1"]))
        .await
        .unwrap();
    assert!(!ended);
    drop(logs);
    site.seen.gone.reach(2).await;
}

#[tokio::test]
async fn a_client_that_goes_takes_its_streams_and_calls_along() {
    let (site, client) = site().await;
    let client = std::sync::Arc::new(client);
    let items = numbers(&client, "full", 1).await;
    let calling = client.clone();
    let call = tokio::spawn(async move { calling.request::<(), _>("hold", rpc_params![]).await });
    site.seen.begun.reach(2).await;
    call.abort();
    drop(items);
    let _ = call.await;
    drop(client);
    site.seen.gone.reach(2).await;
}

#[tokio::test]
async fn a_server_that_goes_ends_its_streams() {
    let (site, client) = site().await;
    let mut items = numbers(&client, "full", 1).await;
    assert_eq!(soon(items.next()).await.unwrap().unwrap(), 1);
    drop(site);
    assert!(soon(items.next()).await.is_none());
    soon(client.on_disconnect()).await;
}
