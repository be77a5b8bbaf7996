//! Subscriptions and progress, which have a session with one server.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use antiphon::client::{Client, ErrorKind, Reconnect, StreamError};
use antiphon::{Context, Router, Topic};
use futures_core::Stream;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::broker::{Broker, Serving, router, until_answered};
use crate::support::counter::{Counter, Guard};

/// How long a test waits for what has to happen, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream that is counted when it is dropped.
struct Numbers {
    next: u64,
    size: usize,
    /// Items come at once up to this one, and none after it.
    last: u64,
    _guard: Guard,
}

impl Stream for Numbers {
    type Item = (u64, String);

    fn poll_next(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        if self.next == self.last {
            return Poll::Pending;
        }
        self.next += 1;
        Poll::Ready(Some((self.next, "x".repeat(self.size))))
    }
}

fn numbers(dropped: &Counter) -> Router {
    let dropped = dropped.clone();
    router()
        .method_fn("numbers", move |last: u64, size: usize| Numbers {
            next: 0,
            size,
            last,
            _guard: dropped.guard(),
        })
        .method_fn("other", || "never")
}

#[tokio::test]
async fn subscriptions_of_a_method_share_a_session_and_end_one_by_one() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let dropped = Counter::default();
    let _server = broker.serve("shop", numbers(&dropped)).await;
    let client = broker.client("shop");
    let mut one = client
        .subscribe::<(u64, String)>("numbers", (50, 10))
        .await
        .unwrap();
    let mut other = client
        .subscribe::<(u64, String)>("numbers", (50, 10))
        .await
        .unwrap();
    for expected in 1..=50 {
        assert_eq!(one.next().await.unwrap().unwrap().0, expected);
    }
    drop(one);
    dropped.reach(1).await;
    for expected in 1..=50 {
        assert_eq!(other.next().await.unwrap().unwrap().0, expected);
    }
    // It lives for longer than a side may be silent, and nothing comes meanwhile.
    let waited = timeout(Duration::from_secs(4), other.next()).await;
    assert!(waited.is_err(), "{waited:?}");
    assert_eq!(dropped.get(), 1);
    drop(other);
    dropped.reach(2).await;
    let error = client.subscribe::<u64>("nothing", ()).await.unwrap_err();
    assert_eq!(error.code().unwrap().0, -32601);
    let error = client.subscribe::<u64>("far.away", ()).await.unwrap_err();
    assert_eq!(error.code().unwrap().0, -32601);
}

#[tokio::test]
async fn items_may_be_larger_than_a_message_of_the_broker_and_wait_for_a_slow_reader() {
    let Some(broker) = Broker::with(|_| "max_payload: 4096".to_owned()).await else {
        return;
    };
    let dropped = Counter::default();
    let _server = broker.serve("shop", numbers(&dropped)).await;
    let client = broker.client("shop");
    let subscribing = client.subscribe::<(u64, String)>("numbers", (15, 50_000));
    let mut items = subscribing.await.unwrap();
    for expected in 1..=15 {
        sleep(Duration::from_millis(20)).await;
        let item = timeout(PATIENCE, items.next()).await.unwrap();
        let (number, text) = item.unwrap().unwrap();
        assert_eq!((number, text.len()), (expected, 50_000));
    }
}

#[tokio::test]
async fn progress_comes_before_the_result() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let served = router().method_fn("steps", |cx: Context, count: u32| async move {
        for step in 0..count {
            cx.progress(&step).await;
        }
        "x".repeat(2_000_000)
    });
    let _server = broker.serve("shop", served).await;
    let client = broker.client("shop");
    let (tell, mut told) = mpsc::unbounded_channel();
    let call = client.call::<String>("steps", (1_000,));
    let call = call.on_progress(move |step: u32| {
        let _ = tell.send(step);
    });
    assert_eq!(call.await.unwrap().len(), 2_000_000);
    for expected in 0..1_000 {
        assert_eq!(told.recv().await, Some(expected));
    }
}

#[tokio::test]
async fn a_session_calls_the_method_of_its_subject_only() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let dropped = Counter::default();
    let _server = broker.serve("shop", numbers(&dropped)).await;
    let url = broker.url("x");
    let raw = async_nats::connect(url.strip_suffix("/x").unwrap())
        .await
        .unwrap();
    let inbox = raw.new_inbox();
    let mut heard = raw.subscribe(inbox.clone()).await.unwrap();
    let headers = |name: &str, value: &str| {
        let mut map = async_nats::HeaderMap::new();
        map.insert(name, value);
        map
    };
    let open = headers("rpc-kind", "open");
    let opening = raw.publish_with_reply_and_headers("shop.rpc.numbers", inbox, open, "".into());
    opening.await.unwrap();
    let opened = timeout(PATIENCE, heard.next()).await.unwrap().unwrap();
    let session = opened.reply.unwrap();
    let mut number = 0;
    let mut ask = async |method: &str, params: Value| -> Value {
        number += 1;
        let text = json!({ "jsonrpc": "2.0", "id": number, "method": method, "params": params });
        let part = headers("rpc-part", &number.to_string());
        let sending = raw.publish_with_headers(session.clone(), part, text.to_string().into());
        sending.await.unwrap();
        loop {
            let message = timeout(PATIENCE, heard.next()).await.unwrap().unwrap();
            let answer = serde_json::from_slice::<Value>(&message.payload);
            match answer {
                Ok(answer) if answer["id"] == number => return answer,
                _ => {}
            }
        }
    };
    assert_eq!(ask("other", json!([])).await["error"]["code"], -32600);
    assert_eq!(
        ask("rpc.discover", json!([])).await["error"]["code"],
        -32600
    );
    let id = ask("numbers", json!([1, 1])).await["result"].clone();
    assert!(id.is_string(), "{id}");
    assert_eq!(ask("rpc.unsubscribe", json!([id])).await["result"], true);
    dropped.reach(1).await;
    // Who sends no sign of life is dropped. Beats come until then, and then the end.
    let until = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < until, "it does not end");
        let message = timeout(PATIENCE, heard.next()).await.unwrap().unwrap();
        let kind = message.headers.as_ref().and_then(|map| map.get("rpc-kind"));
        if kind.is_some_and(|kind| kind.as_str() == "close") {
            break;
        }
    }
}

#[tokio::test]
async fn the_end_of_a_session_does_not_overtake_what_came_before() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let url = broker.url("x");
    let raw = async_nats::connect(url.strip_suffix("/x").unwrap())
        .await
        .unwrap();
    let mut asked = raw.subscribe("shop.rpc.numbers").await.unwrap();
    let mut heard = raw.subscribe("shop.ctl.raw.secret.in").await.unwrap();
    raw.flush().await.unwrap();
    let serving = tokio::spawn(async move {
        let headers = |name: &str, value: &str| {
            let mut map = async_nats::HeaderMap::new();
            map.insert(name, value);
            map
        };
        let reply = asked.next().await.unwrap().reply.unwrap();
        let opened = headers("rpc-kind", "opened");
        let own = "shop.ctl.raw.secret.in";
        let telling = raw.publish_with_reply_and_headers(reply.clone(), own, opened, "".into());
        telling.await.unwrap();
        let call = loop {
            let message = heard.next().await.unwrap();
            if let Ok(call) = serde_json::from_slice::<Value>(&message.payload) {
                break call;
            }
        };
        let mut texts = vec![json!({ "jsonrpc": "2.0", "id": call["id"], "result": "s" })];
        for seq in 1..=3 {
            let mut params = json!({ "subscription": "s", "seq": seq, "result": seq });
            if seq == 3 {
                params = json!({ "subscription": "s", "seq": seq, "end": "complete" });
            }
            texts.push(json!({ "jsonrpc": "2.0", "method": "numbers", "params": params }));
        }
        for (number, text) in (1..).zip(texts) {
            let part = headers("rpc-part", &format!("{number}"));
            let sending = raw.publish_with_headers(reply.clone(), part, text.to_string().into());
            sending.await.unwrap();
        }
        let close = headers("rpc-kind", "close");
        raw.publish_with_headers(reply, close, "".into())
            .await
            .unwrap();
        raw.flush().await.unwrap();
    });
    let client = broker.client("shop");
    let mut items = client.subscribe::<u64>("numbers", ()).await.unwrap();
    serving.await.unwrap();
    let mut seen = Vec::new();
    while let Some(item) = timeout(PATIENCE, items.next()).await.unwrap() {
        seen.push(item.unwrap());
    }
    assert_eq!(seen, [1, 2]);
}

/// A server of a topic, which many may publish.
async fn topic_server(broker: &Broker, topic: &Topic<u64>) -> Serving {
    let topic = topic.clone();
    let served = router().method_fn("follow", move || topic.subscribe("k"));
    broker.serve("shop", served).await
}

#[tokio::test]
async fn a_subscription_goes_on_behind_its_cursor_when_the_broker_is_back() {
    let Some(mut broker) = Broker::start().await else {
        return;
    };
    let topic = Topic::<u64>::builder("numbers").history(1_000).build();
    let _server = topic_server(&broker, &topic).await;
    let pause = Duration::from_millis(50);
    let reconnect = Reconnect::default().first_pause(pause).max_pause(pause);
    let client = Client::builder(broker.url("shop")).reconnect(reconnect);
    let client = client.build().unwrap();
    let mut items = client
        .subscribe::<u64>("follow", ())
        .timeout(PATIENCE)
        .await
        .unwrap();
    topic.publish("k", &1);
    assert_eq!(items.next().await.unwrap().unwrap(), 1);
    for round in 1..=2 {
        broker.kill();
        topic.publish("k", &(round * 10));
        broker.restart().await;
        topic.publish("k", &(round * 10 + 1));
        for expected in [round * 10, round * 10 + 1] {
            let item = timeout(PATIENCE, items.next()).await.unwrap();
            assert_eq!(item.unwrap().unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn a_subscription_ends_with_its_server_or_goes_on_at_another_one() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let dropped = Counter::default();
    let first = broker.serve("shop", numbers(&dropped)).await;
    let client = broker.client("shop");
    let pause = Duration::from_millis(50);
    let reconnect = Reconnect::default().first_pause(pause).max_pause(pause);
    let again = Client::builder(broker.url("shop")).reconnect(reconnect);
    let again = again.build().unwrap();
    let mut ends = client
        .subscribe::<(u64, String)>("numbers", (1, 1))
        .await
        .unwrap();
    let mut goes_on = again
        .subscribe::<(u64, String)>("numbers", (1, 1))
        .await
        .unwrap();
    assert_eq!(ends.next().await.unwrap().unwrap().0, 1);
    assert_eq!(goes_on.next().await.unwrap().unwrap().0, 1);
    first.stop().await;
    let _second = broker.serve("shop", numbers(&dropped)).await;
    let end = timeout(PATIENCE, ends.next()).await.unwrap().unwrap();
    assert!(matches!(end, Err(StreamError::Shutdown)), "{end:?}");
    assert!(ends.next().await.is_none());
    let gap = timeout(PATIENCE, goes_on.next()).await.unwrap().unwrap();
    assert!(matches!(gap, Err(StreamError::Interrupted)), "{gap:?}");
    assert_eq!(goes_on.next().await.unwrap().unwrap().0, 1);
}

#[tokio::test]
async fn a_subscription_without_a_broker_is_told_at_once_and_its_stream_is_dropped() {
    let Some(mut broker) = Broker::start().await else {
        return;
    };
    let dropped = Counter::default();
    let _server = broker.serve("shop", numbers(&dropped)).await;
    let client = broker.client("shop");
    let mut items = client
        .subscribe::<(u64, String)>("numbers", (1, 1))
        .await
        .unwrap();
    assert_eq!(items.next().await.unwrap().unwrap().0, 1);
    broker.kill();
    let end = timeout(PATIENCE, items.next()).await.unwrap().unwrap();
    assert!(matches!(end, Err(StreamError::Lost(_))), "{end:?}");
    dropped.reach(1).await;
    let error = client
        .subscribe::<u64>("numbers", (1, 1))
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error:?}");
    broker.restart().await;
    until_answered(&client).await;
    sleep(Duration::from_millis(10)).await;
    let mut items = client
        .subscribe::<(u64, String)>("numbers", (1, 1))
        .await
        .unwrap();
    assert_eq!(items.next().await.unwrap().unwrap().0, 1);
}
