//! Tests with a hostile client: duplicate ids, cancellations, invalid messages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon::{Router, Server};
use serde_json::Value;
use tokio::time::sleep;

use super::raw::{MethodCounters, RawPeer, SessionServer, cancel, result, router};
use crate::support::counter::Counter;
use crate::support::{PARSE_ERROR, batch, call, code, notification};

const CANCELLED: i64 = -32800;
const INVALID: i64 = -32600;

/// Responses by id and code or result, with their number.
type Answers = BTreeMap<(String, String), usize>;

fn note(answers: &mut Answers, answer: &Value) {
    for answer in answer.as_array().unwrap_or(&vec![answer.clone()]) {
        let what = match code(answer) {
            0 => answer["result"].to_string(),
            code => code.to_string(),
        };
        *answers.entry((answer["id"].to_string(), what)).or_default() += 1;
    }
}

/// Sends packets with pauses between them, and checks all responses.
async fn check(name: &str, packets: &[&[String]], expected: &[(&str, i64)]) {
    let seen = MethodCounters::default();
    let server = SessionServer::raw(Server::new(router(&seen))).await;
    let mut peer = server.connect().await;
    let mut wanted = Answers::new();
    for (id, what) in expected {
        *wanted
            .entry(((*id).to_owned(), what.to_string()))
            .or_default() += 1;
    }
    let mut answers = Answers::new();
    for packet in packets {
        let held = packet.concat().matches("\"hold\"").count();
        let before = seen.held.get();
        peer.say(*packet).await;
        // Refused calls do not hold. The expected responses tell how many they are.
        if packets.len() > 1 {
            seen.held.reach(before + held.min(1)).await;
        }
    }
    while answers.values().sum::<usize>() < expected.len() {
        note(&mut answers, &peer.next().await);
    }
    assert_eq!(answers, wanted, "{name}");
    peer.answers(name).await;
    drop(peer);
    server.until_open(0).await;
    seen.dropped.reach(seen.held.get()).await;
}

fn hold(id: &str) -> String {
    call(id, "hold", "[]")
}

fn add(id: &str) -> String {
    call(id, "add", "[3,4]")
}

#[tokio::test]
async fn an_id_may_be_reused_only_after_its_call_has_ended() {
    let row = check;
    row(
        "in use",
        &[&[hold("1"), hold("1"), add("1")]],
        &[("1", INVALID), ("1", INVALID)],
    )
    .await;
    row(
        "other spellings are other ids",
        &[&[
            hold("1"),
            hold("1.0"),
            hold("\"1\""),
            hold("1e0"),
            add("01e0"),
        ]],
        &[("null", -32700)],
    )
    .await;
    row(
        "null never counts",
        &[&[hold("null"), hold("null"), add("null")]],
        &[("null", 7)],
    )
    .await;
    row(
        "free after the answer",
        &[&[add("1"), add("1"), call("2", "sleep", "[1]")]],
        &[("1", 7), ("1", 7), ("2", 1)],
    )
    .await;
    row(
        "free after a cancel",
        &[&[hold("1"), cancel("1"), add("1")]],
        &[("1", CANCELLED), ("1", 7)],
    )
    .await;
    row(
        "twice in a batch",
        &[&[batch([add("1"), add("1"), add("null"), add("null")])]],
        &[("1", 7), ("1", INVALID), ("null", 7), ("null", 7)],
    )
    .await;
    row(
        "in a batch and outside",
        &[&[
            batch([hold("1"), hold("2")]),
            add("1"),
            batch([add("2"), add("3")]),
        ]],
        &[("1", INVALID), ("2", INVALID), ("3", 7)],
    )
    .await;
}

#[tokio::test]
async fn a_cancellation_causes_at_most_one_response() {
    let row = check;
    let as_request = r#"{"jsonrpc":"2.0","id":5,"method":"$/cancelRequest","params":{"id":1}}"#;
    let mcp = r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"requestId":1}}"#;
    let senseless = ["[]", "{}", "[1]", r#"{"id":[1]}"#, r#"{"id":null}"#];
    let senseless = senseless.map(|params| notification("$/cancelRequest", params));

    row(
        "in one packet",
        &[&[hold("1"), cancel("1")]],
        &[("1", CANCELLED)],
    )
    .await;
    row(
        "later",
        &[&[hold("1")], &[cancel("1")]],
        &[("1", CANCELLED)],
    )
    .await;
    row(
        "twice",
        &[&[hold("1"), cancel("1"), cancel("1")], &[cancel("1")]],
        &[("1", CANCELLED)],
    )
    .await;
    row("unknown", &[&[cancel("1"), add("1")]], &[("1", 7)]).await;
    row("answered", &[&[add("1"), cancel("1")]], &[("1", 7)]).await;
    row(
        "another spelling",
        &[&[hold("1"), cancel("\"1\""), cancel("1.0")]],
        &[],
    )
    .await;
    row(
        "as MCP has it",
        &[&[hold("1"), mcp.to_owned()]],
        &[("1", CANCELLED)],
    )
    .await;
    row(
        "a request is no cancel",
        &[&[hold("1"), as_request.to_owned()]],
        &[("5", -32601)],
    )
    .await;
    let mut packet = vec![hold("1"), hold("null")];
    packet.extend(senseless);
    row("senseless", &[&packet], &[]).await;
    row(
        "in a batch",
        &[
            &[batch([hold("1"), hold("2"), add("3")])],
            &[cancel("2"), cancel("1")],
        ],
        &[("1", CANCELLED), ("2", CANCELLED), ("3", 7)],
    )
    .await;
    row(
        "by a batch",
        &[
            &[hold("1"), hold("2")],
            &[batch([cancel("2"), cancel("1"), cancel("7")])],
        ],
        &[("1", CANCELLED), ("2", CANCELLED)],
    )
    .await;
}

/// Eight calls of a batch run at a time. The ninth can be cancelled before it starts.
#[tokio::test]
async fn a_call_of_a_batch_can_be_cancelled_before_it_starts() {
    let ids: Vec<_> = (1..=9).map(|id: u32| id.to_string()).collect();
    let holding = batch(ids.iter().map(|id| hold(id)));
    let late_first = cancel("9");
    let others: Vec<_> = ids.iter().take(8).map(|id| cancel(id)).collect();
    let expected: Vec<_> = ids.iter().map(|id| (id.as_str(), CANCELLED)).collect();
    check(
        "the ninth",
        &[&[holding], &[late_first], &others],
        &expected,
    )
    .await;
}

/// Messages wait until a notification has ended, but a cancellation does not.
#[tokio::test]
async fn a_waiting_message_can_be_cancelled() {
    let (seen, gate) = (MethodCounters::default(), Counter::default());
    let opened = gate.clone();
    let router = router(&seen).method_fn("wait", move || {
        let opened = opened.clone();
        async move { opened.reach(1).await }
    });
    let server = SessionServer::raw(Server::new(router)).await;
    let mut peer = server.connect().await;
    let both = batch([call("3", "count", "[]"), call("4", "count", "[]")]);
    peer.say([
        notification("wait", "[]"),
        call("1", "count", "[]"),
        call("2", "count", "[]"),
        both,
        cancel("1"),
        cancel("4"),
    ])
    .await;
    let answer = peer.next().await;
    assert_eq!((code(&answer), &answer["id"]), (CANCELLED, &1.into()));
    gate.add();
    assert_eq!(peer.next().await["id"], 2);
    let answers = peer.next().await;
    assert_eq!(
        crate::support::codes(&answers),
        [0, CANCELLED],
        "a call of a batch that waits is cancelled like any other"
    );
    assert_eq!(seen.counted.get(), 2);
}

/// The method of a notification returns before the next message starts. Calls do not wait for each
/// other.
#[tokio::test]
async fn messages_start_in_order() {
    let order = Arc::<Mutex<Vec<String>>>::default();
    let (noting, calling) = (Arc::clone(&order), Arc::clone(&order));
    let router = Router::new()
        .method_fn("note", move |ms: u64, n: u32| {
            let order = Arc::clone(&noting);
            async move {
                order.lock().unwrap().push(format!("{n}"));
                sleep(Duration::from_millis(ms)).await;
                order.lock().unwrap().push(format!("{n}."));
            }
        })
        .method_fn("call", move |ms: u64, n: u32| {
            let order = Arc::clone(&calling);
            async move {
                order.lock().unwrap().push(format!("{n}"));
                sleep(Duration::from_millis(ms)).await;
                order.lock().unwrap().push(format!("{n}."));
            }
        });
    let server = SessionServer::raw(Server::new(router)).await;
    let mut peer = server.connect().await;
    peer.say([
        notification("note", "[20,1]"),
        notification("note", "[0,2]"),
        call("3", "call", "[60000,3]"),
        call("4", "call", "[20,4]"),
        notification("note", "[20,5]"),
        // The entries of a batch run concurrently.
        batch([notification("note", "[0,6]"), call("7", "call", "[0,7]")]),
    ])
    .await;
    assert_eq!(peer.next().await["id"], 4);
    assert_eq!(peer.next().await[0]["id"], 7);
    let mut order = order.lock().unwrap().clone();
    // Concurrent calls may end in any order.
    order.retain(|step| !["4.", "6.", "7."].contains(&step.as_str()));
    assert_eq!(order, ["1", "1.", "2", "2.", "3", "4", "5", "5.", "6", "7"]);
}

#[tokio::test]
async fn an_invalid_message_gets_an_error_and_the_session_continues() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(200), close.repeat(200));
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("arrays in arrays", deep("[", "]").into()),
        ("a bomb", "[".repeat(500_000).into()),
        ("objects in objects", deep(r#"{"a":"#, "}").into()),
        (
            "not UTF-8",
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}".into(),
        ),
        (
            "half a character",
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\"}".into(),
        ),
        ("cut short", br#"{"jsonrpc":"2.0","id":1,"method":"#.into()),
        ("two in a line", format!("{}{}", add("1"), add("2")).into()),
        ("a byte zero", b"{\"jsonrpc\":\"2.0\",\0}".into()),
    ];
    let server = SessionServer::raw(Server::new(router(&MethodCounters::default()))).await;
    let mut peer = server.connect().await;
    for (name, mut line) in table {
        line.push(b'\n');
        peer.send(line).await;
        assert_eq!(peer.line().await.as_deref(), Some(PARSE_ERROR), "{name}");
        peer.answers(name).await;
    }
}

#[tokio::test]
async fn a_peer_without_json_is_disconnected_and_runs_nothing() {
    let seen = MethodCounters::default();
    let server = Server::new(router(&seen)).configure(|settings| settings.max_request = 10_000);
    let server = SessionServer::raw(server).await;
    let count = call("1", "count", "[]");
    let post = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{count}\r\n",
        count.len()
    );
    let long = format!("{{\"a\":\"{}\"}}\n{count}\n", "x".repeat(20_000));
    let endless = "{".to_owned() + &" ".repeat(20_000);
    let table: [(&str, Vec<u8>, &[&str]); 8] = [
        ("HTTP", post.clone().into(), &[PARSE_ERROR]),
        (
            "HTTP without a line break",
            post.trim_end().into(),
            &[PARSE_ERROR],
        ),
        ("words", format!("hello\n{count}\n").into(), &[PARSE_ERROR]),
        ("a number", format!("1\n{count}\n").into(), &[PARSE_ERROR]),
        // Such a peer could not read a response.
        ("TLS", b"\x16\x03\x01\x02\x00\x01".into(), &[]),
        ("a BOM", format!("\u{feff}{count}\n").into(), &[PARSE_ERROR]),
        ("a long line", long.into(), &[]),
        ("a line without an end", endless.into(), &[]),
    ];
    for (name, bytes, expected) in table {
        let mut peer = server.connect().await;
        peer.send(bytes).await;
        assert_eq!(peer.rest().await, expected, "{name}");
    }
    assert_eq!(seen.counted.get(), 0);
    server.connect().await.answers("others").await;
}

#[tokio::test]
async fn a_batch_may_contain_any_messages() {
    let seen = MethodCounters::default();
    let server = SessionServer::raw(Server::new(router(&seen))).await;
    let mut peer = server.connect().await;
    peer.say([hold("9")]).await;
    seen.held.reach(1).await;
    peer.say([batch([
        add("1"),
        result("77", "1"),
        cancel("9"),
        notification("count", "[]"),
        "{}".to_owned(),
        r#"{"jsonrpc":"2.0","id":[],"method":"add"}"#.to_owned(),
        call("2", "nothing", "[]"),
        result("78", "{}"),
        notification("$/progress", r#"{"token":1,"value":1}"#),
    ])])
    .await;
    let mut answers = Answers::new();
    note(&mut answers, &peer.next().await);
    note(&mut answers, &peer.next().await);
    let expected = [("9", CANCELLED), ("1", 7), ("null", INVALID), ("2", -32601)];
    for (id, what) in expected {
        let count = answers.get(&(id.to_owned(), what.to_string()));
        let wanted = if id == "null" { 2 } else { 1 };
        assert_eq!(count, Some(&wanted), "{id}: {answers:?}");
    }
    assert_eq!(seen.counted.get(), 1);
    // A batch of responses only gets no response.
    peer.say([batch([result("79", "1")]), batch([cancel("9")])])
        .await;
    peer.answers("only answers").await;
}

#[tokio::test]
async fn many_unmatched_responses_end_the_session() {
    let server = SessionServer::raw(Server::new(router(&MethodCounters::default()))).await;
    let stranger = |n: usize| result(&n.to_string(), "1");
    let mut peer = server.connect().await;
    peer.say((0..16).map(stranger)).await;
    peer.answers("sixteen").await;
    peer.say([stranger(17), add("18")]).await;
    assert_eq!(peer.rest().await, [""; 0], "the seventeenth");

    let mut peer = server.connect().await;
    peer.say([batch((0..40).map(stranger)), add("1")]).await;
    assert_eq!(peer.rest().await, [""; 0], "in a batch");

    // Errors without an id are ignored while no call is in flight.
    let mut peer = server.connect().await;
    peer.say([PARSE_ERROR; 100]).await;
    peer.answers("errors without an id").await;
}

/// The first half of a line, and then nothing.
#[tokio::test]
async fn an_incomplete_message_times_out() {
    let seen = MethodCounters::default();
    let server = Server::new(router(&seen)).configure(|settings| {
        settings.sessions.message_timeout = Some(Duration::from_millis(100));
    });
    let server = SessionServer::raw(server).await;
    let mut silent = server.connect().await;
    silent.send(r#"{"jsonrpc":"2.0","id":1,"#).await;
    assert_eq!(silent.rest().await, [""; 0]);

    // The same holds for a peer that sends single bytes.
    let mut slow = server.connect().await;
    slow.send("{").await;
    let (mut reading, mut writing) = slow.stream.into_split();
    let trickle = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        for _ in 0..1_000 {
            if writing.write_all(b" ").await.is_err() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("a message may trickle in for ever");
    });
    let mut waste = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut reading, &mut waste).await;
    assert_eq!(end.unwrap_or(0), 0);
    trickle.await.unwrap();

    // There is no time limit between messages.
    let mut calm: RawPeer = server.connect().await;
    calm.answers("before").await;
    sleep(Duration::from_millis(300)).await;
    calm.answers("after").await;
}
