//! Tests of topics as their subscribers see them: messages, cursors, policies, event streams.

use antiphon::client::{Client, StreamError};
use antiphon::{
    Cursor, ErrorObject, Method, Overflow, PublishError, Router, Server, Subscription, Topic, rpc,
};
use serde_json::{Value, json};

use super::raw::{RawPeer, SessionServer};
use crate::support::events::{ACCEPT, EventReader, EventSource};
use crate::support::http1::post;
use crate::support::test_server::{Log, TestServer};
use crate::support::{ask, call, code, until};

/// An object with a topic.
struct Market {
    ticks: Topic<Tick>,
}

type Tick = (String, u64);

#[rpc]
impl Market {
    /// Prices of one symbol.
    fn rpc_ticks(&self, symbol: String) -> Subscription<Tick> {
        self.ticks.subscribe(symbol)
    }

    /// Those that are high enough.
    async fn rpc_high(
        &self,
        symbol: String,
        least: u64,
    ) -> Result<Subscription<Tick>, ErrorObject> {
        if least == 0 {
            return Err(ErrorObject::new(7, "use ticks"));
        }
        let ticks = self.ticks.subscribe(symbol);
        Ok(ticks.filter(move |(_, price)| *price >= least))
    }

    /// Everything, without numbers.
    #[method(plain, notification = "tick", overflow = "conflate")]
    fn rpc_all(&self) -> Subscription<Tick> {
        self.ticks.subscribe_all()
    }

    /// Everything, with a cursor that is a parameter.
    fn rpc_since(&self, cursor: Option<Cursor>) -> Subscription<Tick> {
        let all = self.ticks.subscribe_all();
        match cursor {
            Some(cursor) => all.after(&cursor),
            None => all,
        }
    }

    /// Publishes a price.
    async fn rpc_report(&self, symbol: String, price: u64) -> Result<u64, PublishError> {
        let tick = (symbol, price);
        self.ticks.publish(&tick.0, &tick).await
    }

    /// No subscription.
    fn rpc_add(&self, a: i64, b: i64) -> i64 {
        a + b
    }
}

fn topic(history: usize) -> Topic<Tick> {
    Topic::builder("market").history(history).build()
}

fn market(ticks: &Topic<Tick>) -> Router {
    let ticks = ticks.clone();
    Router::of(Market { ticks })
}

/// Subscribes with this cursor; returns the id of the subscription.
async fn subscribe(peer: &mut RawPeer, method: &str, params: &str, after: Option<&str>) -> Value {
    let after = after.map_or(String::new(), |after| format!(",\"after\":{after}"));
    let request =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}{after}}}"#);
    peer.say([request]).await;
    let answer = peer.next().await;
    assert!(answer["result"].is_string(), "{answer}");
    answer["result"].clone()
}

/// The next item: its members but the subscription.
async fn item(peer: &mut RawPeer) -> Value {
    let mut message = peer.next().await;
    let mut params = message["params"].take();
    params.as_object_mut().unwrap().remove("subscription");
    params
}

fn publish(topic: &Topic<Tick>, numbers: impl IntoIterator<Item = u64>) {
    for n in numbers {
        topic.publish("gold", &("gold".into(), n));
    }
}

#[tokio::test]
async fn the_messages_of_a_topic() {
    let topic = topic(0);
    let server = SessionServer::raw(Server::new(market(&topic))).await;
    let mut peer = server.connect().await;
    let ticks = subscribe(&mut peer, "ticks", r#"["gold"]"#, None).await;
    let all = subscribe(&mut peer, "all", "[]", None).await;
    publish(&topic, [5]);
    let mut lines = [peer.line().await.unwrap(), peer.line().await.unwrap()];
    lines.sort_by_key(|line| line.contains("\"tick\""));
    let message: Value = serde_json::from_str(&lines[0]).unwrap();
    let cursor = message["params"]["cursor"].as_str().unwrap();
    assert!(cursor.len() <= 50 && cursor.ends_with("-1-1"), "{cursor}");
    let expected = format!(
        r#"{{"jsonrpc":"2.0","method":"ticks","params":{{"subscription":{ticks},"seq":1,"cursor":"{cursor}","result":["gold",5]}}}}"#
    );
    assert_eq!(lines[0], expected);
    let expected = format!(
        r#"{{"jsonrpc":"2.0","method":"tick","params":{{"subscription":{all},"result":["gold",5]}}}}"#
    );
    assert_eq!(lines[1], expected);
    // An error of the method, a call of somebody who cannot be sent anything, a key too long.
    let refused = peer.call("2", "high", r#"["gold",0]"#).await;
    assert_eq!(code(&refused), 7);
    let long = format!("[\"{}\"]", "k".repeat(257));
    assert_eq!(code(&peer.call("2", "ticks", &long).await), -32000);
    let dispatcher = market(&topic).build().unwrap();
    let answer = ask(&dispatcher, call("1", "ticks", r#"["gold"]"#)).await;
    assert_eq!(code(&answer), -32004);
    // Unsubscribed, there is nobody left.
    let (params, all) = (format!("[{ticks}]"), format!("[{all}]"));
    peer.say([call("3", "rpc.unsubscribe", &params)]).await;
    let rest = [peer.next().await, peer.next().await];
    let end = rest
        .iter()
        .find(|message| message["method"] == "ticks")
        .unwrap();
    assert_eq!(
        (&end["params"]["seq"], &end["params"]["end"]),
        (&json!(2), &json!("unsubscribed"))
    );
    assert_eq!(
        peer.call("4", "rpc.unsubscribe", &all).await["result"],
        true
    );
    until(|| topic.all_subscribers() == 0, "the subscriptions end").await;
    assert_eq!((topic.keys(), topic.held_bytes()), (0, (0, 0)));
}

/// After a cursor: the history behind it, then what comes, without gap or repetition.
#[tokio::test]
async fn a_cursor_resumes() {
    let topic = topic(5);
    let server = SessionServer::raw(Server::new(market(&topic))).await;
    let mut peer = server.connect().await;
    subscribe(&mut peer, "ticks", r#"["gold"]"#, None).await;
    let mut all = server.connect().await;
    subscribe(&mut all, "since", "[null]", None).await;
    publish(&topic, 1..=20);
    topic.publish("iron", &("iron".into(), 1));
    let (mut own, mut overall) = (Vec::new(), Vec::new());
    for n in 1..=20 {
        let (one, two) = (item(&mut peer).await, item(&mut all).await);
        assert_eq!(
            (&one["result"][1], &two["result"][1]),
            (&json!(n), &json!(n))
        );
        own.push(one["cursor"].to_string());
        overall.push(two["cursor"].to_string());
    }
    let before = |digits: &str| own[0].replacen(own[0].split('-').next().unwrap(), digits, 1);
    let long = format!("\"{}\"", "1".repeat(255));
    // The number of the first item, and what is missing before it.
    for (after, first, missed) in [
        (None, 21, None),
        (Some("null".to_owned()), 21, None),
        (Some(own[19].clone()), 21, None),
        (Some(own[18].clone()), 20, None),
        (Some(own[14].clone()), 16, None),
        (Some(own[13].clone()), 16, Some(json!(1))),
        (Some(own[0].clone()), 16, Some(json!(14))),
        (Some(own[0].replace("-1-1", "-1-0")), 16, Some(json!(15))),
        // Of another epoch, of another key, of later, of all keys, and nonsense.
        (Some(before("\"7")), 16, Some(Value::Null)),
        (Some(own[0].replace("-1-1", "-2-1")), 16, Some(Value::Null)),
        (Some(own[0].replace("-1-1", "-1-15")), 16, Some(Value::Null)),
        (Some(overall[18].clone()), 16, Some(Value::Null)),
        (Some("\"\"".to_owned()), 16, Some(Value::Null)),
        (Some("\"x\"".to_owned()), 16, Some(Value::Null)),
        (Some("7".to_owned()), 16, Some(Value::Null)),
        (Some("{\"a\":[]}".to_owned()), 16, Some(Value::Null)),
        (Some(long), 16, Some(Value::Null)),
    ] {
        let mut peer = server.connect().await;
        subscribe(&mut peer, "ticks", r#"["gold"]"#, after.as_deref()).await;
        let present = topic.subscribers("gold");
        for (seq, n) in (1..).zip(first..=20) {
            let item = item(&mut peer).await;
            assert_eq!(
                (&item["seq"], &item["result"][1]),
                (&json!(seq), &json!(n)),
                "{after:?}"
            );
            let said = item.get("missed").cloned().filter(|_| seq == 1);
            assert_eq!(said, missed.clone().filter(|_| seq == 1), "{after:?}");
        }
        drop(peer);
        until(|| topic.subscribers("gold") < present, "it leaves").await;
    }
    // The same with a parameter of the method, over all keys.
    for (after, first, missed) in [(18, 20, None), (3, 16, Some(json!(11)))] {
        let mut peer = server.connect().await;
        subscribe(&mut peer, "since", &format!("[{}]", overall[after]), None).await;
        let one = item(&mut peer).await;
        assert_eq!(
            (&one["result"][1], one.get("missed").cloned()),
            (&json!(first), missed)
        );
        for n in first + 1..=20 {
            assert_eq!(item(&mut peer).await["result"][1], n);
        }
        assert_eq!(item(&mut peer).await["result"][0], "iron");
    }
    // A method without a topic does not look at it.
    let mut peer = server.connect().await;
    peer.say([r#"{"jsonrpc":"2.0","id":1,"method":"add","params":[3,4],"after":"x"}"#])
        .await;
    assert_eq!(peer.next().await["result"], 7);
    // What comes while one subscribes is neither lost nor repeated.
    let mut peer = server.connect().await;
    let after = own[19].clone();
    peer.say([
        call("1", "report", r#"["gold",21]"#),
        format!(r#"{{"jsonrpc":"2.0","id":2,"method":"ticks","params":["gold"],"after":{after}}}"#),
        call("3", "report", r#"["gold",22]"#),
    ])
    .await;
    let mut prices = Vec::new();
    while prices.len() < 2 {
        let message = peer.next().await;
        prices.extend(message["params"]["result"][1].as_u64());
    }
    assert_eq!(prices, [21, 22]);
}

#[tokio::test]
async fn a_filter_holds_for_history_and_for_what_comes() {
    let topic = topic(10);
    let client = Client::builder("").in_process(&market(&topic).build().unwrap());
    let client = client.build().unwrap();
    let mut high = client.subscribe::<Tick>("high", ("gold", 5)).await.unwrap();
    publish(&topic, 1..=9);
    for n in 5..=9 {
        assert_eq!(high.next().await.unwrap().unwrap().1, n);
    }
    let server = SessionServer::raw(Server::new(market(&topic))).await;
    let mut peer = server.connect().await;
    subscribe(&mut peer, "high", r#"["gold",8]"#, Some("\"-\"")).await;
    publish(&topic, [1, 8]);
    for (seq, n) in [(1, 8), (2, 9), (3, 8)] {
        let item = item(&mut peer).await;
        assert_eq!((&item["seq"], &item["result"][1]), (&json!(seq), &json!(n)));
    }
}

/// Each policy, with a peer that reads nothing for a while.
#[tokio::test]
async fn slow_subscribers_keep_their_policies() {
    for (overflow, last, ended) in [
        (Overflow::Disconnect, None, Some("lagged")),
        (Overflow::Block, None, Some("lagged")),
        (Overflow::DropOldest, Some(500), None),
        (Overflow::DropNewest, None, None),
        (Overflow::LatestOnly, Some(500), None),
        (Overflow::Conflate, Some(500), None),
    ] {
        let topic = Topic::<(u64, String)>::builder("slow")
            .overflow(overflow)
            .build();
        let follow = topic.clone();
        let router =
            Router::new().method(Method::function("follow", move || follow.subscribe("k")));
        let server = Server::new(router).configure(|settings| settings.sessions.max_queued = 10);
        let server = SessionServer::raw(server).await;
        let mut peer = server.connect().await;
        subscribe(&mut peer, "follow", "[]", None).await;
        for n in 1..=500 {
            topic.publish("k", &(n, "x".repeat(40_000)));
            assert!(topic.held_bytes().1 < 11 * 41_000);
            tokio::task::yield_now().await;
        }
        let (mut seq, mut newest) = (0, 0);
        let end = loop {
            // Nothing comes after the newest but by another one.
            if Some(newest) == last
                || (overflow == Overflow::DropNewest && topic.held_bytes().1 == 0)
            {
                break None;
            }
            let mut message = peer.next().await;
            let mut params = message["params"].take();
            let next = params["seq"].as_u64().unwrap();
            assert!(next > seq, "{overflow:?}");
            seq = next;
            match params["end"].take() {
                Value::String(end) => break Some(end),
                _ => newest = params["result"][0].as_u64().unwrap(),
            }
            assert_eq!(seq, newest, "{overflow:?}");
        };
        assert_eq!(end.as_deref(), ended, "{overflow:?}");
        if end.is_some() {
            until(|| topic.all_subscribers() == 0, "the subscription ends").await;
        }
        drop(peer);
        until(|| topic.held_bytes() == (0, 0), "everything is given back").await;
    }
}

#[tokio::test]
async fn a_topic_that_ends_completes_its_subscriptions_and_a_client_sees_gaps() {
    let topic = Topic::<u64>::builder("ends")
        .overflow(Overflow::LatestOnly)
        .build();
    let weak = std::sync::Mutex::new(Some(topic.clone()));
    let router = Router::new().method_fn("follow", move || {
        weak.lock().unwrap().take().unwrap().subscribe("k")
    });
    let client = Client::builder("")
        .in_process(&router.build().unwrap())
        .build()
        .unwrap();
    let mut items = client.subscribe::<u64>("follow", ()).await.unwrap();
    for n in 1..=9 {
        topic.publish("k", &n);
    }
    drop(topic);
    assert!(matches!(
        items.next().await,
        Some(Err(StreamError::Gap { missed: Some(8) }))
    ));
    assert_eq!(items.next().await.unwrap().unwrap(), 9);
    assert!(items.next().await.is_none());
}

/// Opens an event stream, with the id of the last event that was seen; skips the response.
async fn events(server: &TestServer, last: Option<&str>) -> EventReader {
    let mut http1 = server.connect().await;
    let last = last.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
    let body = call("7", "ticks", r#"["gold"]"#);
    http1.send(post(&format!("{ACCEPT}{last}"), &body)).await;
    assert_eq!(http1.head().await.unwrap().status, 200);
    let mut reader = EventReader::of(EventSource::Http1(http1));
    let answer = reader.text().await.unwrap();
    assert!(
        answer.starts_with("data: {\"jsonrpc\":\"2.0\",\"id\":7"),
        "{answer}"
    );
    reader
}

/// The id of the next event, and the members of its message.
async fn event(reader: &mut EventReader) -> (Option<String>, Value) {
    let text = reader.text().await.unwrap();
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let mut message: Value = serde_json::from_str(field("data: ").unwrap()).unwrap();
    (field("id: ").map(str::to_owned), message["params"].take())
}

/// The id of an event is the cursor of its item, and resumes.
#[tokio::test]
async fn an_event_stream_goes_on_after_its_last_event() {
    let topic = topic(5);
    let server = TestServer::of(Server::new(market(&topic)), Log::default()).await;
    let mut reader = events(&server, None).await;
    publish(&topic, 1..=3);
    let mut ids = Vec::new();
    for n in 1..=3 {
        let (id, params) = event(&mut reader).await;
        assert_eq!(
            (&params["result"][1], &params["seq"]),
            (&json!(n), &json!(n))
        );
        assert_eq!(params["cursor"].as_str(), id.as_deref());
        ids.extend(id);
    }
    drop(reader);
    until(|| topic.all_subscribers() == 0, "the stream ends").await;
    publish(&topic, 4..=10);
    // How many items come from the history, and what is missing before them.
    for (count, last, replayed, missed) in [
        (10, Some(&*ids[2]), 5, Some(json!(2))),
        (11, Some("17"), 5, Some(Value::Null)),
        (12, None, 0, None),
    ] {
        let mut reader = events(&server, last).await;
        publish(&topic, [count + 1]);
        for n in count + 1 - replayed..=count + 1 {
            let (id, params) = event(&mut reader).await;
            assert!(id.unwrap().ends_with(&format!("-{n:x}")), "{params}");
            assert_eq!(params["result"][1], n);
            let said = params.get("missed").cloned();
            let first = n + replayed == count + 1;
            assert_eq!(said, missed.clone().filter(|_| first), "{last:?}");
        }
        if last.is_none() {
            // The end has no id: the last item stays what has been seen last.
            server.handle.stop();
            let (id, params) = event(&mut reader).await;
            assert_eq!((id, &params["end"]), (None, &json!("shutdown")));
        }
    }
}
