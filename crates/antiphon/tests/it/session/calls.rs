//! Tests of calls over a session: success, cancellation, deadlines, duplicate ids.

use std::future::pending;
use std::time::Duration;

use antiphon::client::{Client, ErrorKind};
use antiphon::{ErrorCode, Router, call};
use tokio::time::{Instant, sleep, timeout};

use crate::support::counter::Counter;

fn router(dropped: &Counter) -> Router {
    let dropped = dropped.clone();
    Router::new()
        .method_fn("add", |a: i64, b: i64| a + b)
        .method_fn("sleep", |ms: u64| async move {
            sleep(Duration::from_millis(ms)).await;
            ms
        })
        .method_fn("boom", || -> i64 { panic!("S3CR3T") })
        .method_fn("hold", move || {
            let guard = dropped.guard();
            async move {
                pending::<()>().await;
                drop(guard);
            }
        })
}

#[tokio::test(start_paused = true)]
async fn calls_and_batches_work() {
    let dropped = Counter::default();
    let client = Client::in_process(router(&dropped)).unwrap();
    assert_eq!(call!(client.add(3, 4)).await.ok(), Some(7_i64));

    let mut batch = client.batch();
    let slow = batch.call::<u64>("sleep", (20,));
    let sum = batch.call::<i64>("add", (1, 2));
    let boom = batch.call::<i64>("boom", ());
    batch.notify("add", (1, 1));
    let mut responses = batch.send().await.unwrap();
    assert_eq!(responses.take(sum).ok(), Some(3));
    assert_eq!(responses.take(slow).ok(), Some(20));
    let error = responses.take(boom).unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::INTERNAL_ERROR));
    assert!(!error.to_string().contains("S3CR3T"));
    client.notify("add", (1, 2)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_is_cancelled_at_the_server() {
    let dropped = Counter::default();
    let server = router(&dropped).build().unwrap();
    let client = Client::builder("").in_process(&server).build().unwrap();
    let call = call!(client.hold()).timeout(None).into_future();
    assert!(
        timeout(Duration::from_millis(50), call)
            .await
            .map(|r: Result<(), _>| r)
            .is_err()
    );
    dropped.reach(1).await;
    assert_eq!(server.in_flight(), 0);
    // The connection can still be used.
    assert_eq!(call!(client.add(3, 4)).await.ok(), Some(7_i64));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_the_call_on_both_sides() {
    let dropped = Counter::default();
    let server = router(&dropped).build().unwrap();
    let client = Client::builder("").in_process(&server).build().unwrap();
    let started = Instant::now();
    let error = call!(client.hold())
        .timeout(Duration::from_millis(100))
        .await;
    let error = error.map(|(): ()| ()).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(started.elapsed(), Duration::from_millis(100));
    dropped.reach(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_id_in_use_is_refused_by_the_client() {
    let dropped = Counter::default();
    let client = Client::in_process(router(&dropped)).unwrap();
    let first = tokio::spawn(call!(client.sleep(50)).id(7).into_future());
    sleep(Duration::from_millis(10)).await;
    let error = call!(client.sleep(50))
        .id(7)
        .await
        .map(|n: u64| n)
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Local), "{error}");
    let first: Result<u64, _> = first.await.unwrap();
    assert_eq!(first.ok(), Some(50));
}
