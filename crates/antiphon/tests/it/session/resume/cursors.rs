//! Tests of cursors and keys as programs use them.

use std::sync::Mutex;

use antiphon::client::{Client, ErrorKind};
use antiphon::{Cursor, Params, Router, Server, Topic};
use serde_json::{Value, json};

use super::super::raw::SessionServer;
use super::{Numbers, NumbersClient, expect, publish};
use crate::support::call;
use crate::support::events::{ACCEPT, EventReader, EventSource};
use crate::support::http1::post;
use crate::support::test_server::{Log, TestServer};

/// The cursors that items of a topic have had.
struct Cursors {
    own: Vec<Cursor>,
    all: Vec<Cursor>,
    other: Cursor,
}

impl Cursors {
    /// Publishes six numbers under `k`, and one under another key.
    async fn of(topic: &Topic<u64>) -> Self {
        let (mut own, mut all) = (topic.subscribe("k"), topic.subscribe_all());
        let mut other = topic.subscribe("other");
        publish(topic, 1..=6);
        topic.publish("other", &60);
        let mut cursors = (Vec::new(), Vec::new());
        for _ in 1..=6 {
            cursors
                .0
                .extend(own.next_event().await.unwrap().unwrap().cursor);
            cursors
                .1
                .extend(all.next_event().await.unwrap().unwrap().cursor);
        }
        Self {
            own: cursors.0,
            all: cursors.1,
            other: other.next_event().await.unwrap().unwrap().cursor.unwrap(),
        }
    }

    /// One from before the server was started anew.
    fn stale(&self) -> Cursor {
        let (_, rest) = self.own[4].as_str().split_once('-').unwrap();
        Cursor::from(format!("7-{rest}"))
    }
}

/// A cursor, wherever it comes from: nothing is missing, or something is said.
#[tokio::test]
async fn a_subscription_begins_behind_a_cursor() {
    type After = fn(&Cursors) -> Option<Cursor>;
    let kept = &["gap", "4", "5", "6"][..];
    let cases: [(&str, &str, After, &[&str]); 19] = [
        ("none", "of", |_| None, &[]),
        ("the last one", "of", |c| Some(c.own[5].clone()), &[]),
        ("one before", "of", |c| Some(c.own[4].clone()), &["6"]),
        (
            "the oldest",
            "of",
            |c| Some(c.own[2].clone()),
            &["4", "5", "6"],
        ),
        (
            "too old",
            "of",
            |c| Some(c.own[1].clone()),
            &["gap 1", "4", "5", "6"],
        ),
        (
            "older",
            "of",
            |c| Some(c.own[0].clone()),
            &["gap 2", "4", "5", "6"],
        ),
        ("another epoch", "of", |c| Some(c.stale()), kept),
        ("of another key", "of", |c| Some(c.other.clone()), kept),
        ("of all keys", "of", |c| Some(c.all[4].clone()), kept),
        ("empty", "of", |_| Some(Cursor::from("")), kept),
        ("nonsense", "of", |_| Some(Cursor::from("\"}\u{0}é")), kept),
        (
            "too long",
            "of",
            |_| Some(Cursor::from("1".repeat(300))),
            kept,
        ),
        (
            "all: one before",
            "all",
            |c| Some(c.all[4].clone()),
            &["6", "60"],
        ),
        (
            "all: older",
            "all",
            |c| Some(c.all[1].clone()),
            &["gap 1", "4", "5", "6", "60"],
        ),
        (
            "all: of a key",
            "all",
            |c| Some(c.own[4].clone()),
            &["gap", "4", "5", "6", "60"],
        ),
        // Those without places: the items come, but nobody knows what is missing.
        ("plain", "plain", |c| Some(c.own[4].clone()), &["gap", "6"]),
        ("plain, none", "plain", |_| None, &[]),
        (
            "a stream",
            "count",
            |c| Some(c.own[4].clone()),
            &["gap", "1", "2", "end"],
        ),
        (
            "a stream from its start",
            "count",
            |_| None,
            &["1", "2", "end"],
        ),
    ];
    for (what, method, after, expected) in cases {
        let topic = super::topic(3);
        let after = after(&Cursors::of(&topic).await);
        let router = Router::of(Numbers(topic.clone())).build().unwrap();
        let client = Client::builder("").in_process(&router).build().unwrap();
        let params = || match method {
            "of" | "plain" => Params::none().push("k"),
            _ => Params::none(),
        };
        // Twice: a cursor can be used again.
        for _ in 0..2 {
            let pending = client.subscribe::<u64>(method, params());
            let mut items = pending.after(after.clone()).await.unwrap();
            assert_eq!(items.cursor(), after.as_ref(), "{what}");
            expect(&mut items, expected, what).await;
        }
        if method == "count" {
            continue;
        }
        let mut items = client
            .subscribe::<u64>(method, params())
            .after(after)
            .await
            .unwrap();
        publish(&topic, [99]);
        expect(&mut items, expected, what).await;
        expect(&mut items, &["99"], what).await;
    }
}

#[tokio::test]
async fn every_client_can_begin_behind_a_cursor() {
    let topic = super::topic(10);
    let cursors = Cursors::of(&topic).await;
    let server = SessionServer::raw(Server::new(Router::of(Numbers(topic.clone())))).await;
    let after = Some(cursors.own[3].clone());
    // One that a macro has made.
    let client = Client::connect(&server.url).unwrap();
    let typed = NumbersClient::new(client);
    let mut items = typed.of("k".into()).after(after.clone()).await.unwrap();
    expect(&mut items, &["5", "6"], "typed").await;
    // One without `async`, also in a thread that runs `async` code.
    let url = server.url.clone();
    let blocking = move || {
        let client = antiphon::blocking::Client::connect(url).unwrap();
        let pending = client.as_async().subscribe::<u64>("of", ("k",));
        let mut items = client.follow(pending.after(after)).unwrap();
        assert_eq!(items.next().unwrap().unwrap(), 5);
        let event = items.next_event().unwrap().unwrap();
        assert_eq!((event.item, &*event.key.unwrap_or_default()), (6, ""));
        assert_eq!(items.cursor(), event.cursor.as_ref());
        let count = client.subscribe::<u64>("count", ()).unwrap();
        // What drives the connection stays as long as there are subscriptions.
        drop(client);
        assert_eq!(count.map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
        topic.publish("k", &7);
        assert_eq!(items.next().unwrap().unwrap(), 7);
        drop(topic);
    };
    tokio::task::spawn_blocking(blocking).await.unwrap();
    // HTTP has no connection for a subscription of a client.
    let over_http = Client::connect("http://127.0.0.1:1").unwrap();
    let refused = over_http.subscribe::<u64>("of", ("k",));
    let refused = refused.after(cursors.own[3].clone()).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Local), "{refused}");
}

#[tokio::test]
async fn who_subscribes_to_all_keys_is_told_each() {
    let topic = super::topic(10);
    let router = Router::of(Numbers(topic.clone())).build().unwrap();
    let client = Client::builder("").in_process(&router).build().unwrap();
    let mut all = client.subscribe::<u64>("all", ()).await.unwrap();
    let mut own = client.subscribe::<u64>("of", ("k",)).await.unwrap();
    for (n, key) in [(1, "k"), (2, ""), (3, "\"\u{1}\\é\u{1f600}")] {
        topic.publish(key, &n);
        let event = all.next_event().await.unwrap().unwrap();
        assert_eq!((event.item, event.key.as_deref()), (n, Some(key)));
        assert_eq!(event.cursor.as_ref(), all.cursor());
    }
    let event = own.next_event().await.unwrap().unwrap();
    assert_eq!((event.item, event.key), (1, None));
    assert_eq!(event.cursor.as_ref(), own.cursor());
    let mut count = client.subscribe::<u64>("count", ()).await.unwrap();
    let event = count.next_event().await.unwrap().unwrap();
    assert_eq!((event.item, event.key, event.cursor), (1, None, None));
}

/// Who asks for it is told where the subscription begins, before the first item.
#[tokio::test]
async fn a_subscription_says_where_it_begins_if_it_is_asked() {
    for (method, params, after, place) in [
        ("of", r#"["k"]"#, r#","after":null"#, Some("-1-2")),
        ("all", "[]", r#","after":null"#, Some("-0-2")),
        ("of", r#"["k"]"#, "", None),
        ("plain", r#"["k"]"#, r#","after":null"#, None),
        ("count", "[]", r#","after":null"#, None),
    ] {
        let topic = super::topic(5);
        publish(&topic, 8..=9);
        let router = Router::of(Numbers(topic.clone()));
        let server = SessionServer::raw(Server::new(router)).await;
        let mut peer = server.connect().await;
        let request = |after: &str| {
            let start = r#"{"jsonrpc":"2.0","id":1,"method":"#;
            format!(r#"{start}"{method}","params":{params}{after}}}"#)
        };
        peer.say([request(after)]).await;
        let id = peer.next().await["result"].take();
        let mut peers = vec![peer];
        if let Some(place) = place {
            let begins = peers[0].next().await;
            let cursor = &begins["params"]["cursor"];
            assert!(cursor.as_str().unwrap().ends_with(place), "{begins}");
            let expected = json!({"subscription": id, "cursor": cursor});
            assert_eq!(begins["params"], expected, "{method}");
            // Nobody has missed anything behind it.
            let mut other = server.connect().await;
            other.say([request(&format!(",\"after\":{cursor}"))]).await;
            assert!(other.next().await["result"].is_string());
            peers.push(other);
        }
        publish(&topic, [1]);
        for peer in &mut peers {
            let item = peer.next().await;
            let params = &item["params"];
            assert_eq!(
                (&params["result"], &params["missed"]),
                (&json!(1), &Value::Null)
            );
            assert!(method == "plain" || params["seq"] == 1, "{item}");
        }
    }
}

/// The topic has gone when the subscription begins, and has kept nothing.
#[tokio::test]
async fn what_is_missing_before_the_end_is_told_with_it() {
    for (after, missed, gap) in [(None, json!(5), "gap 5"), (Some("?"), Value::Null, "gap")] {
        for over_http in [false, true] {
            let topic = super::topic(0);
            let mut all = topic.subscribe("k");
            publish(&topic, [0]);
            let seen = all.next_event().await.unwrap().unwrap().cursor.unwrap();
            publish(&topic, 1..=5);
            let after = after.map_or(seen, Cursor::from);
            let slot = Mutex::new(Some(topic));
            let router = Router::new().method_fn("follow", move || {
                slot.lock().unwrap().take().unwrap().subscribe("k")
            });
            if !over_http {
                let router = router.build().unwrap();
                let client = Client::builder("").in_process(&router).build().unwrap();
                let pending = client.subscribe::<u64>("follow", ());
                let mut items = pending.after(Some(after)).await.unwrap();
                expect(&mut items, &[gap, "end", "end"], "of a session").await;
                continue;
            }
            let server = TestServer::of(Server::new(router), Log::default()).await;
            let mut http1 = server.connect().await;
            let head = format!("{ACCEPT}Last-Event-ID: {after}\r\n");
            http1.send(post(&head, &call("7", "follow", "[]"))).await;
            assert_eq!(http1.head().await.unwrap().status, 200);
            let mut reader = EventReader::of(EventSource::Http1(http1));
            assert!(reader.text().await.unwrap().contains("\"id\":7"));
            let text = reader.text().await.unwrap();
            let data = text.lines().find_map(|line| line.strip_prefix("data: "));
            let message: Value = serde_json::from_str(data.unwrap()).unwrap();
            let params = &message["params"];
            assert_eq!(params["end"], "complete", "{message}");
            assert_eq!(params.get("missed"), Some(&missed), "{message}");
        }
    }
}
