//! What lines say of calls, over every transport.

use std::net::SocketAddr;

use antiphon::client::Client;
use antiphon::{AuditLog, RateLimit, Server, call};
use http::Request;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use super::{OneToken, TOKEN, lines, server, summary};
use crate::support::folder::Folder;
use crate::support::http1::post;
use crate::support::test_server::{Log, TestServer, router};
use crate::support::{batch, call as call_text, notification};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A server on this address, and the address of its first listener.
async fn listen(server: Server, bind: &str) -> String {
    let listening = server.bind(bind).listen().await.unwrap();
    let url = listening.url();
    tokio::spawn(listening.serve());
    url
}

#[tokio::test]
async fn each_call_has_a_line_over_every_transport() {
    let folder = Folder::new();
    let unix = format!("unix:{}", folder.path("a.sock").display());
    let pipe = format!("http+unix:{}", folder.path("b.sock").display());
    for (at, (bind, scheme, transport, address)) in [
        ("127.0.0.1:0", "http", "http", Some("127.0.0.1")),
        ("127.0.0.1:0", "ws", "websocket", Some("127.0.0.1")),
        ("tcp://127.0.0.1:0", "tcp", "tcp", Some("127.0.0.1")),
        (&*unix, "", "unix", None),
        (&*pipe, "", "http", None),
    ]
    .into_iter()
    .enumerate()
    {
        let path = folder.path(&format!("{at}.log"));
        let log = Log::default();
        let url = listen(server(&log, &path), bind).await;
        let url = match scheme {
            "" => url,
            scheme => format!("{scheme}://{}", url.split_once("://").unwrap().1),
        };
        let anonymous = Client::builder(&*url).build().unwrap();
        let known = Client::builder(&*url)
            .bearer(TOKEN)
            .allow_plaintext_token()
            .build()
            .unwrap();
        let _: i64 = call!(anonymous.free("S3CR3T-PARAMETER")).await.unwrap();
        let _: Result<Value, _> = call!(anonymous.add(3, 4)).await;
        let _: i64 = call!(known.add(3, 4)).await.unwrap();
        let _: Result<Value, _> = call!(known.missing()).await;
        let _: Result<Value, _> = call!(known.panic()).await;
        let _: Result<Value, _> = call!(known.add("x", "y")).await;
        let _: u64 = call!(known.sleep(30)).await.unwrap();
        // A session that is not asked in a handshake authenticates itself before.
        let asked = matches!(transport, "tcp" | "unix");
        let mut expected = vec![
            (Some("free"), 0, None),
            (Some("add"), -32006, None),
            (Some("add"), 0, Some("alice")),
            (Some("missing"), -32601, Some("alice")),
            (Some("panic"), -32603, Some("alice")),
            (Some("add"), -32602, Some("alice")),
            (Some("sleep"), 0, Some("alice")),
        ];
        if asked {
            expected.insert(2, (Some("rpc.authenticate"), 0, None));
        }
        let found = lines(&path, expected.len()).await;
        assert_eq!(
            found.iter().map(summary).collect::<Vec<_>>(),
            expected,
            "{url}"
        );
        for line in &found {
            assert_eq!(line["transport"], transport);
            assert_eq!(line["address"].as_str(), address, "{url}");
            assert_eq!(line["admin"], false);
            assert!(line["connection"].as_u64().unwrap() > 0);
            assert!(line["bytesOut"].as_u64().unwrap() > 30, "{line}");
            let time = line["time"].as_str().unwrap();
            assert!(time.starts_with("20") && time.ends_with('Z'), "{time}");
        }
        let sleep = found.last().unwrap();
        assert!(sleep["microseconds"].as_u64().unwrap() >= 30_000, "{sleep}");
        assert_eq!(sleep["bytesIn"], 4, "[30]");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("S3CR3T"), "{text}");
    }
}

#[tokio::test]
async fn calls_of_a_batch_and_notifications_have_their_own_lines() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("log");
    let test = TestServer::of(server(&log, &path), log).await;
    let authorized =
        format!("Authorization: Bearer {TOKEN}\r\ntraceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n");
    let message = batch([
        call_text("1", "add", "[3,4]"),
        notification("count", "[]"),
        "7".to_owned(),
        call_text("2", "sleep", "[20]"),
        notification("sleep", "[1]"),
        call_text("3", "missing", "{}"),
    ]);
    let mut http = test.connect().await;
    http.ask(post(&authorized, &message)).await;
    let mut found: Vec<_> = lines(&path, 5).await;
    for line in &found {
        assert_eq!(
            (&line["subject"], &line["traceId"]),
            (&json!("alice"), &json!(TRACE))
        );
    }
    found.sort_by_key(|line| (line["method"].to_string(), line["bytesOut"].as_u64()));
    let found: Vec<_> = (found.iter())
        .map(|line| {
            (
                line["method"].as_str().unwrap(),
                line["code"].as_i64().unwrap(),
                line["bytesOut"].as_u64().unwrap(),
            )
        })
        .collect();
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":7}"#.len() as u64;
    let error = r#"{"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"Method not found"}}"#;
    assert_eq!(
        found,
        [
            ("add", 0, answer),
            ("count", 0, 0),
            ("missing", -32601, error.len() as u64),
            ("sleep", 0, 0),
            ("sleep", 0, answer + 1),
        ]
    );
}

#[tokio::test]
async fn what_is_refused_before_it_runs_has_a_line() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("log");
    let server = server(&log, &path).rate_limit(RateLimit::per_hour(2).burst(2));
    let test = TestServer::of(server, log).await;
    let mut http = test.connect().await;
    let free = call_text("1", "free", "[1]");
    for _ in 0..2 {
        assert_eq!(http.ask(post("", &free)).await.status, 200);
    }
    assert_eq!(http.ask(post("", &free)).await.status, 429);
    let wrong = "Authorization: Bearer S3CR3T-GUESS\r\n";
    // Nothing of the request runs, so the line has no method.
    http.try_send(post(wrong, &free)).await.unwrap();
    http.answer().await;
    let found = lines(&path, 4).await;
    let found: Vec<_> = found.iter().map(summary).collect();
    assert_eq!(
        found,
        [
            (Some("free"), 0, None),
            (Some("free"), 0, None),
            (Some("free"), -32005, None),
            (None, -32006, None),
        ]
    );
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("S3CR3T"), "{text}");
}

#[tokio::test]
async fn a_call_whose_caller_has_gone_is_cancelled() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("log");
    let (held, dropped) = (log.held.clone(), log.dropped.clone());
    let url = listen(server(&log, &path), "tcp://127.0.0.1:0").await;
    let address: SocketAddr = url.strip_prefix("tcp://").unwrap().parse().unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let authenticate = call_text("1", "rpc.authenticate", &format!("[\"{TOKEN}\"]"));
    let text = format!("{authenticate}\n");
    socket.write_all(text.as_bytes()).await.unwrap();
    assert!(socket.read(&mut [0; 1000]).await.unwrap() > 0);
    // One is cancelled by its caller, one by the end of the connection, as is one of a batch.
    let [first, second] = ["2", "3"].map(|id| call_text(id, "hold", "[]"));
    let cancel = notification("$/cancelRequest", r#"{"id":2}"#);
    let batch = batch([call_text("4", "hold", "[]")]);
    let text = format!("{first}\n{second}\n{batch}\n");
    socket.write_all(text.as_bytes()).await.unwrap();
    held.reach(3).await;
    socket
        .write_all(format!("{cancel}\n").as_bytes())
        .await
        .unwrap();
    assert!(socket.read(&mut [0; 1000]).await.unwrap() > 0);
    assert_eq!(lines(&path, 2).await.len(), 2);
    drop(socket);
    dropped.reach(3).await;
    let found = lines(&path, 4).await;
    for line in &found[1..] {
        assert_eq!(summary(line), (Some("hold"), -32800, Some("alice")));
    }
}

#[tokio::test]
async fn a_mounted_service_has_one_too() {
    let folder = Folder::new();
    let path = folder.path("log");
    let audit = AuditLog::open(&path).unwrap();
    let service = router(&Log::default())
        .into_service()
        .unwrap()
        .authenticate(OneToken)
        .audit_log(audit.clone());
    for token in [TOKEN, "wrong"] {
        let request = Request::post("http://localhost/")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(call_text("1", "add", "[3,4]"))
            .unwrap();
        service.clone().oneshot(request).await.unwrap();
    }
    let found = lines(&path, 2).await;
    assert_eq!(summary(&found[0]), (Some("add"), 0, Some("alice")));
    assert_eq!(summary(&found[1]), (None, -32006, None));
    assert_eq!(audit.missing(), 0);
    assert_eq!(audit.path(), path);
}

/// A raw connection whose peer is known.
async fn connect(url: &str) -> TcpStream {
    let address: SocketAddr = url.strip_prefix("tcp://").unwrap().parse().unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let authenticate = call_text("0", "rpc.authenticate", &format!("[\"{TOKEN}\"]"));
    send(&mut socket, &[&authenticate]).await;
    assert!(socket.read(&mut [0; 1000]).await.unwrap() > 0);
    socket
}

async fn send(socket: &mut TcpStream, messages: &[&str]) {
    let text: String = messages.iter().map(|text| format!("{text}\n")).collect();
    socket.write_all(text.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn calls_that_never_began_have_a_line() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("log");
    let held = log.held.clone();
    let server = server(&log, &path).configure(|settings| {
        settings.sessions.max_running = 2;
        settings.calls.batch_concurrency = 1;
    });
    let url = listen(server, "tcp://127.0.0.1:0").await;
    let mut socket = connect(&url).await;
    let hold = |id: u32| call_text(&id.to_string(), "hold", "[]");
    // One call of the batch runs, and one beside it. The rest waits when the peer goes.
    send(
        &mut socket,
        &[&batch([hold(1), hold(2), hold(3)]), &hold(4)],
    )
    .await;
    held.reach(2).await;
    let waits = batch([hold(5), notification("count", "[]")]);
    send(&mut socket, &[&waits, &hold(6)]).await;
    drop(socket);
    let found = lines(&path, 8).await;
    let methods: Vec<_> = found.iter().skip(1).map(summary).collect();
    let count = |method| {
        let line = (Some(method), -32800, Some("alice"));
        methods.iter().filter(|found| **found == line).count()
    };
    assert_eq!((count("hold"), count("count")), (6, 1), "{methods:?}");
}

#[tokio::test]
async fn a_call_whose_id_is_in_use_has_a_line() {
    let (folder, log) = (Folder::new(), Log::default());
    let path = folder.path("log");
    let held = log.held.clone();
    let url = listen(server(&log, &path), "tcp://127.0.0.1:0").await;
    let mut socket = connect(&url).await;
    let hold = call_text("1", "hold", "[]");
    send(&mut socket, &[&hold]).await;
    held.reach(1).await;
    send(&mut socket, &[&hold, &batch([&hold])]).await;
    let found = lines(&path, 3).await;
    for line in &found[1..] {
        assert_eq!(summary(line), (Some("hold"), -32600, Some("alice")));
    }
}
