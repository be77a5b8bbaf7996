//! Topics of several servers behind one broker, with and without JetStream.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::broker::Broker;
use super::proxy::Proxy;
use crate::topic_workers::peer::{Got, Peer};
use crate::topic_workers::program::Program;

/// Time limit after which a test counts as hung.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Settings with JetStream.
fn jetstream(folder: &Path) -> String {
    format!("jetstream {{ store_dir: \"{}\" }}", folder.display())
}

/// A server behind a broker, and a connection to it.
struct Place {
    program: Program,
    peer: Peer,
}

impl Place {
    async fn start(broker: &str, workers: usize) -> Self {
        let broker = broker.to_owned();
        let starting = tokio::task::spawn_blocking(move || Program::behind(&broker, workers));
        let program = starting.await.unwrap();
        let peer = Peer::connect(&program.address).await;
        Self { program, peer }
    }

    /// Another connection.
    async fn connect(&self) -> Peer {
        Peer::connect(&self.program.address).await
    }

    /// A subscriber of its own connection.
    async fn subscribe(&self, method: &str, key: &str, after: Option<&str>) -> Peer {
        let mut peer = self.connect().await;
        peer.subscribe(method, key, after).await;
        peer
    }

    async fn publish(&mut self, method: &str, key: &str, n: u64) -> Value {
        self.peer.call(method, json!([key, [n, ""]])).await
    }
}

async fn item(peer: &mut Peer) -> Got {
    let item = timeout(TIMEOUT, peer.item()).await;
    item.expect("an item in time").expect("an item")
}

/// The numbers of the next items of a subscriber, of which nothing is missing.
async fn numbers(peer: &mut Peer, count: usize) -> Vec<u64> {
    let mut found = Vec::new();
    while found.len() < count {
        let item = item(peer).await;
        assert_eq!(item.missed, None, "{item:?}");
        found.push(item.item[0].as_u64().unwrap());
    }
    found
}

#[tokio::test]
async fn a_stream_gives_all_servers_one_order_and_one_history() {
    let Some(broker) = Broker::with(jetstream).await else {
        return;
    };
    let url = broker.url("shop");
    let mut one = Place::start(&url, 2).await;
    let mut two = Place::start(&url, 0).await;
    let mut at_one = one.subscribe("texts", "k", None).await;
    let mut at_two = two.subscribe("texts", "k", None).await;
    let mut of_all = two.subscribe("all", "", None).await;
    let first = one.publish("publish", "k", 1).await.as_u64().unwrap();
    for n in 2..=20 {
        let place = if n % 2 == 0 { &mut two } else { &mut one };
        let number = place.publish("publish", "k", n).await.as_u64().unwrap();
        assert_eq!(number, first + n - 1);
    }
    let expected: Vec<_> = (1..=20).collect();
    assert_eq!(numbers(&mut at_one, 20).await, expected);
    let mut cursors = Vec::new();
    for n in 1..=20 {
        let got = item(&mut at_two).await;
        assert_eq!(got.item[0], json!(n));
        cursors.push(got.cursor);
    }
    // What each server has published at its start may be there as well.
    let mut of_k = Vec::new();
    while of_k.len() < 20 {
        let got = item(&mut of_all).await;
        assert_eq!(got.missed, None);
        if got.item[1] == "" {
            of_k.push(got.item[0].as_u64().unwrap());
        }
    }
    assert_eq!(of_k, expected);
    // A cursor of one server is good at the other, and nothing is missing.
    let mut resumed = one.subscribe("texts", "k", Some(&cursors[4])).await;
    assert_eq!(numbers(&mut resumed, 15).await, expected[5..]);
    let mut resumed = one.subscribe("texts", "k", Some(&cursors[19])).await;
    two.publish("publish", "k", 21).await;
    assert_eq!(numbers(&mut resumed, 1).await, [21]);
    // The history outlives all servers.
    drop((one, two));
    let mut three = Place::start(&url, 1).await;
    let mut resumed = three.subscribe("texts", "k", Some(&cursors[0])).await;
    assert_eq!(
        numbers(&mut resumed, 20).await,
        (2..=21).collect::<Vec<_>>()
    );
    three.publish("publish", "k", 22).await;
    assert_eq!(numbers(&mut resumed, 1).await, [22]);
}

#[tokio::test]
async fn without_a_history_items_go_from_server_to_server() {
    let Some(broker) = Broker::with(jetstream).await else {
        return;
    };
    let url = broker.url("shop");
    let mut one = Place::start(&url, 0).await;
    let mut two = Place::start(&url, 2).await;
    let mut at_one = one.subscribe("plain", "k", None).await;
    let mut at_two = two.subscribe("plain", "k", None).await;
    for n in 1..=10 {
        one.publish("publish_plain", "k", n).await;
        two.publish("publish_plain", "k", 100 + n).await;
    }
    for peer in [&mut at_one, &mut at_two] {
        let found = numbers(peer, 20).await;
        let of = |from: u64| {
            found
                .iter()
                .filter(move |n| (from..from + 100).contains(*n))
        };
        // Those of one server keep their order.
        assert!(of(0).copied().eq(1..=10), "{found:?}");
        assert!(of(100).copied().eq(101..=110), "{found:?}");
    }
}

#[tokio::test]
async fn without_jetstream_each_server_has_cursors_of_its_own() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let url = broker.url("shop");
    let mut one = Place::start(&url, 0).await;
    let two = Place::start(&url, 0).await;
    let mut at_one = one.subscribe("texts", "k", None).await;
    let mut at_two = two.subscribe("texts", "k", None).await;
    for n in 1..=5 {
        one.publish("publish", "k", n).await;
    }
    let first = item(&mut at_one).await;
    assert_eq!(numbers(&mut at_one, 4).await, [2, 3, 4, 5]);
    assert_eq!(numbers(&mut at_two, 5).await, [1, 2, 3, 4, 5]);
    let mut resumed = one.subscribe("texts", "k", Some(&first.cursor)).await;
    assert_eq!(numbers(&mut resumed, 4).await, [2, 3, 4, 5]);
    // At the other server nobody knows which one that was.
    let mut resumed = two.subscribe("texts", "k", Some(&first.cursor)).await;
    let got = item(&mut resumed).await;
    assert_eq!(got.missed, Some(Value::Null), "{got:?}");
}

/// Waits until a subscriber is told that something is missing, while more is published.
async fn until_missed(publisher: &mut Place, peer: &mut Peer) {
    let until = Instant::now() + TIMEOUT;
    let mut n = 1_000;
    while Instant::now() < until {
        n += 1;
        publisher.publish("publish_plain", "k", n).await;
        while let Ok(got) = timeout(Duration::from_millis(100), peer.item()).await {
            if got.expect("an item").missed == Some(Value::Null) {
                return;
            }
        }
    }
    panic!("nobody is told that something is missing");
}

#[tokio::test]
async fn what_is_lost_on_the_way_is_told_or_comes_later() {
    let Some(broker) = Broker::with(jetstream).await else {
        return;
    };
    let proxy = Proxy::before(broker.port()).await;
    let mut one = Place::start(&broker.url("shop"), 0).await;
    let two = Place::start(&proxy.url("shop"), 0).await;
    let mut plain = two.subscribe("plain", "k", None).await;
    let mut kept = two.subscribe("texts", "k", None).await;
    one.publish("publish_plain", "k", 1).await;
    one.publish("publish", "k", 1).await;
    assert_eq!(numbers(&mut plain, 1).await, [1]);
    assert_eq!(numbers(&mut kept, 1).await, [1]);
    proxy.interrupt(true);
    // Until the second server has noticed, and the broker has forgotten it.
    let until = Instant::now() + Duration::from_secs(25);
    let mut n = 1;
    while Instant::now() < until {
        n += 1;
        one.publish("publish", "k", n).await;
        one.publish("publish_plain", "k", n).await;
        sleep(Duration::from_millis(500)).await;
    }
    proxy.interrupt(false);
    // What the stream keeps comes in the end, and nothing else.
    let found = numbers(&mut kept, n as usize - 1).await;
    assert_eq!(found, (2..=n).collect::<Vec<_>>());
    until_missed(&mut one, &mut plain).await;
}

#[tokio::test]
async fn a_killed_broker_is_told_to_who_publishes_and_comes_back_with_all() {
    let Some(mut broker) = Broker::with(jetstream).await else {
        return;
    };
    let url = broker.url("shop");
    let mut one = Place::start(&url, 0).await;
    let two = Place::start(&url, 2).await;
    let mut at_two = two.subscribe("texts", "k", None).await;
    one.publish("publish", "k", 1).await;
    assert_eq!(numbers(&mut at_two, 1).await, [1]);
    broker.kill();
    let refused = one.peer.try_call("publish", json!(["k", [2, ""]])).await;
    let refused = refused.unwrap();
    assert_eq!(refused["error"]["code"], -32000, "{refused}");
    assert!(refused.to_string().contains("Not published"), "{refused}");
    // Topics of a server alone go on.
    let mut plain = one.subscribe("plain", "k", None).await;
    one.publish("publish_plain", "k", 5).await;
    assert_eq!(numbers(&mut plain, 1).await, [5]);
    broker.restart().await;
    let until = Instant::now() + TIMEOUT;
    loop {
        let answer = one.peer.try_call("publish", json!(["k", [3, ""]])).await;
        if answer.unwrap().get("result").is_some() {
            break;
        }
        assert!(Instant::now() < until, "it is not published again");
        sleep(Duration::from_millis(50)).await;
    }
    let mut last = 0;
    while last != 3 {
        let got = item(&mut at_two).await;
        assert_eq!(got.missed, None, "{got:?}");
        last = got.item[0].as_u64().unwrap();
    }
}

#[tokio::test]
async fn what_others_send_on_the_subjects_of_topics_does_no_harm() {
    let Some(broker) = Broker::with(jetstream).await else {
        return;
    };
    let url = broker.url("shop");
    let mut one = Place::start(&url, 0).await;
    let mut plain = one.subscribe("plain", "k", None).await;
    let mut kept = one.subscribe("texts", "k", None).await;
    let other = async_nats::connect(format!("nats://127.0.0.1:{}", broker.port()));
    let other = other.await.unwrap();
    let long = "x".repeat(300);
    for key in ["k", "%zz", &long] {
        for text in ["", "[", "{}}", "\u{0}", "[1]\n[2]"] {
            for subject in [
                "shop.topic.plain.0",
                "shop.kept-topic.texts.0",
                "shop.topic.%.0",
            ] {
                let subject = format!("{subject}.{key}");
                let mut headers = async_nats::HeaderMap::new();
                headers.insert("rpc-item", "somebody 1");
                let text = text.to_owned().into();
                other
                    .publish_with_headers(subject, headers, text)
                    .await
                    .unwrap();
            }
        }
    }
    for place in ["", "x", "x y", "x 18446744073709551615", "x 1"] {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("rpc-item", place);
        let beat = other.publish_with_headers("shop.topic-beat", headers, "".into());
        beat.await.unwrap();
    }
    other.flush().await.unwrap();
    // Another program may publish, if the broker lets it.
    let text = "[\n  7, \"\"]";
    other
        .publish("shop.kept-topic.texts.0.k", text.into())
        .await
        .unwrap();
    other.flush().await.unwrap();
    assert_eq!(item(&mut kept).await.item, json!([7, ""]));
    one.publish("publish", "k", 8).await;
    assert_eq!(item(&mut kept).await.item, json!([8, ""]));
    one.publish("publish_plain", "k", 9).await;
    assert_eq!(item(&mut plain).await.item, json!([9, ""]));
}

#[tokio::test]
async fn servers_use_jetstream_when_the_broker_comes_back_with_it() {
    let Some(mut broker) = Broker::start().await else {
        return;
    };
    let url = broker.url("shop");
    let mut one = Place::start(&url, 0).await;
    let mut at_one = one.subscribe("texts", "k", None).await;
    one.publish("publish", "k", 1).await;
    assert_eq!(numbers(&mut at_one, 1).await, [1]);
    broker.kill();
    let settings = jetstream(&broker.folder);
    broker.restart_with(&settings).await;
    let two = Place::start(&url, 0).await;
    let mut at_two = two.subscribe("texts", "k", None).await;
    // Until the first server has asked again, what it publishes may stay with it.
    let until = Instant::now() + TIMEOUT;
    let mut n = 1;
    let first = loop {
        assert!(Instant::now() < until, "it does not use the stream");
        n += 1;
        let _ = one.peer.try_call("publish", json!(["k", [n, ""]])).await;
        let next = timeout(Duration::from_millis(200), at_two.item());
        if let Ok(Some(got)) = next.await {
            break got;
        }
    };
    assert_eq!(first.item, json!([n, ""]));
    let mut resumed = one.subscribe("texts", "k", Some(&first.cursor)).await;
    one.publish("publish", "k", n + 1).await;
    assert_eq!(numbers(&mut resumed, 1).await, [n + 1]);
    // Whoever was there is told that something may be missing.
    let is_told = async {
        loop {
            if item(&mut at_one).await.missed == Some(Value::Null) {
                return;
            }
        }
    };
    timeout(TIMEOUT, is_told).await.expect("it is told");
}
