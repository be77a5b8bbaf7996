//! Tests of calls in both directions over one session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::client::{Client, ErrorKind};
use antiphon::{Context, ErrorCode, ErrorObject, Router, call};
use tokio::task::JoinSet;

/// A router whose methods call their caller.
fn asking() -> Router {
    Router::new()
        .method_fn("twice", twice)
        .method_fn("tell", tell)
        .method_fn("steps", |ctx: Context, n: u32| async move {
            for step in 1..=n {
                ctx.progress(&step).await;
            }
            n
        })
}

async fn twice(ctx: Context, n: u64) -> Result<u64, ErrorObject> {
    let peer = ctx.peer()?;
    let once: u64 = call!(peer.double(n)).await?;
    Ok(call!(peer.double(once)).await?)
}

async fn tell(ctx: Context, text: String) -> Result<(), ErrorObject> {
    Ok(ctx.peer()?.notify("heard", (text,)).await?)
}

#[tokio::test(start_paused = true)]
async fn a_method_calls_its_caller() {
    let server = asking().build().unwrap();
    let here = Router::new().method_fn("double", |n: u64| 2 * n);
    let client = Client::builder("")
        .in_process(&server)
        .router(here)
        .build()
        .unwrap();
    assert_eq!(call!(client.twice(10)).await.ok(), Some(40));
}

/// More calls than may run at a time, and each waits for a response of the peer. The responses must
/// get through (invariant 6 of sessions).
#[tokio::test(start_paused = true)]
async fn two_hundred_methods_call_their_caller_and_all_finish() {
    let server = asking().build().unwrap();
    let here = Router::new().method_fn("double", |n: u64| async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        2 * n
    });
    let client = Client::builder("")
        .in_process(&server)
        .router(here)
        .build()
        .unwrap();
    let mut calls = JoinSet::new();
    for n in 0..200_u64 {
        let client = client.clone();
        calls.spawn(async move { (n, call!(client.twice(n)).await.unwrap()) });
    }
    let mut done = 0;
    while let Some(finished) = calls.join_next().await {
        let (n, result): (u64, u64) = finished.unwrap();
        assert_eq!(result, 4 * n);
        done += 1;
    }
    assert_eq!(done, 200);
}

#[tokio::test(start_paused = true)]
async fn a_notification_and_progress_come_before_the_response() {
    let server = asking().build().unwrap();
    let heard = Arc::new(AtomicUsize::new(0));
    let hear = Arc::clone(&heard);
    let here = Router::new().method_fn("heard", move |text: String| {
        hear.fetch_add(text.len(), Ordering::SeqCst);
    });
    let client = Client::builder("")
        .in_process(&server)
        .router(here)
        .build()
        .unwrap();
    let (): () = call!(client.tell("hello")).await.unwrap();
    assert_eq!(heard.load(Ordering::SeqCst), 5);

    let told = Arc::new(AtomicUsize::new(0));
    let tell = Arc::clone(&told);
    let steps = call!(client.steps(4)).on_progress(move |step: usize| {
        tell.fetch_add(step, Ordering::SeqCst);
    });
    let steps: u32 = steps.await.unwrap();
    assert_eq!((steps, told.load(Ordering::SeqCst)), (4, 10));
}

#[tokio::test(start_paused = true)]
async fn without_a_session_a_method_cannot_call_its_caller() {
    let server = asking().build().unwrap();
    let answer = server
        .handle(r#"{"jsonrpc":"2.0","id":1,"method":"twice","params":[1]}"#)
        .await
        .unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["error"]["code"], ErrorCode::NEEDS_SESSION.0);
}

#[tokio::test(start_paused = true)]
async fn a_call_to_the_caller_fails_like_any_call() {
    let server = asking().build().unwrap();
    // The client has no methods.
    let client = Client::builder("").in_process(&server).build().unwrap();
    let error = call!(client.twice(1)).await.map(|n: u64| n).unwrap_err();
    // The error of the peer is not passed on to the caller. It becomes an incident.
    assert!(matches!(error.kind(), ErrorKind::Refused(e) if e.code() == ErrorCode::INTERNAL_ERROR));
}
