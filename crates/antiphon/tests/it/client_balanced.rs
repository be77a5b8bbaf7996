//! Tests of a client of several servers: HTTP statuses, the whole interface, and what is refused.

use std::net::TcpListener;
use std::time::Duration;

use antiphon::client::{Balanced, Client, ClientBuilder, ErrorKind};
use antiphon::{Router, Server, blocking, call};

use crate::client_support::{json, scripted};
use crate::support::test_server::{Log, TestServer};

/// An address on which nobody listens.
fn nowhere(scheme: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("{scheme}://{}", listener.local_addr().unwrap())
}

/// An upstream that answers every request with this status; 200 with a result.
fn answers(status: u16, name: &'static str) -> ClientBuilder {
    let (builder, _) = scripted(move |request| match status {
        200 => request.answer(&format!("\"{name}\"")),
        status => json(status, "no"),
    });
    builder
}

/// An upstream that refuses every request, as a server of Antiphon does.
fn refuses() -> ClientBuilder {
    let (builder, _) = scripted(|_| {
        let mut response = json(503, "no");
        let nothing = http::HeaderValue::from_static("false");
        response.headers_mut().insert("rpc-may-have-run", nothing);
        response
    });
    builder
}

/// An upstream that answers with an error that says so, and status 200.
fn is_busy() -> ClientBuilder {
    let (builder, _) = scripted(|request| {
        let error = r#"{"code":-32000,"message":"busy","data":{"mayHaveRun":false}}"#;
        json(
            200,
            format!(
                r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#,
                request.json()["id"]
            ),
        )
    });
    builder
}

#[tokio::test]
async fn what_has_not_run_goes_elsewhere_however_that_is_said() {
    for (what, first) in [("503", refuses()), ("an error", is_busy())] {
        let client = Balanced::of([first, answers(200, "b")]).build().unwrap();
        let name = client.call::<String>("name", ()).await;
        assert_eq!(name.unwrap(), "b", "{what}");
    }
    // What is an answer is one, whatever its status.
    let (first, _) = scripted(|request| {
        let mut response = request.answer("\"a\"");
        *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
        response
    });
    let client = Balanced::of([first, answers(200, "b")]).build().unwrap();
    assert_eq!(client.call::<String>("name", ()).await.unwrap(), "a");
}

#[tokio::test]
async fn an_http_status_says_whether_a_call_may_go_elsewhere() {
    for (status, idempotent, expected) in [
        (200, false, "a"),
        (503, false, "unknown"),
        (503, true, "b"),
        (502, false, "unknown"),
        (502, true, "b"),
        (504, true, "b"),
        (500, true, "unknown"),
        (401, true, "rejected 401"),
        (404, false, "rejected 404"),
        (429, true, "rejected 429"),
    ] {
        let client = Balanced::of([answers(status, "a"), answers(200, "b")])
            .build()
            .unwrap();
        let call = client.call::<String>("name", ());
        let call = if idempotent { call.idempotent() } else { call };
        let outcome = match call.await {
            Ok(name) => name,
            Err(error) => match error.kind() {
                ErrorKind::Unknown => "unknown".to_owned(),
                ErrorKind::Rejected { status, .. } => format!("rejected {}", status.as_u16()),
                kind => panic!("{status} {idempotent}: {kind:?}"),
            },
        };
        assert_eq!(outcome, expected, "{status} {idempotent}");
    }
}

#[tokio::test]
async fn if_every_upstream_refuses_the_last_refusal_is_the_outcome() {
    let client = Balanced::of([refuses(), refuses()]).build().unwrap();
    let error = client.call::<String>("name", ()).await.unwrap_err();
    let kind = error.kind();
    assert!(
        matches!(kind, ErrorKind::Rejected { status, .. } if status == 503),
        "{kind:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_balanced_is_refused_at_the_start() {
    let client = || Client::connect("tcp://127.0.0.1:9").unwrap();
    let none: [&str; 0] = [];
    let nested = Client::balanced([client()]).unwrap();
    for (what, built) in [
        ("no upstream", Client::balanced(none)),
        ("a bad address", Client::balanced(["nonsense://x"])),
        (
            "another namespace",
            Client::balanced([client().namespace("a"), client()]),
        ),
        ("a balanced one", Client::balanced([nested])),
        ("too many", Client::balanced(vec!["tcp://127.0.0.1:9"; 257])),
    ] {
        let error = built.expect_err(what);
        assert!(matches!(error.kind(), ErrorKind::Local), "{what}: {error}");
    }
}

#[tokio::test]
async fn the_whole_client_works_on_several_upstreams() {
    for scheme in ["http", "ws"] {
        let log = Log::default();
        let router = Router::new().nest("calc", crate::support::test_server::router(&log));
        let server = TestServer::of(Server::new(router), log.clone()).await;
        let url = format!("{scheme}://{}", server.address);
        let upstreams = [nowhere(scheme), url.clone(), url];
        let client = Balanced::of(upstreams)
            .max_pause(Duration::from_secs(3600))
            .build()
            .unwrap();
        client.ready().await.unwrap();
        let calc = client.namespace("calc");
        for _ in 0..5 {
            let sum: i64 = call!(client.calc.add(3, 4)).await.unwrap();
            assert_eq!(sum, 7, "{scheme}");
        }
        let mut batch = calc.batch();
        let ticket = batch.call::<i64>("add", (1, 2));
        batch.notify("count", ());
        assert_eq!(
            batch.send().await.unwrap().take(ticket).unwrap(),
            3,
            "{scheme}"
        );
        calc.notify("count", ()).await.unwrap();
        log.counted.reach(2).await;
        let full = calc.call_full::<String>("echo", ("x",)).await.unwrap();
        assert_eq!(full.result.unwrap(), "x", "{scheme}");
        let up: Vec<_> = client
            .upstreams()
            .iter()
            .map(|upstream| upstream.is_up)
            .collect();
        assert_eq!(up, [false, true, true], "{scheme}");
    }
}

#[tokio::test]
async fn subscriptions_over_http_need_a_session() {
    let client = Client::balanced([nowhere("http")]).unwrap();
    let error = client.subscribe::<u64>("numbers", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Local), "{error}");
    assert!(client.upstreams()[0].is_up, "nobody asked it");
}

#[test]
fn a_blocking_client_balances_as_well() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(TestServer::new());
    let upstreams = [nowhere("ws"), format!("ws://{}", server.address)];
    let client = blocking::Client::balanced(upstreams).unwrap();
    for _ in 0..3 {
        assert_eq!(client.call::<i64>("add", (3, 4)).unwrap(), 7);
    }
    let up: Vec<_> = client
        .as_async()
        .upstreams()
        .iter()
        .map(|one| one.is_up)
        .collect();
    assert_eq!(up, [false, true]);
    runtime.block_on(async { drop(server) });
}
