//! Valid and invalid WebSocket frames from a server, made with the package `ws`, to our client.

use antiphon::client::{Client, ErrorKind};
use serde_json::{Value, json};

use crate::node::{self, Program};
use crate::soon;

async fn started() -> (Program, String) {
    let mut program = node::start("web_socket_server.mjs", &[]).await;
    let port = program.hear("port").await;
    (program, format!("ws://127.0.0.1:{port}"))
}

fn client(url: &str, path: &str) -> Client {
    let client = Client::builder(format!("{url}{path}")).header("X-Token", "7");
    client.build().unwrap()
}

#[tokio::test]
async fn the_handshake_offers_the_subprotocol_and_no_extension() {
    let (mut program, url) = started().await;
    let client = client(&url, "/text");
    assert_eq!(client.call::<Value>("m", (1,)).await.unwrap(), json!([1]));
    assert_eq!(
        program.hear("handshake").await,
        json!({"protocol": "jsonrpc", "token": "7"})
    );
    drop(client);
    assert_eq!(program.hear("closed").await, json!(1000));
}

#[tokio::test]
async fn frames_in_good_order() {
    let (mut program, url) = started().await;
    for path in ["/text", "/binary", "/fragments", "/strangers"] {
        let client = client(&url, path);
        for n in 0..10 {
            let answer = soon(client.call::<Value>("m", (n,)).into_future()).await;
            assert_eq!(answer.unwrap(), json!([n]), "{path}");
        }
        client.notify("m", (1,)).await.unwrap();
        program.hear("handshake").await;
        drop(client);
        assert_eq!(program.hear("closed").await, json!(1000), "{path}");
    }
}

/// The waiting call fails, the server gets the close code, and later calls are not sent.
#[tokio::test]
async fn what_ends_a_connection() {
    let (mut program, url) = started().await;
    for (path, code) in [
        ("/masked", 1002),
        ("/bad_text", 1007),
        ("/reserved", 1002),
        ("/continuation", 1002),
        ("/huge", 1009),
        ("/close", 1008),
        ("/cut", 1006),
    ] {
        let client = client(&url, path);
        let error = soon(client.call::<Value>("m", (1,)).into_future()).await;
        let error = error.unwrap_err();
        assert!(
            error.is_closed() && matches!(error.kind(), ErrorKind::Unknown),
            "{path}: {error}"
        );
        program.hear("handshake").await;
        assert_eq!(program.hear("closed").await, json!(code), "{path}");
        let error = soon(client.call::<Value>("m", (1,)).into_future()).await;
        let error = error.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::NotSent),
            "{path}: {error}"
        );
    }
}

#[tokio::test]
async fn a_refusal_says_what_the_server_said() {
    let (_program, url) = started().await;
    let client = client(&url, "/refused");
    let error = soon(client.call::<Value>("m", ()).into_future()).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Rejected { .. }),
        "{error}"
    );
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        said = format!("{said}: {next}");
        cause = next.source();
    }
    assert!(said.contains("401") && said.contains("Who is it"), "{said}");
}
