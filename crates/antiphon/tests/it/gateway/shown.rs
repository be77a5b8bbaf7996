//! What a gateway shows of its upstreams: health, metrics, a listing.

use std::time::Duration;

use antiphon::client::{Balanced, Client, Remote};
use antiphon::{Gateway, Topic};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Serving, client, methods, serve};
use crate::support::counter::Counter;
use crate::support::test_server::TestServer;

/// The status and the text of a page.
async fn page(server: &TestServer, path: &str) -> (u16, String) {
    let mut http1 = server.connect().await;
    let answer = http1
        .ask(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
        .await;
    (answer.status, answer.text().to_owned())
}

/// Waits until the health page says this.
async fn until_ready(server: &TestServer, status: u16, text: &str) {
    let began = Instant::now();
    loop {
        let found = page(server, "/readyz").await;
        if found == (status, text.to_owned()) {
            return;
        }
        assert!(
            began.elapsed() < super::LIMIT,
            "{found:?}, not {status} {text}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn health_metrics_and_a_listing_tell_which_servers_are_up() {
    let topic = Topic::builder("prices").build();
    let serving = || Serving::of(methods("a", &Counter::default(), &topic), "127.0.0.1:0");
    let (first, second, third) = (serving().await, serving().await, serving().await);
    let two = Balanced::of([first.at("ws"), second.at("ws")])
        .build()
        .unwrap();
    let one = Client::connect(third.at("http")).unwrap();
    let often = Duration::from_millis(50);
    let gateway = Gateway::new()
        .upstream(Remote::of(two).check(often))
        .upstream_at(
            "far",
            Remote::of(one)
                .check(often)
                .read_only("name")
                .cache("*", super::LIMIT),
        );
    let server = serve(gateway).await;
    until_ready(&server, 200, "ready\nfar: 1 of 1 up\nupstream: 2 of 2 up\n").await;
    let client = client(&server);
    for _ in 0..3 {
        client.call::<String>("far.name", ()).await.unwrap();
        client.call::<String>("name", ()).await.unwrap();
    }
    let (_, metrics) = page(&server, "/metrics").await;
    for line in [
        r#"antiphon_upstream_up{upstream="upstream",server="1"} 1"#,
        r#"antiphon_upstream_cached_total{upstream="far"} 2"#,
        r#"antiphon_upstream_shared_total{upstream="far"} 0"#,
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        );
    }
    let ports = [&first, &second, &third].map(|one| one.at("x"));
    assert!(
        ports
            .iter()
            .all(|port| !metrics.contains(&port["x://".len()..]))
    );
    // Nobody calls: checks find out.
    first.handle.abort();
    until_ready(&server, 200, "ready\nfar: 1 of 1 up\nupstream: 1 of 2 up\n").await;
    let listed: Value = client.call("upstreams_list", ()).await.unwrap();
    let up: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["isUp"] == true)
        .collect();
    assert_eq!(up, [true, false, true], "{listed}");
    assert!(listed[1]["address"].as_str().unwrap().contains("127.0.0.1"));
    second.handle.abort();
    until_ready(&server, 200, "ready\nfar: 1 of 1 up\nupstream: 0 of 2 up\n").await;
    third.handle.abort();
    until_ready(
        &server,
        503,
        "no upstream\nfar: 0 of 1 up\nupstream: 0 of 2 up\n",
    )
    .await;
    let (status, _) = page(&server, "/healthz").await;
    assert_eq!(status, 200, "the gateway itself is well");
    // One that is back is seen without a call.
    let bind = first.at("http").replace("http://", "");
    let _back = Serving::of(methods("a", &Counter::default(), &topic), &bind).await;
    until_ready(&server, 200, "ready\nfar: 0 of 1 up\nupstream: 1 of 2 up\n").await;
}
