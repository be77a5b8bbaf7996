//! Tests of `GET` requests: health checks, metrics, and the documentation page.

use crate::support::call;
use crate::support::http1::{HttpResponse, post};
use crate::support::test_server::TestServer;

async fn get(server: &TestServer, method: &str, path: &str, host: &str) -> HttpResponse {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    server.connect().await.ask(request).await
}

#[tokio::test]
async fn health_checks_are_answered_for_every_host() {
    let server = TestServer::new().await;
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        for host in ["localhost", "10.1.2.3", "pod-7.cluster.example"] {
            let answer = get(&server, "GET", path, host).await;
            assert_eq!((answer.status, answer.text()), (200, text), "{host}");
        }
        // No other method is allowed there.
        assert_eq!(get(&server, "DELETE", path, "localhost").await.status, 404);
    }
    // While the server stops it is healthy, but not ready.
    let mut held = server.connect().await;
    let mut asked = server.connect().await;
    let mut well = server.connect().await;
    held.send(post("", &call("1", "hold", "[]"))).await;
    server.log.held.reach(1).await;
    server.handle.stop();
    let ready = asked
        .ask("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!((ready.status, ready.text()), (503, "stopping\n"));
    let healthy = well
        .ask("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(healthy.status, 200);
    server.handle.kill();
}

#[tokio::test]
async fn metrics_are_a_text_for_prometheus() {
    use antiphon::{Router, Server};

    use crate::support::test_server::{Log, router};

    let log = Log::default();
    let server = Server::builder()
        .route("/", router(&log))
        .route("/two", Router::new().method_fn("two", || 2));
    let server = TestServer::of(server, log).await;
    for _ in 0..20 {
        server.connect().await.call("1", "echo", "[\"x\"]").await;
    }
    server
        .connect()
        .await
        .call("1", "no.such.method", "[]")
        .await;
    server.connect().await.call("1", "echo", "[1,2,3]").await;
    server.connect().await.call("1", "sleep", "[20]").await;
    for path in ["/metrics", "/two/metrics"] {
        let answer = get(&server, "GET", path, "localhost").await;
        assert_eq!(answer.status, 200);
        let media_type = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(answer.header("content-type"), Some(media_type));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let text = answer.text();
        for line in [
            "antiphon_calls_total{method=\"echo\"} 21",
            "antiphon_calls_total{method=\"\"} 1",
            "antiphon_errors_total{method=\"echo\",code=\"-32602\"} 1",
            "antiphon_errors_total{method=\"\",code=\"-32601\"} 1",
            "antiphon_call_seconds_count{method=\"sleep\"} 1",
            "antiphon_call_seconds_bucket{method=\"sleep\",le=\"0.01\"} 0",
            "antiphon_calls_in_flight{method=\"sleep\"} 0",
            "antiphon_processes 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
    let mut http1 = server.connect().await;
    http1
        .send("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    let head = String::from_utf8(http1.rest().await).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn metrics_do_not_reveal_hidden_methods() {
    use antiphon::{Access, Method, Router, Server};

    use crate::support::test_server::Log;

    let router = Router::new()
        .method_fn("open", || 1)
        .method(Method::function("near", || 1).access(Access::Local))
        .method(Method::function("secret", || 1).access(Access::Admin));
    let server = TestServer::of(Server::new(router), Log::default()).await;
    for name in ["open", "near", "secret", "nothing"] {
        server.connect().await.call("1", name, "[]").await;
    }
    let forwarded = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
    let public = server.connect().await.ask(forwarded).await;
    let local = get(&server, "GET", "/metrics", "localhost").await;
    for (text, expected) in [
        (public.text(), [("open", 1), ("", 3)].as_slice()),
        (local.text(), &[("open", 1), ("near", 1), ("", 2)]),
    ] {
        let lines = text.lines();
        let mut counted: Vec<_> = lines
            .filter(|line| line.starts_with("antiphon_calls_total{"))
            .collect();
        counted.sort_unstable();
        let line = |(name, calls): &(&str, u32)| {
            format!("antiphon_calls_total{{method=\"{name}\"}} {calls}")
        };
        let mut expected: Vec<_> = expected.iter().map(line).collect();
        expected.sort_unstable();
        assert_eq!(counted, expected);
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn a_public_server_shows_pages_only_if_it_is_configured_to() {
    let public = TestServer::with(|settings| {
        settings.allow_host = vec!["api.example".into()];
        settings.allow_unauthenticated_public = true;
    })
    .await;
    assert_eq!(
        get(&public, "GET", "/metrics", "api.example").await.status,
        404
    );
    assert_eq!(get(&public, "GET", "/", "api.example").await.status, 405);
    assert_eq!(
        get(&public, "GET", "/healthz", "api.example").await.status,
        200
    );
    let meant = TestServer::with(|settings| {
        settings.allow_host = vec!["api.example".into()];
        settings.allow_unauthenticated_public = true;
        settings.metrics = Some(true);
    })
    .await;
    let status = 200;
    assert_eq!(
        get(&meant, "GET", "/metrics", "api.example").await.status,
        status
    );
    // The host check comes first.
    assert_eq!(
        get(&meant, "GET", "/metrics", "evil.example").await.status,
        403
    );
    let private = TestServer::with(|settings| settings.metrics = Some(false)).await;
    assert_eq!(
        get(&private, "GET", "/metrics", "localhost").await.status,
        404
    );
}

mod described {
    use antiphon::{Access, Method, Router, Server};
    use serde_json::Value;

    use super::get;
    use crate::support::http1::HttpResponse;
    use crate::support::test_server::{Log, TestServer};

    async fn shown(page: Option<bool>) -> TestServer {
        let router = Router::new()
            .method_fn("open", || 1)
            .method(Method::function("near", || 1).access(Access::Local))
            .method(Method::function("secret", || 1).access(Access::Admin));
        let server = Server::builder()
            .route("/api/v1", router)
            .configure(move |settings| settings.page = page);
        TestServer::of(server, Log::default()).await
    }

    async fn browse(server: &TestServer, path: &str) -> HttpResponse {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,*/*;q=0.8\r\n\r\n"
        );
        server.connect().await.ask(request).await
    }

    #[tokio::test]
    async fn a_program_gets_a_document_of_the_methods_that_it_may_call() {
        let server = shown(None).await;
        for (name, version) in [("openrpc.json", "1.3.2"), ("openrpc-1.4.json", "1.4.0")] {
            let answer = get(&server, "GET", &format!("/api/v1/{name}"), "localhost").await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let document: Value = answer.json();
            assert_eq!(document["openrpc"], version);
            let methods = document["methods"].as_array().unwrap().iter();
            let names: Vec<_> = methods
                .map(|method| method["name"].as_str().unwrap())
                .collect();
            assert_eq!(names, ["near", "open"]);
        }
        // A proxy has forwarded this request, so the caller may be anyone.
        let passed_on = "GET /api/v1/openrpc.json HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n";
        let answer = server.connect().await.ask(passed_on).await;
        assert!(!answer.text().contains("near"), "{}", answer.text());
    }

    #[tokio::test]
    async fn a_browser_gets_a_page_below_the_path_of_the_route() {
        let server = shown(None).await;
        let answer = browse(&server, "/api/v1/").await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        for (name, media_type) in [("style.css", "text/css"), ("main.js", "text/javascript")] {
            let part = browse(&server, &format!("/api/v1/assets/{name}")).await;
            assert_eq!(part.status, 200);
            assert!(part.header("content-type").unwrap().starts_with(media_type));
            assert!(answer.text().contains(&format!("\"assets/{name}\"")));
        }
        // The page has relative links, so the slash matters.
        let moved = browse(&server, "/api/v1").await;
        assert_eq!((moved.status, moved.header("location")), (308, Some("v1/")));
        for path in [
            "/api/v1/assets/mod.rs",
            "/api/v1/assets/",
            "/api/v1/index.html",
            "/",
        ] {
            assert_eq!(browse(&server, path).await.status, 404, "{path}");
        }
        // A client that does not accept a page is told how to make a call.
        assert_eq!(
            get(&server, "GET", "/api/v1/", "localhost").await.status,
            405
        );
    }

    #[tokio::test]
    async fn with_pages_disabled_nothing_is_shown() {
        let server = shown(Some(false)).await;
        for path in ["/api/v1/openrpc.json", "/api/v1/assets/main.js"] {
            assert_eq!(browse(&server, path).await.status, 404, "{path}");
        }
        assert_eq!(browse(&server, "/api/v1/").await.status, 405);
    }
}

/// The memory for responses holds what is made for one request. What is there once, for all of them,
/// needs none of it.
#[tokio::test]
async fn a_page_that_is_made_for_a_request_needs_memory() {
    let server = TestServer::with(|settings| {
        settings.calls.max_response = 1_000;
        settings.calls.max_batch_response = 1_000;
        settings.max_response_memory = 2_000;
    })
    .await;
    let refused = get(&server, "GET", "/metrics", "localhost").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    for path in ["/healthz", "/openrpc.json", "/assets/main.js"] {
        let answer = get(&server, "GET", path, "localhost").await;
        assert_eq!(answer.status, 200, "{path}");
    }
}
