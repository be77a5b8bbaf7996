//! Tests of requests that came through a proxy: their callers are not local, over any transport.

use antiphon::{Router, Server, ServerCommands};

use crate::support::call;
use crate::support::http1::{Http1, post};
use crate::support::test_server::{Log, TestServer, router};

/// Fields that proxies and content delivery networks add, and clients do not.
const FIELDS: &[&str] = &[
    "Forwarded",
    "Forwarded-For",
    "X-Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Server",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Anything",
    "Via",
    "CDN-Loop",
    "Client-IP",
    "Proxy-Client-IP",
    "WL-Proxy-Client-IP",
    "True-Client-IP",
    "X-Client-IP",
    "X-ClientIP",
    "X-Cluster-Client-IP",
    "X-Original-Forwarded-For",
    "X-Original-Host",
    "X-Original-URI",
    "X-Original-URL",
    "X-Original-To",
    "X-Originating-IP",
    "X-ProxyUser-Ip",
    "X-Real-IP",
    "X-RealIP",
    "X-Real-Port",
    "X-Remote-Addr",
    "X-Remote-IP",
    "X-Rewrite-URL",
    "X-Scheme",
    "X-Host",
    "Front-End-Https",
    "CF-Connecting-IP",
    "CF-Connecting-IPv6",
    "CF-Ray",
    "CF-Visitor",
    "CF-IPCountry",
    "DO-Connecting-IP",
    "Fastly-Client-IP",
    "Fastly-FF",
    "Fly-Client-IP",
    "Fly-Forwarded-Proto",
    "Incap-Client-IP",
    "Tailscale-User-Login",
    "X-Amz-Cf-Id",
    "X-Amzn-Trace-Id",
    "X-AppEngine-User-IP",
    "X-ARR-Log-Id",
    "X-Azure-ClientIP",
    "X-Azure-SocketIP",
    "X-Envoy-External-Address",
    "X-Envoy-Internal",
    "X-NF-Client-Connection-IP",
    "X-NginX-Proxy",
    "X-Sucuri-ClientIP",
    "X-Varnish",
    "X-Vercel-Forwarded-For",
];

/// Fields that clients send by themselves.
const CLIENTS_OWN: &[&str] = &[
    "X-Request-Id",
    "X-Correlation-Id",
    "X-Requested-With",
    "X-Api-Key",
    "X-B3-TraceId",
    "Traceparent",
    "Cache-Control",
    "From",
    "TE",
];

async fn server() -> TestServer {
    let log = Log::default();
    let commands = Router::of(ServerCommands::new());
    let server = Server::new(router(&log)).route("/commands", commands);
    TestServer::of(server, log).await
}

/// The response of a method that only local callers see.
const SHOWN: &str = r#"{"jsonrpc":"2.0","id":1,"result":1}"#;

async fn get(server: &TestServer, path: &str, line: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{line}\r\n");
    let answer = server.connect().await.ask(request).await;
    assert_eq!(answer.status, 200, "{path} {line}");
    answer.text().to_owned()
}

/// Checks that each of these fields takes local rights away, or none of them does.
async fn check(fields: &[&str], is_local: bool) {
    let server = server().await;
    let secret = call("1", "secret", "[]");
    // So that the metrics have something to hide.
    server.connect().await.call("1", "secret", "[]").await;
    let info = call("1", "server_info", "[]");
    let unknown = call("1", "no.such.method", "[]");
    let hidden = (server.connect().await.ask(post("", &unknown)).await)
        .text()
        .to_owned();
    let mut http2 = server.http2().await;
    for name in fields {
        let line = format!("{name}: 127.0.0.1\r\n");
        let said = server.connect().await.ask(post(&line, &secret)).await;
        let expected = if is_local { SHOWN } else { &hidden };
        assert_eq!(said.text(), expected, "HTTP/1, {line}");

        // The only value that HTTP/2 allows for `TE`.
        let value = if *name == "TE" {
            "trailers"
        } else {
            "127.0.0.1"
        };
        let head = http2.head().header(*name, value);
        let (_, text) = http2.ask(head, &secret).await;
        assert_eq!(text, expected, "HTTP/2, {line}");

        let text = get(&server, "/openrpc.json", &line).await;
        assert_eq!(text.contains("\"secret\""), is_local, "page, {line}");
        let text = get(&server, "/metrics", &line).await;
        assert_eq!(text.contains("\"secret\""), is_local, "metrics, {line}");

        let request = post(&line, &info).replacen("POST /", "POST /commands", 1);
        let said = server.connect().await.ask(request).await;
        let is_shown = said.json().get("result").is_some();
        assert_eq!(is_shown, is_local, "server_info, {line}");

        let text = over_websocket(&server, &line, &secret).await;
        assert_eq!(text, expected, "WebSocket, {line}");
    }
}

/// The response to a message on a WebSocket whose handshake has this line.
pub(super) async fn over_websocket(server: &TestServer, line: &str, message: &str) -> String {
    websocket_call(Http1::connect(server.address).await, line, message).await
}

/// The same on a connection.
pub(super) async fn websocket_call(mut http1: Http1, line: &str, message: &str) -> String {
    let handshake = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{line}\r\n"
    );
    assert_eq!(http1.ask(handshake).await.status, 101);
    // A masked frame with one text message; the mask is zero.
    let length = u8::try_from(message.len()).unwrap();
    assert!(length < 126);
    http1
        .send([&[0x81, 0x80 | length, 0, 0, 0, 0], message.as_bytes()].concat())
        .await;
    let header = http1.bytes(2).await;
    let length = match header[1] {
        126 => u16::from_be_bytes(http1.bytes(2).await.try_into().unwrap()).into(),
        length => length.into(),
    };
    String::from_utf8(http1.bytes(length).await).unwrap()
}

#[tokio::test]
async fn a_field_of_a_proxy_takes_local_rights_away() {
    check(FIELDS, false).await;
}

#[tokio::test]
async fn a_field_of_a_client_does_not() {
    check(CLIENTS_OWN, true).await;
}
