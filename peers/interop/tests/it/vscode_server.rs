//! Calls between our client and a server based on `vscode-jsonrpc`, in both directions.

use std::future::pending;
use std::time::Duration;

use antiphon::client::{Client, ErrorKind};
use antiphon::{ErrorCode, Params, Router, call};
use interop::Seen;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::node::{self, Program};
use crate::soon;

/// Our end of a connection, with what the server sends to it.
pub(crate) struct End {
    pub(crate) client: Client,
    pub(crate) heard: UnboundedReceiver<u32>,
    pub(crate) seen: Seen,
}

/// Connects a client that offers the methods that the server calls.
pub(crate) fn connect(url: &str) -> End {
    let (sender, heard) = unbounded_channel();
    let seen = Seen::default();
    let held = seen.clone();
    let here = Router::new()
        .method_fn("double", |n: u64| 2 * n)
        .method_fn("heard", move |n: u32| {
            // A test that ignores notifications has dropped the receiver.
            let _ = sender.send(n);
        })
        .method_fn("hold", move || {
            held.begun.add();
            let gone = held.gone.guard();
            async move {
                pending::<()>().await;
                drop(gone);
            }
        });
    let client = Client::builder(url).router(here);
    End {
        client: client.build().unwrap(),
        heard,
        seen,
    }
}

async fn started() -> (Program, End) {
    let mut program = node::start("server.mjs", &[]).await;
    let port = program.hear("port").await;
    let end = connect(&format!("tcp://127.0.0.1:{port}?framing=content-length"));
    (program, end)
}

#[tokio::test]
async fn calls_and_errors() {
    let (_program, End { client, .. }) = started().await;
    calls(&client).await;
}

pub(crate) async fn calls(client: &Client) {
    assert_eq!(call!(client.add(3, 7)).await.ok(), Some(10));
    let named = Params::none().insert("subtrahend", 3).insert("minuend", 7);
    assert_eq!(client.call("subtract", named).await.ok(), Some(4));
    let text = "ü\u{2028}\u{1f600}\n".repeat(100_000);
    assert_eq!(call!(client.echo(&text)).await.ok(), Some(text));
    assert_eq!(call!(client.nothing()).await.ok(), Some(()));

    let error = client.call::<Value>("refuse", ()).await.unwrap_err();
    match error.kind() {
        ErrorKind::Refused(error) => {
            assert_eq!((error.code().0, error.message()), (7, "no"));
            assert_eq!(error.data_as(), Some(json!({"why": "because"})));
        }
        _ => panic!("{error}"),
    }
    let error = client.call::<Value>("fail", ()).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::INTERNAL_ERROR), "{error}");
    let error = client.call::<Value>("none", ()).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::METHOD_NOT_FOUND), "{error}");
    let calls: Vec<_> = (0..200_u32)
        .map(|n| tokio::spawn(call!(client.add(n, 1)).into_future()))
        .collect();
    for (n, call) in (1..).zip(calls) {
        let sum: u32 = soon(call).await.unwrap().unwrap();
        assert_eq!(sum, n);
    }
}

#[tokio::test]
async fn notifications_arrive_in_their_order() {
    let (mut program, End { client, .. }) = started().await;
    for n in 0..50 {
        client.notify("note", (n.to_string(),)).await.unwrap();
    }
    for n in 0..50 {
        assert_eq!(program.hear("note").await, json!(n.to_string()));
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_there() {
    let (mut program, End { client, .. }) = started().await;
    let waiting = tokio::spawn(client.call::<Value>("wait", ()).into_future());
    program.hear("waiting").await;
    waiting.abort();
    program.hear("cancelled").await;
    // A call that times out is cancelled as well. Its response arrives later and is ignored.
    let late = client
        .call::<Value>("wait", ())
        .timeout(Duration::from_millis(50));
    let error = late.await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    program.hear("waiting").await;
    program.hear("cancelled").await;
    assert_eq!(call!(client.add(3, 7)).await.ok(), Some(10));
}

#[tokio::test]
async fn progress_comes_under_the_id_of_the_call() {
    let (_program, End { client, .. }) = started().await;
    progress(&client).await;
}

pub(crate) async fn progress(client: &Client) {
    let (sender, mut steps) = unbounded_channel();
    let call = client.call::<u32>("steps", ("work 1", 3)).id("work 1");
    let call = call.on_progress(move |step: u32| sender.send(step).unwrap());
    assert_eq!(call.await.unwrap(), 3);
    let mut told = Vec::new();
    while let Some(step) = soon(steps.recv()).await {
        told.push(step);
    }
    assert_eq!(told, [1, 2, 3]);
}

#[tokio::test]
async fn it_calls_back_cancels_and_notifies() {
    let (_program, end) = started().await;
    both_ways(end).await;
}

pub(crate) async fn both_ways(end: End) {
    let End {
        client,
        mut heard,
        seen,
    } = end;
    assert_eq!(call!(client.ask(21)).await.ok(), Some(42));
    let asking: Vec<_> = (0..300_u64)
        .map(|n| tokio::spawn(call!(client.ask(n)).into_future()))
        .collect();
    for (n, asked) in (0..).zip(asking) {
        let asked: u64 = soon(asked).await.unwrap().unwrap();
        assert_eq!(asked, 2 * n);
    }
    let missing: Value = client.call("ask_for", ("missing",)).await.unwrap();
    assert_eq!(
        missing,
        json!({"code": -32601, "message": "Method not found"})
    );
    assert_eq!(call!(client.ask_in_vain()).await.ok(), Some(-32800));
    seen.gone.reach(1).await;
    assert_eq!(seen.begun.get(), 1);
    assert_eq!(call!(client.tell_all(100)).await.ok(), Some(100));
    for n in 1..=100 {
        assert_eq!(soon(heard.recv()).await, Some(n));
    }
}

/// The server does not support batches, and sends no response.
#[tokio::test]
async fn a_batch_is_not_answered() {
    let (_program, End { client, .. }) = started().await;
    let mut batch = client.batch().timeout(Duration::from_millis(100));
    let sum = batch.call::<u32>("add", (3, 7));
    match batch.send().await {
        Err(error) => assert!(error.is_timeout(), "{error}"),
        Ok(mut answers) => panic!("{:?}", answers.take(sum)),
    }
    assert_eq!(call!(client.add(3, 7)).await.ok(), Some(10));
}

#[tokio::test]
async fn a_server_that_leaves_is_noticed() {
    let (_program, End { client, .. }) = started().await;
    let left = soon(client.call::<Value>("leave", ()).into_future()).await;
    let error = left.unwrap_err();
    assert!(
        error.is_closed() && matches!(error.kind(), ErrorKind::Unknown),
        "{error}"
    );
}
