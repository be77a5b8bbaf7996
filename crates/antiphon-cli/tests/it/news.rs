//! Tests of the topics of `antiphon serve`, over TCP with one message a line.

use serde_json::{Value, json};

use crate::support::Server;
use crate::wire::{Peer, Place, Protocol, call};

/// A server, and where it takes lines.
fn start() -> (Server, Place) {
    let server = Server::start(&["--bind", "tcp://127.0.0.1:0"]);
    let note = server.process.note();
    let (_, address) = note.trim_end().split_once("tcp://").unwrap();
    let place = Place::Tcp(address.parse().unwrap());
    (server, place)
}

fn connect(place: &Place) -> Peer {
    Peer::connect(place, Protocol::Lines).unwrap()
}

fn ask(peer: &mut Peer, message: &str) -> Value {
    serde_json::from_str(&peer.ask(message).unwrap()).unwrap()
}

/// Subscribes, behind a cursor if there is one.
fn subscribe(peer: &mut Peer, topic: &str, after: Option<&str>) {
    let after = after.map_or(String::new(), |after| format!(",\"after\":\"{after}\""));
    let answer = ask(
        peer,
        &format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"news.subscribe","params":["{topic}"]{after}}}"#
        ),
    );
    assert!(answer["result"].is_string(), "{answer}");
}

/// The text of the next item, and the other members of its message.
fn item(peer: &mut Peer) -> (String, Value) {
    let text = peer.receive().unwrap();
    let (_, result) = text.split_once("\"result\":").unwrap();
    let result = result.strip_suffix("}}").unwrap().to_owned();
    let mut message: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(message["method"], "news.subscribe");
    (result, message["params"].take())
}

#[test]
fn what_is_published_reaches_all_who_have_subscribed_to_its_topic() {
    let (server, place) = start();
    let mut peers = [connect(&place), connect(&place)];
    peers
        .iter_mut()
        .for_each(|peer| subscribe(peer, "weather", None));
    let table = [
        ("rain", "\"rain\""),
        ("-1.50", "-1.50"),
        ("12345678901234567890.123", "12345678901234567890.123"),
        (r#"{"b":[1, 2],"a":null}"#, r#"{"b":[1, 2],"a":null}"#),
        ("null", "null"),
    ];
    assert_eq!(server.call(&["news.publish", "sport", "2:1"]).out, "1\n");
    let mut cursor = None;
    for (number, (published, text)) in (1..).zip(table) {
        let ended = server.call(&["news.publish", "weather", published]);
        assert_eq!((ended.code, ended.out), (Some(0), format!("{number}\n")));
        for peer in &mut peers {
            let (result, params) = item(peer);
            assert_eq!((&*result, &params["seq"]), (text, &json!(number)));
            cursor = params["cursor"].as_str().map(str::to_owned);
        }
    }
    // Who has been away goes on where it was.
    server.call(&["news.publish", "weather", "snow"]);
    let mut late = connect(&place);
    subscribe(&mut late, "weather", cursor.as_deref());
    let (result, params) = item(&mut late);
    assert_eq!((&*result, params.get("missed")), ("\"snow\"", None));
    let mut new = connect(&place);
    subscribe(&mut new, "weather", Some("?"));
    assert_eq!(item(&mut new).1["missed"], Value::Null);
}

/// Line breaks between the values of an item end no message.
#[test]
fn an_item_of_several_lines_is_one_message() {
    let (server, place) = start();
    let mut peer = connect(&place);
    subscribe(&mut peer, "a", None);
    let mut http = Peer::connect(
        &Place::Tcp(server.url.strip_prefix("http://").unwrap().parse().unwrap()),
        Protocol::Http1,
    )
    .unwrap();
    let answer = http.ask(&call(2, "news.publish", "[\"a\",{\n\"b\":\r\n1\n}]"));
    assert!(answer.unwrap().contains("\"result\":1"));
    let (_, params) = item(&mut peer);
    assert_eq!(params["result"], json!({"b": 1}));
}

#[test]
fn what_is_too_long_is_told() {
    let (_server, place) = start();
    let mut peer = connect(&place);
    let text = |length: usize| "x".repeat(length);
    for (method, topic, item, said) in [
        ("publish", 256, 256 * 1024 - 2, None),
        (
            "publish",
            257,
            1,
            Some("the name of the topic has more than 256 bytes"),
        ),
        (
            "publish",
            1,
            256 * 1024 - 1,
            Some("the item has more than 262144 bytes"),
        ),
        (
            "subscribe",
            257,
            0,
            Some("the name of the topic has more than 256 bytes"),
        ),
        ("subscribe", 256, 0, None),
    ] {
        let params = match method {
            "publish" => json!([text(topic), text(item)]),
            _ => json!([text(topic)]),
        };
        let message = call(7, &format!("news.{method}"), &params.to_string());
        let answer = ask(&mut peer, &message);
        let error = &answer["error"];
        let message = error["message"].as_str();
        assert_eq!(
            message.is_some(),
            said.is_some(),
            "{method} {topic}: {answer}"
        );
        if let (Some(message), Some(said)) = (message, said) {
            assert_eq!(error["code"], -32602, "{answer}");
            assert!(message.ends_with(said), "{message}");
        }
    }
}

/// There are 1,000 topics at most, and 1,000 items of each are kept.
#[test]
fn the_oldest_topics_and_items_give_way() {
    let (_server, place) = start();
    let mut peer = connect(&place);
    let mut publish = |topic: &str, item: usize| {
        let params = json!([topic, item]).to_string();
        ask(&mut peer, &call(1, "news.publish", &params))["result"].clone()
    };
    for n in 1..=1_003 {
        assert_eq!(publish("busy", n), n);
    }
    for n in 0..1_200 {
        assert_eq!(publish(&format!("topic {n}"), n), 1);
        // It is published now and then, so it stays.
        if n % 100 == 0 {
            publish("busy", 0);
        }
    }
    assert_eq!(publish("busy", 0), 1_016);
    assert_eq!(publish("topic 1199", 0), 2);
    assert_eq!(publish("topic 3", 0), 1);
    let mut late = connect(&place);
    subscribe(&mut late, "busy", Some("?"));
    let (result, params) = item(&mut late);
    assert_eq!((&*result, &params["missed"]), ("17", &Value::Null));
}
