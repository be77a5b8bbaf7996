//! Tests of requests that a proxy in front could read in another way: `Host`, the target, and the
//! length of the body. Calls, pages, health checks and WebSocket handshakes pass the same checks.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tower::ServiceExt as _;

use crate::support::call;
use crate::support::http1::HttpResponse;
use crate::support::test_server::{Log, TestServer, router};

/// Requests of every kind: name, method and path, header lines, body, and the status without a
/// fault.
fn kinds() -> [(&'static str, &'static str, String, String, u16); 4] {
    let body = call("1", "count", "[]");
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let json = "Content-Type: application/json\r\n";
    [
        ("a call", "POST /", json.to_owned(), body, 200),
        (
            "a page",
            "GET /openrpc.json",
            String::new(),
            String::new(),
            200,
        ),
        (
            "a health check",
            "GET /healthz",
            String::new(),
            String::new(),
            200,
        ),
        (
            "a WebSocket",
            "GET /",
            upgrade.to_owned(),
            String::new(),
            101,
        ),
    ]
}

/// Sends a request of every kind with this in front of its path, and these header lines. Each gets
/// this status, or its own if there is none; 400 closes the connection, and nothing has run.
async fn check(server: &TestServer, target: &str, lines: &str, status: Option<u16>) {
    for (kind, begin, own_lines, body, own_status) in kinds() {
        let begin = begin.replacen(" /", &format!(" {target}/"), 1);
        let length = match body.is_empty() || lines.contains("Encoding") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let body = match lines.contains("chunked") {
            true => crate::support::http1::chunked(&body, 1000),
            false => body,
        };
        let request = format!("{begin} HTTP/1.1\r\n{own_lines}{lines}{length}\r\n{body}");
        let before = server.log.counted.get();
        let mut http1 = server.connect().await;
        http1.send(request).await;
        let answer = http1.head().await.unwrap();
        let expected = status.unwrap_or(own_status);
        assert_eq!(answer.status, expected, "{kind}: {target:?} {lines:?}");
        let ran = server.log.counted.get() - before;
        let runs = kind == "a call" && expected == 200;
        assert_eq!(ran, usize::from(runs), "{kind}: {target:?} {lines:?}");
        if expected == 400 {
            assert!(answer.closes(), "{kind}: {target:?} {lines:?}");
            http1.rest().await;
        }
    }
}

#[tokio::test]
async fn a_host_that_can_be_read_in_two_ways_is_refused_for_requests_of_every_kind() {
    let server = TestServer::new().await;
    for host in [
        "localhost",
        "localhost:8060",
        "LOCALHOST.",
        "127.0.0.1",
        "[::1]:1",
    ] {
        check(&server, "", &format!("Host: {host}\r\n"), None).await;
    }
    for host in [
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:http",
        "localhost:+80",
        "localhost:80:80",
        "user@localhost",
        "user:secret@localhost",
        "localhost@evil.example",
        "local host",
        "localhost/",
        "localhost?",
        "localhost#",
        "localhost,evil.example",
        "local%68ost",
        "[::1",
        "[::1]x",
        "::1",
        ":80",
    ] {
        check(&server, "", &format!("Host: {host}\r\n"), Some(400)).await;
    }
    let two = [
        "Host: localhost\r\nHost: localhost\r\n",
        "Host: localhost\r\nhost: evil.example\r\n",
        "Host:\r\nHost: localhost\r\n",
    ];
    for lines in two {
        check(&server, "", lines, Some(400)).await;
    }
}

#[tokio::test]
async fn a_target_with_another_authority_than_host_is_refused_for_requests_of_every_kind() {
    let server = TestServer::new().await;
    for (target, host, status) in [
        ("http://localhost", "localhost", None),
        ("HTTP://LOCALHOST:80", "localhost:80", None),
        ("https://localhost", "localhost", None),
        ("http://localhost", "127.0.0.1", Some(400)),
        ("http://localhost:80", "localhost", Some(400)),
        ("http://localhost:1", "localhost:2", Some(400)),
        ("http://evil.example", "localhost", Some(400)),
        ("http://localhost", "evil.example", Some(400)),
        ("http://user@localhost", "localhost", Some(400)),
        ("http://user:secret@localhost", "localhost", Some(400)),
        ("http://localhost@localhost", "localhost", Some(400)),
        ("http://localhost:", "localhost", Some(400)),
        ("http://localhost:99999", "localhost", Some(400)),
        ("ftp://localhost", "localhost", Some(400)),
        ("ws://localhost", "localhost", Some(400)),
    ] {
        check(&server, target, &format!("Host: {host}\r\n"), status).await;
    }
}

#[tokio::test]
async fn a_body_whose_end_is_ambiguous_is_refused_for_requests_of_every_kind() {
    let server = TestServer::new().await;
    for coding in [
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked, chunked",
        "chunked,chunked",
        "gzip, chunked",
        "identity, chunked",
        "cow\r\nTransfer-Encoding: chunked",
        "gzip\r\nTransfer-Encoding: chunked",
        ", chunked",
        "\r\nTransfer-Encoding: chunked",
    ] {
        let lines = format!("Host: localhost\r\nTransfer-Encoding: {coding}\r\n");
        check(&server, "", &lines, Some(400)).await;
    }
}

#[tokio::test]
async fn a_request_for_a_websocket_has_no_body() {
    let server = TestServer::new().await;
    let (_, _, lines, _, _) = kinds().into_iter().next_back().unwrap();
    for (length, status) in [
        ("", 101),
        ("Content-Length: 0\r\n", 101),
        ("Content-Length: 5\r\n", 400),
        ("Transfer-Encoding: chunked\r\n", 400),
    ] {
        let mut http1 = server.connect().await;
        let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{lines}{length}\r\n");
        http1.send(head + "0\r\n\r\n").await;
        assert_eq!(http1.head().await.unwrap().status, status, "{length:?}");
    }
}

#[tokio::test]
async fn a_health_check_may_name_any_host_or_none() {
    let server = TestServer::new().await;
    for lines in ["Host: pod-7.cluster.example\r\n", "Host:\r\n", ""] {
        let request = format!("GET /healthz HTTP/1.1\r\n{lines}\r\n");
        let answer = server.connect().await.ask(request).await;
        assert_eq!((answer.status, answer.text()), (200, "ok\n"), "{lines}");
    }
}

#[tokio::test]
async fn over_http2_host_and_authority_have_the_same_form() {
    let server = TestServer::new().await;
    let body = call("1", "count", "[]");
    for (target, hosts, status) in [
        ("http://localhost/", &["localhost"][..], 200),
        ("http://user@localhost/", &[], 400),
        ("http://localhost:99999/", &[], 400),
        ("http://localhost/", &["localhost:"], 400),
        ("http://localhost/", &["user@localhost"], 400),
        ("http://localhost/", &["localhost", "localhost"], 400),
    ] {
        let mut http2 = server.http2().await;
        let mut head = Request::post(target).header("content-type", "application/json");
        for host in hosts {
            head = head.header("host", *host);
        }
        let before = server.log.counted.get();
        let (answered, _) = http2.ask(head, &body).await;
        assert_eq!(answered, status, "{target} {hosts:?}");
        let ran = server.log.counted.get() - before;
        assert_eq!(ran, usize::from(status == 200), "{target} {hosts:?}");
    }
}

#[tokio::test]
async fn over_http2_the_length_of_a_body_is_unambiguous() {
    let server = TestServer::new().await;
    let body = call("1", "count", "[]");
    let length = body.len().to_string();
    for fields in [
        &[("content-length", "1")][..],
        &[("content-length", &*length), ("content-length", "1")],
        &[("content-length", &*length), ("content-length", &*length)],
        &[("content-length", "+1")],
    ] {
        let mut http2 = server.http2().await;
        let mut head = http2.head();
        for (name, value) in fields {
            head = head.header(*name, *value);
        }
        let (response, mut stream) = http2.begin(head.body(()).unwrap(), false).await;
        let _ = stream.send_data(body.clone().into(), true);
        // Either the library below resets the stream, or the request is refused.
        if let Ok(response) = response.await {
            assert_eq!(response.status(), 400, "{fields:?}");
        }
        assert_eq!(server.log.counted.get(), 0, "{fields:?}");
    }
    server.answers_others().await;
}

#[tokio::test]
async fn a_mounted_service_checks_what_its_server_shows_it() {
    let log = Log::default();
    for (uri, fields, status) in [
        ("http://localhost/", &[("content-length", "1")][..], 200),
        (
            "http://localhost/",
            &[("transfer-encoding", "chunked")],
            200,
        ),
        (
            "http://localhost/",
            &[("transfer-encoding", "chunked"), ("content-length", "1")],
            400,
        ),
        (
            "http://localhost/",
            &[("transfer-encoding", "gzip, chunked")],
            400,
        ),
        (
            "http://localhost/",
            &[("transfer-encoding", "identity")],
            400,
        ),
        (
            "http://localhost/",
            &[("content-length", "1"), ("content-length", "1")],
            400,
        ),
        ("http://localhost/", &[("content-length", "1, 1")], 400),
        ("http://localhost/", &[("content-length", "-1")], 400),
        ("http://user@localhost/", &[], 400),
        ("http://localhost/", &[("host", "localhost:")], 400),
        ("http://localhost/", &[("host", "localhost:1")], 400),
    ] {
        let service = router(&log).into_service().unwrap();
        let mut request = Request::post(uri).header("content-type", "application/json");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let body = Full::<Bytes>::from(call("1", "count", "[]"));
        let response = service.oneshot(request.body(body).unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{uri} {fields:?}");
    }
    assert_eq!(log.counted.get(), 2);
}

#[tokio::test]
async fn a_mounted_service_leaves_out_hosts_and_origins_that_cannot_match() {
    let log = Log::default();
    for (origin, allowed, status) in [
        ("null", "null", 403),
        ("https://app.example", "https://app.example/page", 403),
        ("https://app.example", "*", 403),
        ("https://app.example", "HTTPS://App.example:443/", 200),
    ] {
        let service = router(&log).into_service().unwrap().allow_origin(allowed);
        let request = Request::post("http://localhost/")
            .header("content-type", "application/json")
            .header("origin", origin)
            .body(Full::<Bytes>::from(call("1", "count", "[]")));
        let response = service.oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), status, "{origin} {allowed}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn on_a_unix_socket_any_host_will_do_but_only_one() {
    use antiphon::Server;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let path = std::env::temp_dir().join(format!("antiphon-forms-{}", std::process::id()));
    let log = Log::default();
    let listening = Server::new(router(&log))
        .bind(format!("http+unix:{}", path.display()))
        .listen()
        .await
        .unwrap();
    let handle = listening.handle();
    let serving = tokio::spawn(listening.serve());
    let body = call("1", "count", "[]");
    for (target, lines, status) in [
        ("/", "Host: localhost\r\n", 200),
        ("/", "Host: anything.example\r\n", 200),
        ("/", "Host:\r\n", 200),
        ("/", "", 200),
        ("http://any.example/", "Host: any.example\r\n", 200),
        ("/", "Host: localhost\r\nHost: localhost\r\n", 400),
        ("/", "Host: user@localhost\r\n", 400),
        ("/", "Host: localhost:\r\n", 400),
        ("http://any.example/", "Host: other.example\r\n", 400),
    ] {
        let mut stream = tokio::net::UnixStream::connect(&path).await.unwrap();
        let request = format!(
            "POST {target} HTTP/1.1\r\n{lines}Content-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        let expected = format!("HTTP/1.1 {status} ");
        assert!(said.starts_with(&expected), "{target} {lines:?}: {said}");
    }
    assert_eq!(log.counted.get(), 5);
    handle.stop();
    serving.await.unwrap().unwrap();
}

/// The bytes of a response without those that differ from one to the next.
fn comparable(answer: &HttpResponse) -> (u16, String) {
    (answer.status, answer.text().to_owned())
}

#[tokio::test]
async fn no_header_gives_the_rights_of_an_admin() {
    use crate::support::http1::post;

    let log = Log::default();
    let admin = antiphon::Method::function("rule", || 1).access(antiphon::Access::Admin);
    let folder = std::env::temp_dir().join(format!("antiphon-admin-{}", std::process::id()));
    let server = antiphon::Server::new(router(&log).method(admin)).configure(|settings| {
        settings.admin_token_file = Some(folder.clone());
    });
    let server = TestServer::of(server, log).await;
    let token = std::fs::read_to_string(&folder).unwrap();
    let token = token.trim();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let ask = async |lines: &str, method: &str| {
        let request = post(lines, &call("1", method, "[]"));
        server.connect().await.ask(request).await
    };
    assert_eq!(ask(&bearer, "rule").await.json()["result"], 1);
    let unknown = comparable(&ask("", "none").await);
    let shorter = format!("Authorization: Bearer {}\r\n", &token[1..]);
    let longer = format!("Authorization: Bearer {token}0\r\n");
    let twice = format!("{bearer}{bearer}");
    let second = format!("Authorization: Bearer x\r\n{bearer}");
    let basic = format!("Authorization: Basic {token}\r\n");
    let bare = format!("Authorization: {token}\r\n");
    let proxy = format!("Proxy-Authorization: Bearer {token}\r\n");
    for lines in [
        "",
        "Authorization:\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Bearer null\r\n",
        "X-Admin: true\r\n",
        "X-Forwarded-User: admin\r\nX-Remote-User: admin\r\n",
        "X-Forwarded-For: 127.0.0.1\r\n",
        &shorter,
        &longer,
        &twice,
        &second,
        &basic,
        &bare,
        &proxy,
    ] {
        let answer = comparable(&ask(lines, "rule").await);
        assert_eq!(answer, unknown, "{lines:?}");
    }
}
