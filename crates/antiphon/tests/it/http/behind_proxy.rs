//! Tests of requests that a trusted proxy passes on: who their client is, and what that changes.

use antiphon::{Server, ServerCommands};
use serde_json::Value;

use super::proxies::over_websocket;
use crate::support::http1::post;
use crate::support::log;
use crate::support::test_server::{Log, TestServer, router};
use crate::support::{call, code};

const OVERLOADED: i64 = -32000;

/// A server that trusts these proxies.
async fn trusting(proxies: &str) -> TestServer {
    let log = Log::default();
    let commands = antiphon::Router::of(ServerCommands::new());
    let server = Server::new(router(&log))
        .route("/commands", commands)
        .trusted_proxy(proxies)
        .allow_unauthenticated_public(true)
        .configure(|settings| settings.calls.max_in_flight = 64);
    TestServer::of(server, log).await
}

fn lines(fields: &[(&str, &str)]) -> String {
    let lines = (fields.iter()).map(|(name, value)| format!("{name}: {value}\r\n"));
    lines.collect()
}

/// What `whoami` says over HTTP/1, HTTP/2 and a WebSocket, if the request has these fields.
async fn whoami(server: &TestServer, fields: &[(&str, &str)]) -> Vec<Value> {
    let whoami = call("1", "whoami", "[]");
    let lines = lines(fields);
    let http1 = server.connect().await.ask(post(&lines, &whoami)).await;
    let mut http2 = server.http2().await;
    let head = (fields.iter()).fold(http2.head(), |head, (name, value)| {
        head.header(name.to_lowercase(), *value)
    });
    let (_, text) = http2.ask(head, &whoami).await;
    let session = over_websocket(server, &lines, &whoami).await;
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap()["result"].clone();
    vec![parsed(http1.text()), parsed(&text), parsed(&session)]
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client() {
    let server = trusting("127.0.0.1, 10.0.0.0/8").await;
    let x = "X-Forwarded-For";
    for (fields, expected) in [
        (&[(x, "192.0.2.1")][..], "192.0.2.1"),
        (&[(x, "6.6.6.6, 192.0.2.1")], "192.0.2.1"),
        (&[(x, "6.6.6.6, 192.0.2.1, 10.0.0.2")], "192.0.2.1"),
        (&[(x, "6.6.6.6"), (x, "192.0.2.1")], "192.0.2.1"),
        (&[(x, "2001:db8::1")], "2001:db8::1"),
        (
            &[("Forwarded", "for=\"[2001:db8::1]:4711\"")],
            "2001:db8::1",
        ),
        (&[("Forwarded", "for=6.6.6.6, for=192.0.2.1")], "192.0.2.1"),
        (
            &[(x, "192.0.2.1"), ("Forwarded", "for=192.0.2.1")],
            "192.0.2.1",
        ),
        (
            &[(x, "192.0.2.1"), ("Forwarded", "for=6.6.6.6")],
            "127.0.0.1",
        ),
        (&[(x, "rubbish")], "127.0.0.1"),
        (&[("X-Real-IP", "192.0.2.1")], "127.0.0.1"),
        (&[], "127.0.0.1"),
    ] {
        for who in whoami(&server, fields).await {
            assert_eq!(who["client"], expected, "{fields:?} {who}");
            assert_eq!(who["peer"], "127.0.0.1", "{fields:?} {who}");
            assert_eq!(who["local"], false, "{fields:?} {who}");
        }
    }
}

#[tokio::test]
async fn from_everybody_else_the_fields_mean_nothing() {
    for proxies in ["10.0.0.0/8", "unix", "127.0.0.2", "::1"] {
        let server = trusting(proxies).await;
        for field in [
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Forwarded-For", "10.0.0.1"),
            ("Forwarded", "for=192.0.2.1"),
        ] {
            for who in whoami(&server, &[field]).await {
                assert_eq!(who["client"], "127.0.0.1", "{proxies} {field:?}");
            }
        }
    }
    // Nor without any proxy; then they only take local rights away.
    let server = TestServer::new().await;
    for who in whoami(&server, &[("X-Forwarded-For", "192.0.2.1")]).await {
        assert_eq!(
            (&who["client"], &who["local"]),
            (&"127.0.0.1".into(), &false.into())
        );
    }
    for who in whoami(&server, &[]).await {
        assert_eq!(
            (&who["client"], &who["local"]),
            (&"127.0.0.1".into(), &true.into())
        );
    }
}

#[tokio::test]
async fn nobody_behind_a_proxy_is_local() {
    let server = trusting("127.0.0.1").await;
    let secret = call("1", "secret", "[]");
    let unknown = call("1", "unknown", "[]");
    let info = call("1", "server_info", "[]");
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "rubbish"] {
        let line = format!("X-Forwarded-For: {address}\r\n");
        let mut http1 = server.connect().await;
        let hidden = http1.ask(post(&line, &unknown)).await;
        let said = http1.ask(post(&line, &secret)).await;
        assert_eq!(said.text(), hidden.text());
        let over_websocket = over_websocket(&server, &line, &secret).await;
        assert_eq!(over_websocket, hidden.text());
        let info = post(&line, &info).replacen("POST /", "POST /commands", 1);
        assert_eq!(code(&http1.ask(info).await.json()), -32601);
    }
    // Neither is the proxy itself: it may have forgotten the field.
    let said = server.connect().await.call("1", "secret", "[]").await;
    assert_eq!(code(&said), -32601);
    let page = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_ne!(server.connect().await.ask(page).await.status, 200);
}

#[tokio::test]
async fn each_request_on_a_connection_has_its_own_client() {
    let server = trusting("127.0.0.1").await;
    let whoami = call("1", "whoami", "[]");
    let mut http1 = server.connect().await;
    let mut connections = Vec::new();
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.1"] {
        let request = post(&format!("X-Forwarded-For: {address}\r\n"), &whoami);
        let who = http1.ask(request).await.json()["result"].clone();
        assert_eq!(who["client"], address);
        connections.push(who["connection"].clone());
    }
    assert!(connections.iter().all(|one| *one == connections[0]));

    let mut http2 = server.http2().await;
    for address in ["192.0.2.1", "192.0.2.2"] {
        let head = http2.head().header("x-forwarded-for", address);
        let (_, text) = http2.ask(head, &whoami).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["result"]["client"], address);
    }
}

/// Of 64 places, one client gets 16, and not more because it comes over many connections.
#[tokio::test]
async fn each_client_has_its_own_share_of_places() {
    let server = trusting("127.0.0.1").await;
    let hold = call("1", "hold", "[]");
    let (mut held, mut open) = (0, Vec::new());
    for (address, share) in [
        ("192.0.2.1", 16),
        ("192.0.2.2", 16),
        // These two are one client.
        ("2001:db8::1, 127.0.0.1", 8),
        ("2001:db8::2", 8),
    ] {
        let line = format!("X-Forwarded-For: 6.6.6.6, {address}\r\n");
        for _ in 0..share {
            let mut http1 = server.connect().await;
            http1.send(post(&line, &hold)).await;
            held += 1;
            server.log.held.reach(held).await;
            open.push(http1);
        }
        if share == 8 && !address.contains("::2") {
            continue;
        }
        let said = server.connect().await.ask(post(&line, &hold)).await;
        held += 1;
        assert_eq!(code(&said.json()), OVERLOADED, "{address}");
        // A session of the same client has the same share.
        let said = over_websocket(&server, &line, &hold).await;
        held += 1;
        assert_eq!(code(&serde_json::from_str(&said).unwrap()), OVERLOADED);
    }
    // Those without a name still have a share, and calls that do not wait need none.
    let mut unnamed = server.connect().await;
    unnamed.send(post("", &hold)).await;
    server.log.held.reach(held + 1).await;
    server.answers_others().await;
}

#[tokio::test]
async fn a_trusted_proxy_may_have_more_connections_than_a_client() {
    for (proxies, expected) in [("127.0.0.1", 200), ("10.0.0.0/8", 503)] {
        let server = trusting_few(proxies).await;
        let mut open = Vec::new();
        for at in 1..=8 {
            let mut http1 = server.connect().await;
            let answer = http1.ask(post("", &call("1", "add", "[3,4]"))).await;
            let expected = if at <= 2 { 200 } else { expected };
            assert_eq!(answer.status, expected, "{proxies} {at}");
            open.push(http1);
        }
    }
}

async fn trusting_few(proxies: &str) -> TestServer {
    TestServer::with(|settings| {
        settings.trusted_proxies = vec![proxies.to_owned()];
        settings.allow_unauthenticated_public = true;
        settings.max_connections_per_ip = 2;
    })
    .await
}

#[tokio::test]
async fn the_log_names_the_client_and_the_proxy() {
    log::keep();
    let server = trusting("127.0.0.1").await;
    let line = "X-Forwarded-For: 6.6.6.6, 192.0.2.211\r\n";
    let panic = call("1", "panic", "[]");
    server.connect().await.ask(post(line, &panic)).await;
    over_websocket(&server, line, &panic).await;
    let lines = log::lines("from 192.0.2.211 through 127.0.0.1:");
    for transport in ["http connection", "websocket connection"] {
        let of_transport = lines.iter().filter(|line| line.contains(transport));
        assert_eq!(of_transport.count(), 1, "{lines:?}");
    }
}
