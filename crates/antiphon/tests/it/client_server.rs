//! Tests of the client with the server, over a socket.

use std::time::Duration;

use antiphon::client::{Client, ErrorKind};
use antiphon::{ErrorObject, Router, Server, ServerHandle};
use serde_json::Value;
use tokio::sync::mpsc;

/// A server that stops when it is dropped.
struct Running {
    handle: ServerHandle,
    url: String,
    /// The parameters of all calls of `note`.
    noted: mpsc::UnboundedReceiver<String>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.kill();
    }
}

async fn serve() -> Running {
    let (note, noted) = mpsc::unbounded_channel();
    let calculator = Router::new()
        .method_fn("add", |a: f64, b: f64| a + b)
        .method_fn("divide", |a: i64, b: i64| {
            a.checked_div(b)
                .ok_or_else(|| ErrorObject::new(1, "division by zero"))
        });
    let router = Router::new()
        .nest("calc", calculator)
        .method_fn("echo", |text: String| text)
        .method_fn("never", std::future::pending::<()>)
        .method_fn("note", move |text: String| drop(note.send(text)));
    let listening = Server::new(router)
        .bind("127.0.0.1:0")
        .listen()
        .await
        .unwrap();
    let (handle, url) = (listening.handle(), listening.url());
    tokio::spawn(listening.serve());
    Running { handle, url, noted }
}

#[tokio::test]
async fn calls_notifications_and_batches_reach_the_server() {
    for http2 in [false, true] {
        let mut server = serve().await;
        let builder = Client::builder(&server.url).http2_prior_knowledge(http2);
        let client = builder.build().unwrap();
        let sum: f64 = client.call("calc.add", (3, 4)).await.unwrap();
        assert_eq!(sum, 7.0);
        let text = "ü".repeat(1_000_000);
        assert_eq!(client.call::<String>("echo", (&text,)).await.unwrap(), text);
        let calc = client.namespace("calc");
        let error = calc.call::<i64>("divide", (1, 0)).await.unwrap_err();
        assert_eq!(error.code().unwrap().0, 1);
        assert_eq!(error.status().unwrap(), 200);

        client.notify("note", ("done",)).await.unwrap();
        assert_eq!(server.noted.recv().await.unwrap(), "done");

        let mut batch = calc.batch();
        let sums: Vec<_> = (0..50).map(|n| batch.call::<f64>("add", (n, 1))).collect();
        let mut responses = batch.send().await.unwrap();
        for (n, sum) in (1..).zip(sums) {
            assert_eq!(responses.take(sum).unwrap(), f64::from(n));
        }
        // The client may open a second HTTP/1 connection before the first one is free again.
        assert!(server.handle.accepted() == 1 || !http2);
    }
}

#[tokio::test]
async fn refusals_of_the_server_are_reported_as_such() {
    let server = serve().await;
    let elsewhere = Client::connect(format!("{}/elsewhere", server.url)).unwrap();
    let error = elsewhere.call::<Value>("echo", ("x",)).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Rejected { status, text } if status == 404 && !text.is_empty())
    );

    let other_type = Client::builder(&server.url).header("content-type", "text/plain");
    let error = other_type
        .build()
        .unwrap()
        .notify("note", ("x",))
        .await
        .unwrap_err();
    assert_eq!(error.status().unwrap(), 415);

    let client = Client::connect(&server.url).unwrap();
    let mut long = client.batch();
    let tickets: Vec<_> = (0..101)
        .map(|_| long.call::<Value>("echo", ("x",)))
        .collect();
    let mut responses = long.send().await.unwrap();
    for ticket in tickets {
        assert_eq!(
            responses.take(ticket).unwrap_err().code().unwrap().0,
            -32600
        );
    }

    let large = "x".repeat(11 * 1024 * 1024);
    let error = client.call::<Value>("echo", (large,)).await.unwrap_err();
    // The server may close the connection before the client has read the error.
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Rejected { .. } | ErrorKind::Unknown
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_call_that_takes_too_long_times_out_on_either_side() {
    let server = serve().await;
    let client = Client::connect(&server.url).unwrap();
    let call = client
        .call::<()>("never", ())
        .timeout(Duration::from_millis(20));
    let error = call.await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    // The next call uses this connection, or a new one.
    assert_eq!(client.call::<f64>("calc.add", (1, 1)).await.unwrap(), 2.0);
}

/// No counter of an HTTP/1 connection runs out on a long-lived connection.
#[tokio::test]
async fn a_connection_has_no_limit_of_calls() {
    let server = Router::new().method_fn("add", |a: i64, b: i64| a + b);
    let listening = Server::new(server)
        .bind("127.0.0.1:0")
        .listen()
        .await
        .unwrap();
    let url = listening.url();
    let handle = listening.handle();
    let serving = tokio::spawn(listening.serve());
    let client = Client::connect(url).unwrap();
    for n in 0..2_000_i64 {
        let sum: i64 = client.call("add", (n, 1)).await.unwrap();
        assert_eq!(sum, n + 1);
    }
    assert_eq!(handle.accepted(), 1);
    handle.stop();
    serving.await.unwrap().unwrap();
}
