//! Requests with and without credentials.

use antiphon::{Router, Server};
use serde_json::Value;

use super::{EXPECTED, Tokens, router, server};
use crate::support::counter::Counter;
use crate::support::http1::{HttpResponse, post};
use crate::support::test_server::{Log, TestServer};
use crate::support::{batch, call, code, codes, notification};

fn bearer(token: &str) -> String {
    match token {
        "" => String::new(),
        token => format!("Authorization: Bearer {token}\r\n"),
    }
}

/// The body, whatever the status.
fn json(answer: &HttpResponse) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

async fn start(ran: &Counter) -> TestServer {
    TestServer::of(server(ran), Log::default()).await
}

#[tokio::test]
async fn a_call_needs_what_its_method_asks() {
    let ran = Counter::default();
    let server = start(&ran).await;
    let mut http1 = server.connect().await;
    for (token, method, expected) in EXPECTED {
        let before = ran.get();
        let answer = http1
            .ask(post(&bearer(token), &call("7", method, "[]")))
            .await;
        let body = json(&answer);
        assert_eq!(code(&body), expected, "{token} {method}");
        assert_eq!(body["id"], 7);
        assert_eq!(ran.get() - before, usize::from(expected == 0));
        let status = match expected {
            -32006 => 401,
            -32007 => 403,
            _ => 200,
        };
        assert_eq!(answer.status, status, "{token} {method}");
        let challenge = answer.header("www-authenticate");
        match expected {
            -32006 => assert_eq!(challenge, Some("Bearer")),
            -32007 => {
                let scope = body["error"]["data"]["scope"].as_str().unwrap();
                let asks = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
                assert_eq!(challenge, Some(&*asks));
            }
            _ => assert_eq!(challenge, None),
        }
    }
}

#[tokio::test]
async fn credentials_that_are_no_good_are_refused_before_anything_runs() {
    let ran = Counter::default();
    let server = start(&ran).await;
    for (headers, status) in [
        ("Authorization: Bearer wrong\r\n", 401),
        ("Authorization: Bearer \r\n", 401),
        ("Authorization: Basic cmVhZGVy\r\n", 401),
        ("Authorization: reader\r\n", 401),
        (
            "Authorization: Bearer reader\r\nAuthorization: Bearer reader\r\n",
            401,
        ),
        ("Authorization: Bearer \u{e9}\r\n", 401),
        ("Authorization: Bearer busy\r\n", 503),
    ] {
        for method in ["free", "known"] {
            let mut http1 = server.connect().await;
            let answer = http1.ask(post(headers, &call("1", method, "[]"))).await;
            assert_eq!(answer.status, status, "{headers}");
            assert!(!answer.text().contains("S3CR3T"));
            if status == 401 {
                assert_eq!(code(&json(&answer)), -32006);
                assert_eq!(json(&answer)["id"], Value::Null);
                let challenge = "Bearer error=\"invalid_token\"";
                assert_eq!(answer.header("www-authenticate"), Some(challenge));
            }
        }
        let mut http1 = server.connect().await;
        let get = format!("GET /openrpc.json HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        assert_eq!(http1.ask(get).await.status, status);
        let upgrade = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut http1 = server.connect().await;
        assert_eq!(http1.ask(upgrade).await.status, status);
    }
    assert_eq!(ran.get(), 0);
}

#[tokio::test]
async fn entries_of_a_batch_are_judged_one_by_one() {
    let ran = Counter::default();
    let server = start(&ran).await;
    let mut http1 = server.connect().await;
    let message = || {
        batch([
            call("1", "free", "[]"),
            call("2", "known", "[]"),
            call("3", "write", "[]"),
            call("4", "vault.inner.read", "[]"),
            notification("known", "[]"),
            notification("write", "[]"),
        ])
    };
    for (token, expected, runs) in [
        ("", [0, -32006, -32006, -32006], 1),
        ("reader", [0, 0, -32007, -32007], 3),
        ("writer", [0, 0, 0, 0], 6),
    ] {
        let before = ran.get();
        let answer = http1.ask(post(&bearer(token), &message())).await;
        assert_eq!(answer.status, 200);
        assert_eq!(codes(&json(&answer)), expected, "{token}");
        assert_eq!(ran.get() - before, runs, "{token}");
    }
}

#[tokio::test]
async fn health_and_preflights_are_open_to_all() {
    let server = start(&Counter::default()).await;
    for head in [
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\n\r\n",
    ] {
        assert_eq!(server.connect().await.ask(head).await.status, 200, "{head}");
    }
    let metrics = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n";
    for (token, expected) in [("", 401), ("reader", 200)] {
        let head = format!("{metrics}{}\r\n", bearer(token));
        let answer = server.connect().await.ask(head).await;
        let expected = if cfg!(feature = "metrics") {
            expected
        } else {
            405
        };
        assert_eq!(answer.status, expected, "{token}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_reads_why_it_was_refused() {
    let ran = Counter::default();
    let server = server(&ran).allow_origin("https://example.org");
    let server = TestServer::of(server, Log::default()).await;
    for (token, method, status) in [
        ("wrong", "known", 401),
        ("", "known", 401),
        ("reader", "write", 403),
    ] {
        let headers = format!("Origin: https://example.org\r\n{}", bearer(token));
        let mut http1 = server.connect().await;
        let answer = http1.ask(post(&headers, &call("1", method, "[]"))).await;
        assert_eq!(answer.status, status);
        let shared = answer.header("access-control-allow-origin");
        assert_eq!(shared, Some("https://example.org"), "{token}");
    }
}

#[tokio::test]
async fn without_an_authenticator_nobody_is_asked() {
    let ran = Counter::default();
    let server = TestServer::of(Server::new(router(&ran)), Log::default()).await;
    let mut http1 = server.connect().await;
    for method in ["free", "known", "write", "vault.open"] {
        let answer = http1
            .ask(post(&bearer("wrong"), &call("1", method, "[]")))
            .await;
        assert_eq!((answer.status, code(&json(&answer))), (200, 0), "{method}");
    }
    let answer = http1.call("1", "rpc.authenticate", "[\"reader\"]").await;
    assert_eq!(code(&answer), -32601);
}

#[tokio::test]
async fn a_mounted_service_asks_too() {
    use tower::ServiceExt as _;

    let ran = Counter::default();
    let service = router(&ran).into_service().unwrap();
    let service = service.authenticate(Tokens::default());
    for (token, status) in [("", 401), ("wrong", 401), ("reader", 403), ("writer", 200)] {
        let mut request = http::Request::post("http://localhost/");
        request = request.header("content-type", "application/json");
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(call("1", "write", "[]")).unwrap();
        let answer = service.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), status, "{token}");
    }
    assert_eq!(ran.get(), 1);
}

/// Large parameters are decoded on another thread, but only if the call may run.
#[tokio::test]
async fn large_parameters_of_a_forbidden_call_are_not_decoded() {
    let decoded = Counter::default();
    let counts = decoded.clone();
    let take = antiphon::Method::new("take", move |call| {
        counts.add();
        antiphon::CallFuture::ready(call.answer(Ok(1)))
    });
    let router = Router::new().method(take.scope("write"));
    let server = Server::new(router).authenticate(Tokens::default());
    let server = TestServer::of(server, Log::default()).await;
    let large = call("1", "take", &format!("[\"{}\"]", "x".repeat(600_000)));
    for (token, status) in [("", 401), ("reader", 403), ("writer", 200)] {
        let mut http1 = server.connect().await;
        let answer = http1.ask(post(&bearer(token), &large)).await;
        assert_eq!(answer.status, status);
    }
    assert_eq!(decoded.get(), 1);
}
