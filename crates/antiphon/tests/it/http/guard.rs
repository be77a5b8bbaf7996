//! Tests of access checks: `Host`, `Origin`, `Sec-Fetch-Site`, preflights, local callers.

use antiphon::{Profile, Server};

use crate::support::call;
use crate::support::http1::{Http1, HttpResponse};
use crate::support::test_server::{Log, TestServer, router};

/// A call of `count` with these headers in place of the default `Host`.
fn request(target: &str, headers: &[(&str, &str)]) -> String {
    let body = call("1", "count", "[]");
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!(
        "POST {target} HTTP/1.1\r\n{lines}Content-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends the request on a new connection. Checks that the call ran if and only if the status says
/// so.
async fn ask(server: &TestServer, target: &str, headers: &[(&str, &str)]) -> HttpResponse {
    let before = server.log.counted.get();
    let mut http1 = server.connect().await;
    let answer = http1.ask(request(target, headers)).await;
    let ran = server.log.counted.get() - before;
    assert_eq!(ran, usize::from(answer.status == 200), "{headers:?}");
    answer
}

#[tokio::test]
async fn only_host_names_of_this_machine_are_accepted() {
    let server = TestServer::new().await;
    let port = server.address.port();
    let with_port = [
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        format!("evil.example:{port}"),
    ];
    for (host, status) in [
        ("localhost", 200),
        ("LocalHost.", 200),
        ("127.0.0.1", 200),
        ("127.255.0.1", 200),
        ("[::1]", 200),
        ("localhost:1", 200),
        (&with_port[0], 200),
        (&with_port[1], 200),
        (&with_port[2], 200),
        (&with_port[3], 403),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.1.nip.io", 403),
        ("evil.localhost.", 403),
        ("10.0.0.1", 403),
        ("0.0.0.0", 403),
        ("2130706433", 403),
        ("0x7f000001", 403),
        ("127.1", 403),
        ("0177.0.0.1", 403),
        ("[::]", 403),
        ("[::ffff:127.0.0.1]", 403),
        ("[::1%25lo]", 403),
        ("localhost@evil.example", 400),
        ("evil.example@localhost", 400),
        ("local host", 400),
        ("localhost/evil", 400),
        ("localhost, evil.example", 400),
        ("::1", 400),
        ("", 400),
    ] {
        let answer = ask(&server, "/", &[("Host", host)]).await;
        // For some invalid spellings either status is right.
        let refused = status != 200 && [400, 403].contains(&answer.status);
        assert!(refused || answer.status == status, "{host:?}: {answer:?}");
        if answer.status == 403 {
            assert!(answer.text().contains("--allow-host"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_request_has_exactly_one_host() {
    let server = TestServer::new().await;
    for (target, hosts, status) in [
        ("/", &[][..], 400),
        ("/", &["localhost", "localhost"], 400),
        ("/", &["localhost", "evil.example"], 400),
        ("/", &["evil.example", "localhost"], 400),
        ("http://localhost/", &["localhost"], 200),
        ("http://LOCALHOST./", &["localhost"], 200),
        ("http://evil.example/", &["evil.example"], 403),
        ("http://evil.example/", &["localhost"], 400),
        ("http://localhost/", &["evil.example"], 400),
        ("http://localhost:1/", &["localhost:2"], 400),
    ] {
        let headers: Vec<_> = hosts.iter().map(|host| ("Host", *host)).collect();
        let answer = ask(&server, target, &headers).await;
        assert_eq!(answer.status, status, "{target} {hosts:?}");
        assert_eq!(answer.closes(), status == 400, "{target} {hosts:?}");
    }
}

#[tokio::test]
async fn over_http2_the_authority_is_the_host() {
    let server = TestServer::new().await;
    let body = call("1", "count", "[]");
    let mut http2 = server.http2().await;
    for (target, host, status) in [
        ("http://localhost/", None, 200),
        ("http://localhost:9/", Some("localhost:9"), 200),
        ("http://evil.example/", None, 403),
        ("http://evil.example/", Some("localhost"), 400),
        ("http://localhost/", Some("evil.example"), 400),
    ] {
        let before = server.log.counted.get();
        let mut head = http::Request::post(target).header("content-type", "application/json");
        if let Some(host) = host {
            head = head.header("host", host);
        }
        let (answered, text) = http2.ask(head, &body).await;
        assert_eq!(answered, status, "{target} {host:?} {text}");
        let ran = server.log.counted.get() - before;
        assert_eq!(ran, usize::from(status == 200));
    }
    assert_eq!(server.handle.accepted(), 1);
}

#[tokio::test]
async fn only_pages_of_this_server_and_of_allowed_origins_may_call() {
    let log = Log::default();
    let server = Server::new(router(&log)).allow_origin("https://app.example");
    let server = TestServer::of(server, log).await;
    let host = format!("localhost:{}", server.address.port());
    let own = [
        format!("http://{host}"),
        format!("http://127.0.0.1:{}", server.address.port()),
        format!("https://{host}"),
    ];
    for (origin, status) in [
        (&*own[0], 200),
        (&own[1], 200),
        (&own[2], 403),
        ("https://app.example", 200),
        ("http://app.example", 403),
        ("https://app.example:444", 403),
        ("https://app.example.evil", 403),
        ("https://evil-app.example", 403),
        ("http://localhost", 403),
        ("http://localhost:3000", 403),
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("file://", 403),
    ] {
        let answer = ask(&server, "/", &[("Host", &host), ("Origin", origin)]).await;
        assert_eq!(answer.status, status, "{origin:?}");
        let shared = answer.header("access-control-allow-origin");
        let named = origin == "https://app.example";
        assert_eq!(shared, named.then_some(origin));
        assert_eq!(answer.header("vary"), named.then_some("Origin"));
        if status == 403 {
            assert!(answer.text().contains("--allow-origin"));
        }
    }
    // A page cannot pass with a second header.
    let two = [
        ("Host", &*host),
        ("Origin", "https://app.example"),
        ("Origin", "http://evil.example"),
    ];
    assert_eq!(ask(&server, "/", &two).await.status, 403);
    for (fetch_site, status) in [("cross-site", 403), ("same-origin", 200), ("none", 200)] {
        let headers = [("Host", &*host), ("Sec-Fetch-Site", fetch_site)];
        assert_eq!(ask(&server, "/", &headers).await.status, status);
    }
}

async fn preflight(http1: &mut Http1, origin: &str, path: &str) -> HttpResponse {
    http1
        .ask(format!(
            "OPTIONS {path} HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\
         Access-Control-Request-Method: POST\r\n\
         Access-Control-Request-Headers: content-type\r\n\r\n"
        ))
        .await
}

#[tokio::test]
async fn a_preflight_is_answered_for_allowed_origins() {
    let log = Log::default();
    let server = Server::new(router(&log)).allow_origin("https://app.example/");
    let server = TestServer::of(server, log).await;
    let mut http1 = server.connect().await;
    let named = preflight(&mut http1, "https://app.example", "/").await;
    assert_eq!(named.status, 204);
    let header = |name| named.header(name).unwrap_or_default().to_owned();
    assert_eq!(header("access-control-allow-origin"), "https://app.example");
    assert_eq!(header("access-control-allow-methods"), "POST");
    assert!(header("access-control-allow-headers").contains("content-type"));
    assert_eq!(header("access-control-allow-credentials"), "");
    let evil = preflight(&mut http1, "https://evil.example", "/").await;
    assert_eq!(evil.status, 403);
    assert_eq!(evil.header("access-control-allow-origin"), None);
    let elsewhere = preflight(&mut http1, "https://app.example", "/elsewhere").await;
    assert_eq!(elsewhere.status, 404);
}

/// The response of `secret`, a method for local callers only, to a request with these headers.
async fn secret(server: &TestServer, headers: &str) -> String {
    let request = crate::support::http1::post(headers, &call("1", "secret", "[]"));
    let answer = server.connect().await.ask(request).await;
    answer.text().to_owned()
}

#[tokio::test]
async fn a_method_for_local_callers_does_not_exist_for_others() {
    let server = TestServer::new().await;
    let hidden = server
        .connect()
        .await
        .call("1", "none", "[]")
        .await
        .to_string();
    let shown = r#"{"jsonrpc":"2.0","id":1,"result":1}"#;
    let value = |text: String| {
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value.to_string()
    };
    assert_eq!(secret(&server, "").await, shown);
    for header in [
        "X-Forwarded-For: 10.0.0.1\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
        "X-Forwarded-Proto: https\r\n",
        "X-Forwarded-Host: a\r\n",
        "X-Forwarded-Anything:\r\n",
        "Forwarded: for=127.0.0.1\r\n",
    ] {
        assert_eq!(value(secret(&server, header).await), hidden, "{header}");
    }

    let public = |change: fn(Server) -> Server| async move {
        let log = Log::default();
        let server = change(Server::new(router(&log))).allow_unauthenticated_public(true);
        TestServer::of(server, log).await
    };
    let behind_proxy = public(|server| server.profile(Profile::Public)).await;
    let known_by_name = public(|server| server.allow_host("api.example")).await;
    for server in [behind_proxy, known_by_name] {
        assert_eq!(value(secret(&server, "").await), hidden);
    }
}

#[tokio::test]
async fn the_port_of_an_allowed_host_is_ignored() {
    let log = Log::default();
    let server = Server::new(router(&log))
        .allow_host("API.example.:8080")
        .allow_host("[2001:db8::1]:8080")
        .allow_unauthenticated_public(true);
    let server = TestServer::of(server, log).await;
    for (host, status) in [
        ("api.example", 200),
        ("api.example:1234", 200),
        ("[2001:db8::1]", 200),
        ("[2001:db8::2]", 403),
        ("www.api.example", 403),
    ] {
        assert_eq!(ask(&server, "/", &[("Host", host)]).await.status, status);
    }
}

#[tokio::test]
async fn on_a_public_server_only_the_requested_host_is_the_same_origin() {
    let log = Log::default();
    let server = Server::new(router(&log))
        .bind("0.0.0.0:0")
        .allow_host("api.example")
        .allow_unauthenticated_public(true);
    let server = TestServer::of(server, log).await;
    for (host, origin, status) in [
        ("10.0.0.7:8060", "http://10.0.0.7:8060", 200),
        // A public server accepts any address as `Host`, but a page of another address is foreign.
        ("10.0.0.7:8060", "http://203.0.113.5:8060", 403),
        ("10.0.0.7:8060", "http://[2001:db8::1]:8060", 403),
        ("10.0.0.7:8060", "http://10.0.0.7:8061", 403),
        ("api.example", "http://api.example", 200),
        ("api.example", "http://10.0.0.7", 403),
    ] {
        let headers = [("Host", host), ("Origin", origin)];
        assert_eq!(ask(&server, "/", &headers).await.status, status, "{origin}");
    }
}
