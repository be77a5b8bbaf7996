//! Tests of rate limits by caller on a server.
//!
//! The limits are so many calls an hour, so nothing comes back while a test runs.

use std::net::SocketAddr;

use antiphon::client::{Client, ErrorKind};
use antiphon::{ErrorCode, Method, RateLimit, Router, ServeError, Server};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::http1::{HttpResponse, post};
use crate::support::test_server::{Log, TestServer, router};
use crate::support::{batch, call, codes, notification};

const EXCEEDED: i64 = -32005;

/// A server that allows this many calls, all at once.
async fn server(calls: u32) -> TestServer {
    let log = Log::default();
    let router = router(&log).method(Method::function("ping", || "pong").cost(0));
    let server = Server::new(router)
        .rate_limit(RateLimit::per_hour(calls).burst(calls))
        .allow_origin("https://app.example");
    TestServer::of(server, log).await
}

fn body(response: &HttpResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

#[tokio::test]
async fn a_call_that_is_too_much_has_a_status_of_http() {
    let server = server(2).await;
    let mut http1 = server.connect().await;
    for _ in 0..2 {
        http1.call("1", "count", "[]").await;
    }
    // The parameters are not looked at.
    let origin = "Origin: https://app.example\r\n";
    let request = post(origin, &call("7", "count", r#"{"no":"such"}"#));
    let response = http1.ask(request).await;
    assert_eq!(response.status, 429);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("retry-after"), Some("1800"));
    assert!(!response.closes());
    for (name, value) in [
        ("access-control-allow-origin", "https://app.example"),
        ("access-control-expose-headers", "retry-after"),
        ("vary", "Origin"),
    ] {
        assert_eq!(response.header(name), Some(value), "{name}");
    }
    let answer = body(&response);
    assert_eq!(answer["id"], 7);
    assert_eq!(answer["error"]["message"], "Limit exceeded");
    let wait = answer["error"]["data"]["retryAfterMs"].as_u64().unwrap();
    assert!((1_700_000..=1_800_000).contains(&wait), "{wait}");

    // Batches, notifications and what is no call keep theirs, and so do event streams.
    let many = batch([call("1", "count", "[]"), call("2", "ping", "[]")]);
    let response = http1.ask(post("", &many)).await;
    assert_eq!(codes(&response.json()), [EXCEEDED, 0]);
    let note = notification("count", "[]");
    assert_eq!(http1.ask(post("", &note)).await.status, 204);
    assert_eq!(http1.ask(post("", "{}")).await.status, 200);
    let accept = "Accept: text/event-stream\r\n";
    let response = http1.ask(post(accept, &call("1", "count", "[]"))).await;
    assert_eq!(response.status, 200);
    assert!(response.text().contains("-32005"), "{response:?}");
    // Over HTTP/2 as well.
    let mut http2 = server.http2().await;
    let (status, text) = http2.ask(http2.head(), &call("1", "count", "[]")).await;
    assert_eq!(status, 429, "{text}");
    assert_eq!(server.log.counted.get(), 2);
}

/// A connection with one message per line.
struct Lines(BufReader<TcpStream>);

impl Lines {
    /// Connects from an address of the loopback network.
    async fn from(address: &str, server: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket
            .bind(SocketAddr::new(address.parse().unwrap(), 0))
            .unwrap();
        Self(BufReader::new(socket.connect(server).await.unwrap()))
    }

    async fn send(&mut self, message: &str) {
        let line = format!("{message}\n");
        self.0.write_all(line.as_bytes()).await.unwrap();
    }

    async fn ask(&mut self, message: &str) -> Value {
        self.send(message).await;
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

/// Other systems have one address in the loopback network only.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_makes_too_many_calls_takes_nothing_from_others() {
    let log = Log::default();
    let server = Server::new(router(&log))
        .rate_limit(RateLimit::per_hour(50).burst(50))
        .bind("tcp://127.0.0.1:0");
    let listening = server.listen().await.unwrap();
    let address = *listening.addresses().first().unwrap();
    let handle = listening.handle();
    tokio::spawn(listening.serve());
    let add = call("1", "add", "[3,4]");
    let mut greedy = Lines::from("127.0.0.2", address).await;
    let mut other = Lines::from("127.0.0.3", address).await;
    let mut limited = 0;
    for round in 0..200 {
        let answer = greedy.ask(&add).await;
        limited += i64::from(answer["error"]["code"] == EXCEEDED);
        if round % 4 == 0 {
            assert_eq!(other.ask(&add).await["result"], 7, "{round}");
        }
    }
    assert_eq!(limited, 150);
    // Another connection of the same address is the same caller.
    let mut again = Lines::from("127.0.0.2", address).await;
    assert_eq!(again.ask(&add).await["error"]["code"], EXCEEDED);
    handle.kill();
}

#[tokio::test]
async fn networks_of_an_ipv6_site_share_four_times_the_limit() {
    let log = Log::default();
    let server = Server::new(router(&log))
        .rate_limit(RateLimit::per_hour(10).burst(10))
        .trusted_proxy("127.0.0.1")
        .allow_unauthenticated_public(true);
    let server = TestServer::of(server, log).await;
    let mut http1 = server.connect().await;
    let mut runs = 0;
    // What was refused costs nothing, so the last networks use up what the site has.
    for (network, calls, expected) in [
        (1, 15, 10),
        (2, 9, 9),
        (3, 15, 10),
        (4, 9, 9),
        (5, 15, 2),
        (6, 5, 0),
        (2, 5, 0),
    ] {
        let client = format!("X-Forwarded-For: 2001:db8:1:{network}::9\r\n");
        let before = runs;
        for _ in 0..calls {
            let answer = http1.ask(post(&client, &call("1", "add", "[3,4]"))).await;
            runs += usize::from(answer.status == 200);
        }
        assert_eq!(runs - before, expected, "{network}");
    }
    for (client, status) in [
        ("2001:db8:1:7::9", 429),
        ("2001:db8:2:7::9", 200),
        ("192.0.2.1", 200),
    ] {
        let client = format!("X-Forwarded-For: {client}\r\n");
        let answer = http1.ask(post(&client, &call("1", "add", "[3,4]"))).await;
        assert_eq!(answer.status, status, "{client}");
    }
}

#[tokio::test]
async fn every_transport_of_an_address_counts_and_a_client_is_told_when_to_try_again() {
    let log = Log::default();
    let folder = std::env::temp_dir().join(format!("antiphon-rate-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut addresses = vec!["127.0.0.1:0".to_owned(), "tcp://127.0.0.1:0".to_owned()];
    if cfg!(unix) {
        addresses.push(format!("unix:{}/socket", folder.display()));
    }
    let router = router(&log).method(Method::function("dear", || 1).cost(3));
    let mut server = Server::new(router).rate_limit(RateLimit::per_hour(9).burst(9));
    for address in addresses {
        server = server.bind(address);
    }
    let listening = server.listen().await.unwrap();
    let mut urls = listening.urls();
    let ws = urls.first().unwrap().replace("http:", "ws:");
    urls.insert(1, ws);
    let handle = listening.handle();
    let serving = tokio::spawn(listening.serve());
    let mut clients = Vec::new();
    for url in &urls {
        clients.push((url, Client::connect(url.as_str()).unwrap()));
    }
    // They share nine calls, of which each takes three.
    for (_, client) in &clients {
        assert_eq!(client.call::<u8>("dear", ()).await.unwrap(), 1);
    }
    for (url, client) in &clients {
        let outcome = client.call::<i64>("add", (3, 4)).await;
        if url.starts_with("unix:") {
            assert_eq!(outcome.unwrap(), 7);
            continue;
        }
        let error = outcome.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::LIMIT_EXCEEDED), "{url}");
        assert!(matches!(error.kind(), ErrorKind::Refused(_)), "{error}");
        let wait = error.retry_after().unwrap().as_secs();
        assert!((300..=400).contains(&wait), "{url}: {wait}");
        let status = url
            .starts_with("http:")
            .then_some(StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(error.status(), status, "{url}");
        // A notification gets no answer, and does not run.
        client.notify("count", ()).await.unwrap();
        assert!(client.call::<i64>("add", (3, 4)).await.is_err());
    }
    assert_eq!(log.counted.get(), 0);
    drop(clients);
    handle.stop();
    serving.await.unwrap().unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn what_was_refused_is_counted_by_method() {
    let server = server(1).await;
    let mut http1 = server.connect().await;
    http1.call("1", "add", "[3,4]").await;
    for message in [
        call("1", "add", "[3,4]"),
        notification("add", "[3,4]"),
        batch([call("1", "add", "[3,4]"), call("2", "nil", "[]")]),
    ] {
        http1.ask(post("", &message)).await;
    }
    http1
        .send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    let metrics = http1.answer().await;
    for line in [
        "antiphon_calls_total{method=\"add\"} 4",
        "antiphon_rate_limited_total{method=\"add\"} 3",
        "antiphon_rate_limited_total{method=\"\"} 1",
        "antiphon_errors_total{method=\"add\",code=\"-32005\"} 3",
    ] {
        let text = metrics.text();
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn a_mounted_service_limits_nobody_whom_it_does_not_know() {
    let limited = RateLimit::per_hour(1);
    let service = router(&Log::default()).into_service().unwrap();
    let service = service.rate_limit(limited);
    let client = Client::builder("http://localhost").service(service);
    let client = client.build().unwrap();
    for _ in 0..3 {
        assert_eq!(client.call::<i64>("add", (3, 4)).await.unwrap(), 7);
    }
}

#[tokio::test]
async fn settings_that_let_no_call_through_are_refused_at_the_start() {
    let dear = || Router::new().method(Method::function("dear", || 1).cost(10));
    for (router, limit, expected) in [
        (dear(), RateLimit::per_second(10), None),
        (
            dear(),
            RateLimit::per_second(0),
            Some("`rate-limit` cannot be 0/s"),
        ),
        (
            dear(),
            RateLimit::per_second(10).burst(0),
            Some("`rate-burst` cannot be 0"),
        ),
        (
            dear(),
            RateLimit::per_second(100).burst(9),
            Some("`rate-burst` cannot be 9: `dear` costs 10"),
        ),
        (
            Router::new().nest("n", dear()),
            RateLimit::per_minute(100),
            Some("`n.dear` costs 10"),
        ),
    ] {
        let server = Server::new(router).rate_limit(limit).bind("127.0.0.1:0");
        match (server.listen().await, expected) {
            (Ok(_), None) => {}
            (Err(ServeError::BadSetting(text)), Some(part)) => {
                assert!(text.contains(part), "{text}");
            }
            (other, _) => panic!("{limit}: {other:?}, expected {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_cost_is_in_the_description_and_in_documents() {
    use antiphon::{Access, rpc};

    struct Shop;

    #[rpc]
    impl Shop {
        #[method(cost = 10)]
        fn rpc_report(&self) -> u8 {
            1
        }

        #[method(cost = 0)]
        fn rpc_ping(&self) -> u8 {
            2
        }

        fn rpc_sell(&self) -> u8 {
            3
        }
    }

    let dispatcher = Router::of(Shop).build().unwrap();
    let methods = dispatcher.tree().methods(Access::Public);
    let costs: Vec<_> = methods.iter().map(|one| (one.name(), one.cost())).collect();
    assert_eq!(costs, [("ping", 0), ("report", 10), ("sell", 1)]);
    let document = dispatcher.tree().openrpc(Access::Public).to_json();
    let document: Value = serde_json::from_str(&document).unwrap();
    let costs = document["methods"].as_array().unwrap().iter();
    let costs: Vec<_> = costs.map(|method| method["x-cost"].clone()).collect();
    assert_eq!(costs, [json!(0), json!(10), Value::Null]);
}
