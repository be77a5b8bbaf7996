//! Tests of subscriptions that go on: behind a cursor, and after an outage.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use antiphon::client::{Client, ErrorKind, Reconnect, StreamError, Subscription};
use antiphon::{Cursor, Params, Router, Server, ServerHandle, Topic, rpc};
use futures_util::stream::{self, Stream};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::raw::{RawPeer, SessionServer, TEST_TIMEOUT, result};
use crate::support::until;

/// An object with a topic, and a stream that is none.
struct Numbers(Topic<u64>);

#[rpc]
impl Numbers {
    /// Those of one key.
    fn rpc_of(&self, key: String) -> antiphon::Subscription<u64> {
        self.0.subscribe(key)
    }

    /// Those of all keys.
    fn rpc_all(&self) -> antiphon::Subscription<u64> {
        self.0.subscribe_all()
    }

    /// Those of one key, without places.
    #[method(plain)]
    fn rpc_plain(&self, key: String) -> antiphon::Subscription<u64> {
        self.0.subscribe(key)
    }

    /// A stream of its own.
    fn rpc_count(&self) -> impl Stream<Item = u64> + use<> {
        stream::iter(1..=2)
    }
}

fn topic(history: usize) -> Topic<u64> {
    Topic::builder("numbers").history(history).build()
}

fn publish(topic: &Topic<u64>, numbers: impl IntoIterator<Item = u64>) {
    for n in numbers {
        topic.publish("k", &n);
    }
}

fn soon() -> Reconnect {
    Reconnect::default()
        .first_pause(Duration::from_millis(1))
        .max_pause(Duration::from_millis(20))
}

/// What has come, in a few words.
fn told(next: Option<Result<u64, StreamError>>) -> String {
    match next {
        None => "end".to_owned(),
        Some(Ok(n)) => n.to_string(),
        Some(Err(StreamError::Gap { missed: Some(n) })) => format!("gap {n}"),
        Some(Err(StreamError::Gap { missed: None })) => "gap".to_owned(),
        Some(Err(StreamError::Interrupted)) => "interrupted".to_owned(),
        Some(Err(StreamError::Shutdown)) => "shutdown".to_owned(),
        Some(Err(StreamError::Lost(_))) => "lost".to_owned(),
        Some(Err(StreamError::Decode(_))) => "decode".to_owned(),
        Some(Err(error)) => format!("{error:?}"),
    }
}

async fn expect(items: &mut Subscription<u64>, expected: &[&str], what: &str) {
    for (at, expected) in expected.iter().enumerate() {
        let next = timeout(TEST_TIMEOUT, items.next()).await;
        let next = next.unwrap_or_else(|_| panic!("{what}: nothing comes at {at}"));
        assert_eq!(told(next), *expected, "{what}, at {at}");
    }
}

/// Where the server is, for itself and for clients.
struct Place {
    bind: String,
    url: String,
}

/// A server of a topic.
struct Running {
    handle: ServerHandle,
    serving: JoinHandle<()>,
}

impl Running {
    async fn at(bind: &str, topic: &Topic<u64>) -> Self {
        let server = Server::new(Router::of(Numbers(topic.clone()))).bind(bind);
        let listening = server.listen().await.unwrap();
        Self {
            handle: listening.handle(),
            serving: tokio::spawn(async { listening.serve().await.unwrap() }),
        }
    }

    async fn ended(self) {
        timeout(TEST_TIMEOUT, self.serving).await.unwrap().unwrap();
    }
}

/// A server that ends and begins again, while numbers are published.
async fn check(place: &Place) {
    /// How many are published before, are taken before, and are published while the server is away; whether
    /// it comes back with another topic; and what comes then.
    type Case<'a> = (&'a str, u64, usize, u64, bool, &'a [&'a str]);
    let cases: [Case<'_>; 6] = [
        ("nothing is missed", 3, 3, 0, false, &["99"]),
        (
            "within the history",
            3,
            3,
            4,
            false,
            &["4", "5", "6", "7", "99"],
        ),
        (
            "not all are taken",
            3,
            1,
            2,
            false,
            &["2", "3", "4", "5", "99"],
        ),
        (
            "beyond the history",
            3,
            3,
            8,
            false,
            &["gap 4", "8", "9", "10", "11", "99"],
        ),
        ("another epoch", 3, 3, 2, true, &["gap", "4", "5", "99"]),
        ("nothing had come", 0, 0, 2, false, &["interrupted", "99"]),
    ];
    for (what, before, taken, away, anew, expected) in cases {
        for graceful in [false, true] {
            let what = format!("{}: {what}, graceful: {graceful}", place.bind);
            let mut topic = topic(4);
            let server = Running::at(&place.bind, &topic).await;
            let client = Client::builder(&place.url).timeout(TEST_TIMEOUT);
            let client = client.reconnect(soon()).build().unwrap();
            let mut items = client.subscribe::<u64>("of", ("k",)).await.unwrap();
            publish(&topic, 1..=before);
            let first: Vec<_> = (1..=taken).map(|n| n.to_string()).collect();
            let first: Vec<_> = first.iter().map(String::as_str).collect();
            expect(&mut items, &first, &what).await;
            match graceful {
                true => server.handle.stop(),
                false => server.handle.kill(),
            }
            server.ended().await;
            if anew {
                topic = self::topic(4);
            }
            publish(&topic, before + 1..=before + away);
            let server = Running::at(&place.bind, &topic).await;
            // The client subscribes when somebody waits for an item.
            let later = topic.clone();
            let publishing = tokio::spawn(async move {
                until(|| later.subscribers("k") == 1, "the client is back").await;
                publish(&later, [99]);
            });
            expect(&mut items, expected, &what).await;
            publishing.await.unwrap();
            drop((items, client));
            until(|| topic.all_subscribers() == 0, "nobody is left").await;
            server.handle.kill();
            server.ended().await;
        }
    }
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn a_subscription_goes_on_over_tcp() {
    let url = format!("tcp://{}", free_port());
    check(&Place {
        bind: url.clone(),
        url,
    })
    .await;
}

#[tokio::test]
async fn a_subscription_goes_on_over_web_socket() {
    let address = free_port();
    check(&Place {
        bind: address.to_string(),
        url: format!("ws://{address}"),
    })
    .await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_subscription_goes_on_over_a_unix_socket() {
    let name = format!("antiphon-resume-{}.sock", std::process::id());
    let url = format!("unix:{}", std::env::temp_dir().join(name).display());
    check(&Place {
        bind: url.clone(),
        url,
    })
    .await;
}

#[tokio::test]
async fn without_reconnection_it_ends_and_says_where() {
    for (graceful, end) in [(true, "shutdown"), (false, "lost")] {
        let topic = topic(4);
        let serve = async || {
            let router = Router::of(Numbers(topic.clone()));
            SessionServer::raw(Server::new(router)).await
        };
        let mut server = serve().await;
        let client = Client::connect(&server.url).unwrap();
        let mut items = client.subscribe::<u64>("of", ("k",)).await.unwrap();
        assert_eq!(items.cursor(), None);
        publish(&topic, 1..=2);
        expect(&mut items, &["1", "2"], end).await;
        match graceful {
            true => server.handle.stop(),
            false => server.handle.kill(),
        }
        expect(&mut items, &[end, "end"], end).await;
        server.ended().await;
        publish(&topic, 3..=4);
        let server = serve().await;
        let client = Client::connect(&server.url).unwrap();
        let again = client.subscribe::<u64>("of", ("k",));
        let mut again = again.after(items.cursor().cloned()).await.unwrap();
        assert_eq!(again.cursor(), items.cursor());
        expect(&mut again, &["3", "4"], "another client").await;
        assert_ne!(again.cursor(), items.cursor());
    }
}

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
        let topic = topic(3);
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
    let topic = topic(10);
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
    let topic = topic(10);
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

/// The messages of a server on its first connection and on the second one, after which cursor the client
/// asks there, and what its program sees.
#[tokio::test]
async fn every_sequence_of_messages_around_an_outage_has_a_defined_outcome() {
    let item = |rest: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"m","params":{{"subscription":"s",{rest}}}}}"#)
    };
    let at = |seq: u64, n: i64| item(&format!(r#""seq":{seq},"cursor":"c{n}","result":{n}"#));
    let long = item(&format!(r#""cursor":"{}","result":1"#, "c".repeat(255)));
    let longest = format!("\"{}\"", "c".repeat(254));
    let almost = item(&format!(r#""cursor":{longest},"result":1"#));
    let shutdown = |seq: u64| item(&format!(r#""seq":{seq},"end":"shutdown""#));
    let complete = item(r#""end":"complete""#);
    type Case<'a> = (
        &'a str,
        Vec<String>,
        Option<&'a str>,
        Vec<String>,
        &'a [&'a str],
    );
    let cases: Vec<Case<'_>> = vec![
        (
            "nothing",
            vec![],
            None,
            vec![at(1, 1)],
            &["interrupted", "1"],
        ),
        (
            "no gap",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![at(1, 2)],
            &["1", "2"],
        ),
        (
            "the last of many",
            vec![at(1, 1), at(2, 2), at(3, 3)],
            Some("\"c3\""),
            vec![at(1, 4)],
            &["1", "2", "3", "4"],
        ),
        (
            "some are missing",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![
                item(r#""seq":1,"missed":3,"cursor":"c5","result":5"#),
                at(2, 6),
            ],
            &["1", "gap 3", "5", "6"],
        ),
        (
            "and some were dropped",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(r#""seq":3,"missed":3,"cursor":"c7","result":7"#)],
            &["1", "gap 5", "7"],
        ),
        (
            "nobody knows",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(r#""seq":3,"missed":null,"cursor":"c7","result":7"#)],
            &["1", "gap", "7"],
        ),
        (
            "none is missing",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(r#""seq":1,"missed":0,"cursor":"c2","result":2"#)],
            &["1", "2"],
        ),
        (
            "a strange number",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(r#""seq":1,"missed":"x","cursor":"c2","result":2"#)],
            &["1", "gap", "2"],
        ),
        (
            "the largest number",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(
                r#""seq":9,"missed":18446744073709551615,"cursor":"c2","result":2"#,
            )],
            &["1", "gap 18446744073709551615", "2"],
        ),
        (
            "it has forgotten what cursors are",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![item(r#""seq":1,"result":2"#), item(r#""seq":2,"result":3"#)],
            &["1", "gap", "2", "3"],
        ),
        (
            "it never knew",
            vec![item(r#""seq":1,"result":1"#)],
            None,
            vec![item(r#""seq":1,"result":1"#)],
            &["1", "interrupted", "1"],
        ),
        (
            "the last one has none",
            vec![at(1, 1), item(r#""seq":2,"result":2"#)],
            None,
            vec![at(1, 3)],
            &["1", "2", "interrupted", "3"],
        ),
        (
            "the longest",
            vec![almost],
            Some(&longest),
            vec![at(1, 2)],
            &["1", "2"],
        ),
        (
            "too long",
            vec![long],
            None,
            vec![at(1, 2)],
            &["1", "interrupted", "2"],
        ),
        (
            "no text",
            vec![item(r#""cursor":7,"key":[],"result":1"#)],
            None,
            vec![at(1, 2)],
            &["1", "interrupted", "2"],
        ),
        (
            "of another type",
            vec![item(r#""cursor":"c1","result":"x""#)],
            Some("\"c1\""),
            vec![at(1, 2)],
            &["decode", "2"],
        ),
        (
            "cut within a message",
            vec![at(1, 1), at(2, 2).split_off(30).split_off(20)],
            Some("\"c1\""),
            vec![at(1, 2)],
            &["1", "2"],
        ),
        (
            "a server that stops",
            vec![at(1, 1), shutdown(2)],
            Some("\"c1\""),
            vec![at(1, 2)],
            &["1", "2"],
        ),
        (
            "with items left out that come again",
            vec![at(1, 1), shutdown(4)],
            Some("\"c1\""),
            vec![at(1, 2), at(2, 3)],
            &["1", "2", "3"],
        ),
        (
            "with items left out",
            vec![item(r#""seq":1,"result":1"#), shutdown(4)],
            None,
            vec![item(r#""seq":1,"result":1"#)],
            &["1", "gap 2", "interrupted", "1"],
        ),
        (
            "complete before",
            vec![at(1, 1), complete.clone()],
            None,
            vec![],
            &["1", "end", "end"],
        ),
        (
            "complete after",
            vec![at(1, 1)],
            Some("\"c1\""),
            vec![complete],
            &["1", "end", "end"],
        ),
    ];
    for (what, first, after, second, expected) in cases {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acting = tokio::spawn(async move {
            let mut asked = Vec::new();
            let mut parts = VecDeque::from([first, second]);
            while let Some(lines) = parts.pop_front() {
                let mut peer = RawPeer::accept(&listener).await;
                let request = peer.next().await;
                asked.push(request["after"].clone());
                let id = request["id"].to_string();
                peer.say([result(&id, "\"s\"")].into_iter().chain(lines))
                    .await;
                if parts.is_empty() {
                    // It stays until the client goes.
                    peer.rest().await;
                }
            }
            asked
        });
        let client = Client::builder(format!("tcp://{address}")).timeout(TEST_TIMEOUT);
        let client = client.reconnect(soon()).build().unwrap();
        let mut items = client.subscribe::<u64>("m", ()).await.unwrap();
        expect(&mut items, expected, what).await;
        drop((items, client));
        if expected.ends_with(&["end", "end"]) && after.is_none() {
            acting.abort();
            continue;
        }
        let asked = timeout(TEST_TIMEOUT, acting).await.unwrap().unwrap();
        let after: Value = after.map_or(Value::Null, |text| serde_json::from_str(text).unwrap());
        assert_eq!(asked, [Value::Null, after], "{what}");
    }
}
