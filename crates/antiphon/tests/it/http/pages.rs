//! What is answered to GET.

use crate::support::call;
use crate::support::site::Site;
use crate::support::wire::{Answer, post};

async fn get(site: &Site, method: &str, path: &str, host: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    site.connect().await.ask(request).await
}

#[tokio::test]
async fn whether_it_is_well_is_told_to_everybody() {
    let site = Site::new().await;
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        for host in ["localhost", "10.1.2.3", "pod-7.cluster.example"] {
            let answer = get(&site, "GET", path, host).await;
            assert_eq!((answer.status, answer.text()), (200, text), "{host}");
        }
        // There is nothing else to be had there.
        assert_eq!(get(&site, "DELETE", path, "localhost").await.status, 404);
    }
    // While it stops it is still well, and not ready for more.
    let mut held = site.connect().await;
    let mut asked = site.connect().await;
    let mut well = site.connect().await;
    held.send(post("", &call("1", "hold", "[]"))).await;
    site.log.held.reach(1).await;
    site.handle.stop();
    let ready = asked
        .ask("GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!((ready.status, ready.text()), (503, "stopping\n"));
    let healthy = well
        .ask("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert_eq!(healthy.status, 200);
    site.handle.kill();
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn what_was_counted_is_a_text_for_prometheus() {
    use antiphon::{Router, Server};

    use crate::support::site::{Log, router};

    let log = Log::default();
    let server = Server::builder()
        .route("/", router(&log))
        .route("/two", Router::default().method_fn("two", || 2));
    let site = Site::of(server, log).await;
    for _ in 0..20 {
        site.connect().await.call("1", "echo", "[\"x\"]").await;
    }
    site.connect().await.call("1", "no.such.method", "[]").await;
    site.connect().await.call("1", "echo", "[1,2,3]").await;
    site.connect().await.call("1", "sleep", "[20]").await;
    for path in ["/metrics", "/two/metrics"] {
        let answer = get(&site, "GET", path, "localhost").await;
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
    let mut wire = site.connect().await;
    wire.send("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    let head = String::from_utf8(wire.rest().await).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn strangers_are_shown_nothing_unless_it_was_meant() {
    let public = Site::with(|settings| {
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
    let meant = Site::with(|settings| {
        settings.allow_host = vec!["api.example".into()];
        settings.allow_unauthenticated_public = true;
        settings.metrics = Some(true);
    })
    .await;
    let status = if cfg!(feature = "metrics") { 200 } else { 404 };
    assert_eq!(
        get(&meant, "GET", "/metrics", "api.example").await.status,
        status
    );
    // The guard stands in front of it.
    assert_eq!(
        get(&meant, "GET", "/metrics", "evil.example").await.status,
        403
    );
    let private = Site::with(|settings| settings.metrics = Some(false)).await;
    assert_eq!(
        get(&private, "GET", "/metrics", "localhost").await.status,
        404
    );
}
