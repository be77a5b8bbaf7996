//! Upstreams that misbehave: what a caller gets, and that nobody else is harmed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::client::{Client, Remote};
use antiphon::{Gateway, Router};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::{LIMIT, client, code, serve};
use crate::support::until;

/// What an upstream answers.
type Answer = Arc<dyn Fn(&Value) -> Vec<u8> + Send + Sync>;

/// What an upstream is, what it answers, whether that has no end, and the codes that its callers may get.
type Row = (&'static str, Answer, bool, &'static [i64]);

/// A server over TCP that answers each line so. After an answer that is endless it goes on with it.
async fn answering(answer: Answer, is_endless: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let (read, mut write) = stream.split();
                let mut lines = BufReader::new(read).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    let request: Value = serde_json::from_str(&line).unwrap();
                    let asks = request["method"] != "rpc.ping";
                    let mut bytes = answer(&request);
                    while write.write_all(&bytes).await.is_ok() && is_endless && asks {
                        bytes = vec![b'x'; 64 * 1024];
                    }
                }
            });
        }
    });
    address
}

/// A gateway with that upstream, and one that is well.
fn gateway(address: SocketAddr) -> Gateway {
    let bad = Client::builder(format!("tcp://{address}").as_str())
        .max_response(256 * 1024)
        .timeout(Duration::from_secs(2))
        .build()
        .unwrap();
    let bad = Remote::of(bad).max_document(64 * 1024).max_methods(50);
    let good = Client::in_process(Router::new().method_fn("name", || "good")).unwrap();
    Gateway::new()
        .upstream_at("bad", bad)
        .upstream_at("good", good)
}

fn answer_with(result: &str) -> impl Fn(&Value) -> Vec<u8> + Send + Sync + use<> {
    let result = result.to_owned();
    move |request| {
        let id = &request["id"];
        format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n").into_bytes()
    }
}

#[tokio::test]
async fn an_upstream_that_misbehaves_is_an_error_for_its_callers_and_nothing_for_others() {
    let text = |text: &'static str| -> Answer { Arc::new(move |_| text.as_bytes().to_vec()) };
    let huge = format!("\"{}\"", "x".repeat(300 * 1024));
    let table: Vec<Row> = vec![
        ("no JSON", text("nonsense\n"), false, &[-32000, -32001]),
        (
            "a wrong id",
            text("{\"jsonrpc\":\"2.0\",\"id\":99999,\"result\":1}\n"),
            false,
            &[-32000, -32001],
        ),
        (
            "a null id",
            text("{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":1}\n"),
            false,
            &[-32000, -32001],
        ),
        (
            "another version",
            text("{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":1}\n"),
            false,
            &[-32000, -32001],
        ),
        ("an array", text("[[[[[]]]]]\n"), false, &[-32000, -32001]),
        ("nothing", text(""), false, &[-32001]),
        (
            "an end that does not come",
            text("{\"jsonrpc\":\"2.0\",\"id\":"),
            true,
            &[-32000, -32003],
        ),
        (
            "a huge result",
            Arc::new(answer_with(&huge)),
            false,
            &[-32000, -32003],
        ),
        (
            "a result of another type",
            Arc::new(answer_with("{\"a\":[1,{}]}")),
            false,
            &[0],
        ),
        (
            "an error of another type",
            text("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"no\"}\n"),
            false,
            &[-32000, -32001],
        ),
    ];
    let check = async |(what, answer, is_endless, expected): Row| {
        let address = answering(answer, is_endless).await;
        let server = serve(gateway(address)).await;
        let client = client(&server);
        for _ in 0..2 {
            let asked = client.call::<Value>("bad.name", ());
            let outcome = timeout(LIMIT, asked.into_future()).await.expect(what);
            assert!(expected.contains(&code(&outcome)), "{what}: {outcome:?}");
            let shown = format!("{outcome:?}");
            assert!(!shown.contains(&address.to_string()), "{what}: {shown}");
            let good = client.call::<String>("good.name", ()).await.unwrap();
            assert_eq!(good, "good", "{what}");
        }
    };
    // Most of them wait for the time of their calls.
    join_all(table.into_iter().map(check)).await;
}

#[tokio::test]
async fn documents_that_grow_for_ever_or_are_none_are_ignored() {
    let document = |count: usize, more: &str| {
        let methods = (0..count).map(|n| json!({"name": format!("m{n}"), "description": more}));
        json!({"openrpc": "1.3.2", "info": {"title": "x"}, "methods": methods.collect::<Vec<_>>()})
    };
    let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
    for (what, text, shown) in [
        ("a good one", document(3, "x").to_string(), 3),
        ("too many methods", document(51, "x").to_string(), 0),
        (
            "too many bytes",
            document(3, &"x".repeat(30_000)).to_string(),
            0,
        ),
        ("too deep", deep, 0),
        ("a number", "7".to_owned(), 0),
        (
            "names of others",
            r#"{"methods":[{"name":"rpc.x"},{"name":""}]}"#.to_owned(),
            0,
        ),
    ] {
        let text: Arc<str> = text.into();
        let answer: Answer = Arc::new(move |request: &Value| {
            let result = match request["method"] == "rpc.discover" {
                true => &*text,
                false => "\"called\"",
            };
            answer_with(result)(request)
        });
        let server = serve(gateway(answering(answer, false).await)).await;
        let client = client(&server);
        let called: String = client.call("bad.anything", ()).await.unwrap();
        assert_eq!(called, "called", "{what}");
        let listed: Vec<(String, Value)> = client.call("functions_list", ()).await.unwrap();
        let theirs = listed.iter().filter(|(name, _)| name.starts_with("bad."));
        assert_eq!(theirs.count(), shown, "{what}");
    }
    // One that has a method more each time it is asked.
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let answer: Answer = Arc::new(move |request: &Value| {
        let result = match request["method"] == "rpc.discover" {
            true => document(20 * (counted.fetch_add(1, Ordering::Relaxed) + 1), "x").to_string(),
            false => "\"called\"".to_owned(),
        };
        answer_with(&result)(request)
    });
    let address = answering(answer, false).await;
    let growing = Client::connect(format!("tcp://{address}")).unwrap();
    let growing = Remote::of(growing)
        .max_methods(50)
        .refresh(Duration::from_millis(1))
        .check(Duration::from_millis(5));
    let server = serve(Gateway::new().upstream_at("bad", growing)).await;
    until(
        || asked.load(Ordering::Relaxed) > 5,
        "it is asked again and again",
    )
    .await;
    let listed: Vec<(String, Value)> = client(&server).call("functions_list", ()).await.unwrap();
    let theirs = listed.iter().filter(|(name, _)| name.starts_with("bad."));
    assert_eq!(theirs.count(), 40, "the last good one stays");
}
