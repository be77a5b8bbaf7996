//! Calls, notifications and batches; names that a subject cannot hold; limits.

use std::time::Duration;

use antiphon::client::ErrorKind;
use antiphon::{Context, Router};
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::broker::{Broker, router};

fn calculator() -> Router {
    Router::new().method_fn("add", |a: f64, b: f64| a + b)
}

#[tokio::test]
async fn calls_notifications_and_batches_reach_the_servers_of_their_namespaces() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let (note, mut noted) = mpsc::unbounded_channel();
    let notes = Router::new().method_fn("note", move |text: String| drop(note.send(text)));
    let one = router().nest("calc", calculator());
    let other = router().nest("notes", notes);
    let _servers = (
        broker.serve("shop", one).await,
        broker.serve("shop", other).await,
    );
    let client = broker.client("shop");
    for n in 0..100 {
        let sum: f64 = client.call("calc.add", (n, 1)).await.unwrap();
        assert_eq!(sum, f64::from(n) + 1.0);
    }
    client.notify("notes.note", ("done",)).await.unwrap();
    assert_eq!(noted.recv().await.unwrap(), "done");

    let mut batch = client.batch();
    let sum = batch.call::<f64>("calc.add", (3, 4));
    let unknown = batch.call::<f64>("calc.sub", (3, 4));
    let unserved = batch.call::<f64>("text.join", (3, 4));
    batch.notify("notes.note", ("in a batch",));
    let wrong = batch.call::<f64>("calc.add", ("x",));
    let mut responses = batch.send().await.unwrap();
    assert_eq!(responses.take(sum).unwrap(), 7.0);
    let mut code = |ticket| responses.take(ticket).unwrap_err().code().unwrap().0;
    assert_eq!(code(unknown), -32601);
    assert_eq!(code(unserved), -32601);
    assert_eq!(code(wrong), -32602);
    assert_eq!(noted.recv().await.unwrap(), "in a batch");

    let elsewhere = broker.client("elsewhere");
    let error = elsewhere.call::<Value>("calc.add", (1, 2)).await;
    assert_eq!(error.unwrap_err().code().unwrap().0, -32601);
}

#[tokio::test]
async fn no_name_leaves_its_service_and_each_reaches_its_own_method() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let names = [
        "a.*", "a.>", "*", ">", "a b", "größe", "..", "a..b", ".x", "x.", "%2E", "$SYS.x",
    ];
    let long = "n".repeat(256);
    let mut served = router();
    for name in names.into_iter().chain([long.as_str()]) {
        let own = name.to_owned();
        served = served.method_fn(name, move || own.clone());
    }
    let _server = broker.serve("shop", served).await;
    let client = broker.client("shop");
    for name in names.into_iter().chain([long.as_str()]) {
        let answer: String = client.call(name, ()).await.unwrap();
        assert_eq!(answer, name);
    }
    for name in ["b.*", "rpc.>", "a.c", "?", "a\r\nPUB x"] {
        let error = client.call::<String>(name, ()).await.unwrap_err();
        assert_eq!(error.code().unwrap().0, -32601, "{name}");
    }
    let error = client.call::<String>(&"*".repeat(1000), ()).await;
    assert!(
        matches!(error.as_ref().unwrap_err().kind(), ErrorKind::NotSent),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_message_may_name_the_method_of_its_subject_only() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let _server = broker
        .serve("shop", router().nest("calc", calculator()))
        .await;
    let raw = raw_client(&broker).await;
    let ask = async |subject: &'static str, text: &'static str| {
        let answer = timeout(Duration::from_secs(20), raw.request(subject, text.into())).await;
        let answer: Value = serde_json::from_slice(&answer.unwrap().unwrap().payload).unwrap();
        answer["error"]["code"].as_i64().unwrap_or_default()
    };
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"calc.add","params":[1,2]}"#;
    assert_eq!(ask("shop.rpc.calc.add", text).await, 0);
    assert_eq!(ask("shop.rpc.is_there", text).await, -32600);
    assert_eq!(ask("shop.rpc.calc.%61dd", text).await, -32600);
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"calc.add","params":[1,2]}]"#;
    assert_eq!(ask("shop.rpc.calc.add", batch).await, -32600);
    assert_eq!(ask("shop.rpc.calc.add", "{").await, -32700);
}

#[tokio::test]
async fn a_response_goes_to_an_inbox_or_nowhere() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let _server = broker.serve("shop", router()).await;
    let raw = raw_client(&broker).await;
    let mut elsewhere = raw.subscribe("elsewhere").await.unwrap();
    let text = r#"{"jsonrpc":"2.0","id":1,"method":"is_there"}"#;
    let subject = "shop.rpc.is_there";
    let sent = raw.publish_with_reply(subject, "elsewhere", text.into());
    sent.await.unwrap();
    // On the same subscription it comes after the first, and so does its response.
    let answer = raw.request(subject, text.into()).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(answer["result"], true);
    assert!(elsewhere.next().now_or_never().is_none());
}

#[tokio::test]
async fn what_is_larger_than_a_message_is_refused_on_either_side() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let served = router()
        .method_fn("make", |bytes: usize| "x".repeat(bytes))
        .method_fn("length", |text: String| text.len());
    let _server = broker.serve("shop", served).await;
    let client = broker.client("shop");
    const MIB: usize = 1024 * 1024;
    let text: String = client.call("make", (MIB - 2048,)).await.unwrap();
    assert_eq!(text.len(), MIB - 2048);
    let error = client.call::<String>("make", (MIB,)).await.unwrap_err();
    assert_eq!(error.code().unwrap().0, -32003);
    let ErrorKind::Refused(object) = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!(object.data(), Some(r#"{"maxBytes":1048064}"#));
    let length: usize = client
        .call("length", ("x".repeat(MIB - 2048),))
        .await
        .unwrap();
    assert_eq!(length, MIB - 2048);
    let error = client.call::<usize>("length", ("x".repeat(MIB),)).await;
    let error = error.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error:?}");
    assert!(format!("{error} {:?}", std::error::Error::source(&error)).contains("1048576"));
}

#[tokio::test]
async fn deadline_and_trace_arrive_at_the_method() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let served = router().method_fn("left", |cx: Context| {
        cx.deadline().is_some_and(|deadline| {
            deadline.saturating_duration_since(tokio::time::Instant::now()) < Duration::from_secs(8)
        })
    });
    let _server = broker.serve("shop", served).await;
    let client = broker.client("shop");
    let call = client.call::<bool>("left", ());
    assert!(call.timeout(Duration::from_secs(7)).await.unwrap());
    assert!(!client.call::<bool>("left", ()).await.unwrap());
}

/// A client of the broker itself.
async fn raw_client(broker: &Broker) -> async_nats::Client {
    let url = broker.url("x");
    let url = url.strip_suffix("/x").unwrap();
    async_nats::connect(url).await.unwrap()
}
