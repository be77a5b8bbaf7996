//! Subscriptions of another server: by GET, and at servers that do not describe them.

use antiphon::client::{Client, Remote, StreamError};
use antiphon::{Method, Router, Server, Topic};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::LIMIT;
use crate::support::http1::Http1;
use crate::support::test_server::{Log, TestServer};
use crate::support::until;

/// A server with a topic, and one in front of it that forwards to it over a WebSocket.
async fn chain(
    topic: &Topic<u64>,
    change: impl FnOnce(Remote) -> Remote,
) -> (TestServer, TestServer) {
    let prices = topic.clone();
    let there = Router::new()
        .method_fn("prices", move |key: String| prices.subscribe(key))
        .method_fn("add", |a: i64, b: i64| a + b);
    let there = TestServer::of(Server::new(there), Log::default()).await;
    let upstream = Client::connect(format!("ws://{}", there.address)).unwrap();
    let here = Router::new().nest("far", change(Remote::of(upstream)));
    let here = TestServer::of(Server::new(here), Log::default()).await;
    (there, here)
}

/// Asks as an `EventSource` does.
async fn get(server: &TestServer, query: &str, more: &str) -> (u16, Http1) {
    let mut http1 = server.connect().await;
    let request = format!(
        "GET /?{query} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n{more}\r\n"
    );
    http1.send(request).await;
    let status = http1.head().await.unwrap().status;
    (status, http1)
}

/// The next event of a stream that has an id: the id, and the parameters of its message.
async fn item(stream: &mut Http1, read: &mut String) -> (String, Value) {
    loop {
        while let Some((event, rest)) = read.split_once("\n\n") {
            let event = event.to_owned();
            *read = rest.to_owned();
            let field = |name: &str| {
                let mut lines = event.lines();
                lines.find_map(|line| Some(line.strip_prefix(name)?.to_owned()))
            };
            let data: Value = serde_json::from_str(&field("data: ").unwrap()).unwrap();
            if data["params"].is_object() {
                return (field("id: ").unwrap(), data["params"].clone());
            }
        }
        let chunk = timeout(LIMIT, stream.chunk()).await.unwrap().unwrap();
        read.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
}

#[tokio::test]
async fn an_event_source_goes_on_behind_the_last_item_of_the_other_server() {
    let topic = Topic::builder("prices").history(3).build();
    let (_there, here) = chain(&topic, |remote| remote).await;
    let query = "method=far.prices&params=[%22k%22]";
    let (status, mut stream) = get(&here, query, "").await;
    assert_eq!(status, 200);
    until(|| topic.subscribers("k") == 1, "it subscribes there").await;
    let (mut read, mut ids) = (String::new(), Vec::new());
    for n in 1..=2 {
        topic.publish("k", &n);
        let (id, params) = item(&mut stream, &mut read).await;
        assert_eq!(
            (&params["result"], &params["cursor"]),
            (&json!(n), &json!(id))
        );
        ids.push(id);
    }
    drop(stream);
    until(|| topic.subscribers("k") == 0, "the stream ends there").await;
    for n in 3..=5 {
        topic.publish("k", &n);
    }
    let last = format!("last-event-id: {}\r\n", ids[1]);
    let first = format!("&after={}", ids[0]);
    // The first item, and what is missing before it.
    for (query, header, expected, missed) in [
        (query.to_owned(), &*last, 3, None),
        (format!("{query}{first}"), &last, 3, None),
        (format!("{query}{first}"), "", 3, Some(json!(1))),
        (
            query.to_owned(),
            "last-event-id: 1-1-1\r\n",
            3,
            Some(Value::Null),
        ),
    ] {
        let (status, mut stream) = get(&here, &query, header).await;
        assert_eq!(status, 200, "{query} {header}");
        let (_, params) = item(&mut stream, &mut String::new()).await;
        assert_eq!(params["result"], expected, "{query} {header}");
        assert_eq!(params.get("missed").cloned(), missed, "{query} {header}");
    }
}

/// A server that opens each subscription with an item, and ends it so.
async fn ending(end: &'static str) -> std::net::SocketAddr {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (read, mut write) = stream.split();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let request: Value = serde_json::from_str(&line).unwrap();
                    let id = &request["id"];
                    let message = |params: &str| {
                        format!(
                            "{{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":\
                             {{\"subscription\":\"s\",{params}}}}}\n"
                        )
                    };
                    let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":\"s\"}}\n");
                    let text = [answer, message("\"seq\":1,\"result\":7"), message(end)].concat();
                    write.write_all(text.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn what_is_missing_before_the_end_there_is_told_with_the_end_here() {
    for (end, missed) in [
        (r#""seq":2,"end":"complete""#, None),
        (r#""seq":2,"missed":3,"end":"complete""#, Some(Some(3))),
        (r#""seq":2,"missed":3,"end":"lagged""#, Some(Some(3))),
        (r#""seq":2,"missed":null,"end":"lagged""#, Some(None)),
        (r#""seq":5,"end":"complete""#, Some(Some(3))),
    ] {
        let address = ending(end).await;
        let upstream = Client::connect(format!("tcp://{address}")).unwrap();
        let remote = Remote::of(upstream).refresh(None).subscription("m");
        let here = Server::new(Router::new().nest("far", remote));
        let here = TestServer::of(here, Log::default()).await;
        let client = Client::connect(format!("ws://{}", here.address)).unwrap();
        let mut items = client.subscribe::<u64>("far.m", ()).await.unwrap();
        assert_eq!(
            timeout(LIMIT, items.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap(),
            7
        );
        let mut found = None;
        while let Some(next) = timeout(LIMIT, items.next()).await.unwrap() {
            if let Err(StreamError::Gap { missed }) = next {
                found = Some(missed);
            }
        }
        assert_eq!(found, missed, "{end}");
    }
}

#[tokio::test]
async fn a_get_reaches_methods_of_the_other_server_that_open_subscriptions_and_no_others() {
    type Change = fn(Remote) -> Remote;
    let described: Change = |remote| remote;
    let silent: Change = |remote| remote.refresh(None);
    let declared: Change = |remote| remote.refresh(None).subscription("pri*");
    for (change, method, expected) in [
        (described, "far.prices", 200),
        (described, "far.add", 404),
        (described, "far.unknown", 404),
        (described, "near.prices", 404),
        (silent, "far.prices", 404),
        (silent, "far.add", 404),
        (declared, "far.prices", 200),
        (declared, "far.add", 404),
    ] {
        let topic = Topic::builder("prices").build();
        let (there, here) = chain(&topic, change).await;
        // The second time it is known what the other server has.
        for attempt in 1..=2 {
            let query = format!("method={method}&params=[%22k%22]");
            let (status, _stream) = get(&here, &query, "").await;
            assert_eq!(status, expected, "{method} {attempt}");
        }
        drop((there, here));
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_believed_by_the_names_of_ethereum() {
    let topic = Topic::builder("heads").build();
    let heads = topic.clone();
    let subscribe = Method::function("eth_subscribe", move |kind: String| heads.subscribe(kind));
    let subscribe = subscribe
        .notification("eth_subscription")
        .unsubscribe("eth_unsubscribe")
        .plain();
    let there = Router::new().method(subscribe);
    let there = TestServer::of(Server::new(there), Log::default()).await;
    let upstream = Client::connect(format!("ws://{}", there.address)).unwrap();
    let here = Router::new().nest("main", Remote::of(upstream).refresh(None));
    let here = TestServer::of(Server::new(here), Log::default()).await;
    let client = Client::connect(format!("ws://{}", here.address)).unwrap();
    let asked = client.subscribe::<u64>("main.eth_subscribe", ("newHeads",));
    let mut items = asked.await.unwrap();
    topic.publish("newHeads", &17);
    let first = timeout(LIMIT, items.next()).await.unwrap();
    assert_eq!(first.unwrap().unwrap(), 17);
    drop(items);
    until(|| topic.all_subscribers() == 0, "it is ended there").await;
}
