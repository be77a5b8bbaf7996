//! Where an `EventSource` goes on that has lost its stream, and what ends it for good.

use antiphon::{Overflow, Server, Topic};
use serde_json::{Value, json};

use super::{Answer, Event, News, get, news, request, router, service};
use crate::support::test_server::{Log, TestServer};
use crate::support::until;

const GOLD: &str = "method=news.subscribe&params=[%22gold%22]";

fn publish(news: &News, numbers: impl IntoIterator<Item = u64>) {
    for n in numbers {
        news.topic.publish("gold", &n.to_string());
    }
}

/// Subscribes; returns the stream, what was read of it, and its first event.
async fn open(news: &News, query: &str, fields: &[(&str, &str)]) -> (Answer, String, Event) {
    let mut answer = Answer::of(&service(news), get(query, fields)).await;
    assert_eq!(answer.status(), 200);
    let mut read = String::new();
    let first = answer.event(&mut read).await.unwrap();
    assert_eq!(first.kind.as_deref(), Some("response"));
    assert_eq!(first.data["id"], 1);
    assert!(first.data["result"].is_string(), "{first:?}");
    assert!((1000..=5000).contains(&first.retry.unwrap()));
    (answer, read, first)
}

/// The next item: its id, and the members of its message.
async fn item(answer: &mut Answer, read: &mut String) -> (String, Value) {
    let mut event = answer.event(read).await.unwrap();
    assert_eq!(
        (event.retry, &event.kind),
        (None, &None),
        "`onmessage` sees it"
    );
    (event.id.unwrap(), event.data["params"].take())
}

/// Lets go of a stream, and waits until its subscription has ended.
async fn cut(news: &News, answer: Answer) {
    drop(answer);
    until(|| news.topic.all_subscribers() == 0, "the stream ends").await;
}

#[tokio::test]
async fn a_browser_that_comes_back_misses_nothing() {
    let news = news(5);
    publish(&news, 1..=2);
    // Cut before there was an item: the response has a place to go on from.
    let (stream, _, first) = open(&news, GOLD, &[]).await;
    cut(&news, stream).await;
    let start = first.id.unwrap();
    assert!(start.ends_with("-2"), "{start}");
    publish(&news, 3..=4);
    let (mut stream, mut read, first) = open(&news, GOLD, &[("last-event-id", &start)]).await;
    // It keeps the id that it has sent.
    assert_eq!(first.id, None);
    let mut ids = vec![start];
    for n in 3..=6 {
        if n == 5 {
            publish(&news, 5..=6);
        }
        let (id, params) = item(&mut stream, &mut read).await;
        assert_eq!(
            (&params["result"], params.get("missed")),
            (&json!(n.to_string()), None)
        );
        assert_eq!(params["cursor"], *id);
        ids.push(id);
    }
    cut(&news, stream).await;
    publish(&news, 7..=10);
    // What was seen last, in the header and in the query; the first item, and what is missing.
    let (last, third) = (&*ids[4], &*ids[1]);
    for (header, after, first, missed) in [
        (Some(last), "", 7, None),
        (None, last, 7, None),
        (Some(last), third, 7, None),
        (Some(third), last, 6, Some(json!(2))),
        // An empty header is none.
        (Some(""), last, 7, None),
        (Some("17"), last, 6, Some(Value::Null)),
        (Some("\u{e9}"), last, 6, Some(Value::Null)),
        (Some("5-1-a\", \"x\": \""), "", 6, Some(Value::Null)),
        (None, "17", 6, Some(Value::Null)),
        (None, "", 11, None),
    ] {
        let query = format!("{GOLD}&after={after}");
        let fields = header.map(|header| ("last-event-id", header));
        let fields: Vec<_> = fields.into_iter().collect();
        let (mut stream, mut read, answer) = open(&news, &query, &fields).await;
        let begins_now = header.unwrap_or(after).is_empty() && after.is_empty();
        assert_eq!(answer.id.is_some(), begins_now, "{header:?} {after:?}");
        if first == 11 {
            publish(&news, [11]);
        }
        let (_, params) = item(&mut stream, &mut read).await;
        assert_eq!(params["result"], first.to_string(), "{header:?} {after:?}");
        assert_eq!(
            params.get("missed").cloned(),
            missed,
            "{header:?} {after:?}"
        );
        cut(&news, stream).await;
    }
}

/// The last id of a stream that has come to its end says so, and the browser does not come back.
#[tokio::test]
async fn a_stream_that_has_come_to_its_end_is_not_begun_again() {
    let news = news(0);
    for (query, ends, items) in [
        ("method=news.count&params=[3]", true, 3),
        ("method=news.count&params=[0]", true, 0),
        ("method=news.count&params=[2,7]", true, 2),
        ("method=news.count&params=[1,-32603]", true, 1),
        // There was no memory for an item: this may pass.
        ("method=news.count&params=[1,-32000]", false, 1),
    ] {
        let (mut stream, mut read, _) = open(&news, query, &[]).await;
        let mut events = Vec::new();
        while let Some(event) = stream.event(&mut read).await {
            events.push(event);
        }
        let last = events.pop().unwrap();
        let end = Event {
            id: Some("end".to_owned()),
            ..Event::default()
        };
        assert_eq!(last == end, ends, "{query} {last:?}");
        let messages = events.len() + usize::from(!ends);
        assert_eq!(
            messages,
            items + 1,
            "{query}: items, and the message of the end"
        );
        for (query, status) in [
            (query, 204),
            ("method=add&params=[1,2]", 404),
            ("method=no", 404),
        ] {
            let answer = Answer::of(&service(&news), get(query, &[("last-event-id", "end")])).await;
            assert_eq!(answer.status(), status, "{query}");
            let after = format!("{query}&after=end");
            let answer = Answer::of(&service(&news), get(&after, &[])).await;
            assert_eq!(answer.status(), status, "{after}");
        }
    }
    // A topic that is gone ends its streams for good, also those without numbers; the subscriber who
    // did not keep up comes back.
    for (method, overflow, kept_up) in [
        ("subscribe", Overflow::Disconnect, true),
        ("plain", Overflow::Disconnect, true),
        ("subscribe", Overflow::Disconnect, false),
    ] {
        let news = News {
            topic: Topic::builder("news").overflow(overflow).build(),
            ..news.clone()
        };
        let query = format!("method=news.{method}&params=[%22gold%22]");
        let (mut stream, mut read, _) = open(&news, &query, &[]).await;
        let count = if kept_up { 1 } else { 10_000 };
        publish(&news, 1..=count);
        // The last handle: the one of the service has gone with its request.
        let topic = news.topic;
        if kept_up {
            drop(topic);
        }
        let mut last = None;
        while let Some(event) = stream.event(&mut read).await {
            last = Some(event);
        }
        let last = last.unwrap();
        assert_eq!(last.id.as_deref() == Some("end"), kept_up, "{last:?}");
    }
    assert_eq!(news.ordinary.get(), 0);
}

/// Over sockets, with both versions of HTTP: a stream that a stop has cut is begun again.
#[tokio::test]
async fn a_stop_of_the_server_does_not_end_a_stream_for_good() {
    let news = news(9);
    let server = TestServer::of(Server::new(router(&news)), Log::default()).await;
    let mut http1 = server.connect().await;
    let head = "Host: localhost\r\nAccept: text/event-stream\r\n";
    http1
        .send(format!("GET /?{GOLD} HTTP/1.1\r\n{head}\r\n"))
        .await;
    assert_eq!(http1.head().await.unwrap().status, 200);
    let mut http2 = server.http2().await;
    let target = format!("http://localhost/?{GOLD}");
    let get = http::Request::get(target).header("accept", "text/event-stream");
    let (response, _) = http2.begin(get.body(()).unwrap(), true).await;
    let mut response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    until(|| news.topic.all_subscribers() == 2, "both have begun").await;
    publish(&news, [1]);
    server.handle.stop();
    let mut text = String::new();
    while let Some(chunk) = http1.chunk().await.unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let events: Vec<_> = text.split_terminator("\n\n").map(Event::of).collect();
    let (first, last) = (&events[0], events.last().unwrap());
    assert_eq!(first.kind.as_deref(), Some("response"));
    assert_eq!(last.data["params"]["end"], "shutdown", "{text}");
    assert_eq!(last.id, None, "what was seen last stays");
    let over_http2 = crate::support::http2::text(response.body_mut()).await;
    assert!(over_http2.contains("\"end\":\"shutdown\""), "{over_http2}");
    assert!(!over_http2.contains("id: end"), "{over_http2}");
}

/// A layer may answer in place of a method: that is a stream of one event.
#[tokio::test]
async fn an_answer_of_a_layer_is_a_stream_that_has_ended() {
    let news = news(0);
    let cache = tower::util::MapResponseLayer::new(|reply: antiphon::Reply| reply.clone());
    let service = router(&news).layer(cache).into_service().unwrap();
    let mut answer = Answer::of(&service, get("method=news.count&params=[3]", &[])).await;
    let text = answer.rest().await;
    let events: Vec<_> = text.split_terminator("\n\n").map(Event::of).collect();
    assert_eq!(events.len(), 2, "{text}");
    assert!(events[0].data["result"].is_string());
    assert_eq!(events[1].id.as_deref(), Some("end"));
    // But no layer sees a call of another method.
    let seen = crate::support::counter::Counter::default();
    let counter = seen.clone();
    let layer = tower::util::MapRequestLayer::new(move |call: antiphon::Call| {
        counter.add();
        call
    });
    let service = router(&news).layer(layer).into_service().unwrap();
    for (query, calls) in [("method=add&params=[1,2]", 0), ("method=no", 0), (GOLD, 1)] {
        let _answer = Answer::of(&service, get(query, &[])).await;
        assert_eq!(seen.get(), calls, "{query}");
    }
    let head = request(
        &http::Method::HEAD,
        &format!("http://localhost/?{GOLD}"),
        &[],
    );
    assert_eq!(Answer::of(&service, head).await.status(), 405);
    assert_eq!(seen.get(), 1);
}

/// A key that nobody has published yet exists while somebody listens. Cut off then, a browser is told of a
/// gap only where there may be one.
#[tokio::test]
async fn a_browser_that_waits_for_the_first_item_is_told_of_no_gap_that_is_none() {
    for (history, while_away, first, missed) in [
        (5, 2, "1", None),
        (5, 7, "3", Some(json!(2))),
        (5, 0, "new", None),
        // Without a history nobody knows what was published.
        (0, 2, "new", Some(Value::Null)),
        (0, 0, "new", Some(Value::Null)),
    ] {
        let news = news(history);
        let (stream, _, first_event) = open(&news, GOLD, &[]).await;
        let start = first_event.id.unwrap();
        assert!(start.ends_with("-0"), "{start}");
        cut(&news, stream).await;
        publish(&news, 1..=while_away);
        let (mut stream, mut read, _) = open(&news, GOLD, &[("last-event-id", &start)]).await;
        news.topic.publish("gold", &"new".to_owned());
        let (_, params) = item(&mut stream, &mut read).await;
        assert_eq!(params["result"], first, "{history} {while_away}");
        assert_eq!(
            params.get("missed").cloned(),
            missed,
            "{history} {while_away}"
        );
    }
}
