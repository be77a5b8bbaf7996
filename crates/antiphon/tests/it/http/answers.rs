//! Tests of HTTP status codes, for requests with and without a valid call.

use antiphon::{Route, Server};
use http::StatusCode;

use crate::support::call;
use crate::support::http1::post;
use crate::support::test_server::{Log, TestServer, router};

/// A request with this method and target, these header lines and this body.
fn request(line: &str, headers: &str, body: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn an_invalid_http_request_gets_a_status_and_one_sentence() {
    let server = TestServer::new().await;
    let body = call("1", "count", "[]");
    let cases = [
        ("GET /", JSON, "", 405),
        ("GET /?method=count", "", "", 405),
        ("HEAD /", "", "", 405),
        ("PUT /", JSON, &*body, 405),
        ("DELETE /", JSON, &*body, 405),
        ("PATCH /", JSON, &*body, 405),
        ("BREW /", JSON, &*body, 405),
        ("POST /elsewhere", JSON, &*body, 404),
        ("POST //", JSON, &*body, 404),
        ("GET /favicon.ico", "", "", 404),
        ("OPTIONS *", "", "", 404),
        ("POST /", "", &*body, 415),
        ("POST /", "Content-Type: text/plain\r\n", &*body, 415),
        (
            "POST /",
            "Content-Type: text/plain; application/json\r\n",
            &*body,
            415,
        ),
        (
            "POST /",
            "Content-Type: application/x-www-form-urlencoded\r\n",
            &*body,
            415,
        ),
        (
            "POST /",
            "Content-Type: multipart/form-data; boundary=x\r\n",
            &*body,
            415,
        ),
        (
            "POST /",
            "Content-Type: application/json, text/plain\r\n",
            &*body,
            415,
        ),
        (
            "POST /",
            "Content-Type: application/json\r\nContent-Type: application/json\r\n",
            &*body,
            415,
        ),
        (
            "POST /",
            "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
            &*body,
            415,
        ),
        (
            "POST /",
            "Content-Type: application/json\r\nAccept: text/html\r\n",
            &*body,
            406,
        ),
        (
            "POST /",
            "Content-Type: application/json\r\nAccept: application/json;q=0\r\n",
            &*body,
            406,
        ),
    ];
    let mut http1 = server.connect().await;
    for (line, headers, body, status) in cases {
        http1.send(request(line, headers, body)).await;
        let (method, _) = line.split_once(' ').unwrap();
        let answer = http1.answer_to(method).await.unwrap();
        let case = format!("{line} {headers}");
        assert_eq!(answer.status, status, "{case}");
        assert!(!answer.closes(), "{case}");
        let allowed = (status == 405).then_some("POST, OPTIONS");
        assert_eq!(answer.header("allow"), allowed, "{case}");
        let plain = Some("text/plain; charset=utf-8");
        assert_eq!(answer.header("content-type"), plain, "{case}");
        if method != "HEAD" {
            let text = answer.text();
            assert!(text.len() > 5 && text.lines().count() == 1, "{text:?}");
        }
    }
    assert_eq!(server.log.counted.get(), 0, "nothing of it ran");
    assert_eq!(server.handle.accepted(), 1, "on one connection");
    // The connection can still be used.
    assert_eq!(http1.call("1", "add", "[1,2]").await["result"], 3);
}

#[tokio::test]
async fn options_tell_the_methods_of_http() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    let wanted = "Access-Control-Request-Method: POST\r\n";
    let foreign = "Origin: https://evil.example\r\n";
    let own = "Origin: http://localhost\r\n";
    for (line, headers, body, status) in [
        ("OPTIONS /", "", "", 204),
        ("OPTIONS /", JSON, "{}", 204),
        ("OPTIONS /?x=1", wanted, "", 204),
        ("OPTIONS /", own, "", 204),
        // With an origin the checks of preflights apply.
        ("OPTIONS /", &format!("{own}{wanted}"), "", 403),
        ("OPTIONS /", foreign, "", 403),
        ("OPTIONS /elsewhere", "", "", 404),
    ] {
        http1.send(request(line, headers, body)).await;
        let answer = http1.answer_to("OPTIONS").await.unwrap();
        let case = format!("{line} {headers}");
        assert_eq!(answer.status, status, "{case}");
        assert!(!answer.closes(), "{case}");
        let is_found = status == 204;
        let allowed = is_found.then_some("POST, OPTIONS");
        assert_eq!(answer.header("allow"), allowed, "{case}");
        assert_eq!(answer.body.is_empty(), is_found, "{case}");
        let origin = answer.header("access-control-allow-origin");
        assert_eq!(origin, None, "{case}");
    }
    assert_eq!(http1.call("1", "add", "[1,2]").await["result"], 3);
}

#[tokio::test]
async fn the_content_type_is_json_regardless_of_its_parameters() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    for media_type in [
        "application/json",
        "application/json-rpc",
        "application/jsonrequest",
        "Application/JSON; charset=\"utf-8\"",
        "application/json ; charset=utf-8; x=1",
        "application/json; indent=4",
    ] {
        for accept in [
            "",
            "Accept: */*\r\n",
            "Accept: text/html, application/*\r\n",
        ] {
            let headers = format!("Content-Type: {media_type}\r\n{accept}");
            let answer = http1
                .ask(request("POST /", &headers, &call("1", "add", "[1,2]")))
                .await;
            assert_eq!(answer.json()["result"], 3, "{headers}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
    }
}

#[tokio::test]
async fn every_json_rpc_response_has_status_200_and_keeps_the_connection() {
    let server = TestServer::new().await;
    let mut http1 = server.connect().await;
    for (body, code) in [
        (call("1", "add", "[1,2]"), 0),
        (call("1", "none", "[]"), -32601),
        (call("1", "add", "[]"), -32602),
        (call("1", "secret", "[1]"), -32602),
        ("{".to_owned(), -32700),
        (String::new(), -32700),
        ("[]".to_owned(), -32600),
        ("5".to_owned(), -32600),
    ] {
        let answer = http1.ask(post("", &body)).await;
        assert_eq!(
            answer.json()["error"]["code"].as_i64().unwrap_or_default(),
            code,
            "{body}"
        );
        assert!(!answer.closes(), "{body}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.header("transfer-encoding").is_none());
    }
    assert_eq!(server.handle.accepted(), 1);
}

#[tokio::test]
async fn notifications_run_and_get_the_configured_status_without_a_body() {
    let log = Log::default();
    let frozen = || router(&log).build().unwrap();
    let accepted = Route::new(frozen()).notification_status(StatusCode::ACCEPTED);
    let ok = Route::new(frozen()).notification_status(StatusCode::OK);
    let server = Server::builder()
        .route("/", router(&log))
        .route("/accepted", accepted)
        .route("/ok", ok);
    let server = TestServer::of(server, log.clone()).await;
    let mut http1 = server.connect().await;
    let one = r#"{"jsonrpc":"2.0","method":"count"}"#;
    let two = format!("[{one},{one}]");
    let unknown = r#"{"jsonrpc":"2.0","method":"none"}"#;
    let panics = r#"{"jsonrpc":"2.0","method":"panic"}"#;
    crate::dispatch::quiet();
    for (path, status) in [("/", 204), ("/accepted", 202), ("/ok", 200)] {
        for (body, runs) in [(one, 1), (&two, 2), (unknown, 0), (panics, 0)] {
            let before = log.counted.get();
            let line = format!("POST {path}");
            let answer = http1.ask(request(&line, JSON, body)).await;
            assert_eq!(answer.status, status, "{path} {body}");
            assert_eq!(answer.body, b"", "{path} {body}");
            assert_eq!(answer.header("content-type"), None);
            let length = (status != 204).then_some("0");
            assert_eq!(answer.header("content-length"), length, "{path}");
            assert_eq!(log.counted.get() - before, runs, "{path} {body}");
        }
    }
    assert_eq!(http1.call("1", "add", "[1,2]").await["result"], 3);
}
