//! Tests of subscriptions over a session.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon::client::{Client, StreamError};
use antiphon::{ErrorObject, Method, Overflow, Router};
use futures_core::Stream;
use tokio::time::{Interval, interval, sleep};

use crate::support::counter::Counter;

/// A stream that counts from 1, one number each `pause`.
struct Count {
    next: u64,
    last: u64,
    ticks: Option<Interval>,
    _alive: Option<Box<dyn Send + Sync>>,
}

impl Count {
    fn to(last: u64) -> Self {
        Self {
            next: 1,
            last,
            ticks: None,
            _alive: None,
        }
    }

    fn every(mut self, pause: Duration) -> Self {
        self.ticks = Some(interval(pause));
        self
    }
}

impl Stream for Count {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        if let Some(ticks) = &mut self.ticks
            && ticks.poll_tick(cx).is_pending()
        {
            return Poll::Pending;
        }
        if self.next > self.last {
            return Poll::Ready(None);
        }
        self.next += 1;
        Poll::Ready(Some(self.next - 1))
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_arrives_completely_and_ends() {
    let server = Router::new().method_fn("count", Count::to).build().unwrap();
    let client = Client::builder("").in_process(&server).build().unwrap();
    let mut numbers = client.subscribe::<u64>("count", (5,)).await.unwrap();
    for expected in 1..=5 {
        assert_eq!(numbers.next().await.unwrap().unwrap(), expected);
    }
    assert!(numbers.next().await.is_none());
    assert!(numbers.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn dropping_a_subscription_ends_the_stream_at_the_server() {
    let dropped = Counter::default();
    let alive = dropped.clone();
    let server = Router::new()
        .method_fn("count", move |last: u64| Count {
            _alive: Some(Box::new(alive.guard())),
            ..Count::to(last).every(Duration::from_millis(10))
        })
        .build()
        .unwrap();
    let client = Client::builder("").in_process(&server).build().unwrap();
    let mut numbers = client
        .subscribe::<u64>("count", (1_000_000,))
        .await
        .unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
    assert_eq!(dropped.get(), 0);
    drop(numbers);
    dropped.reach(1).await;
}

#[tokio::test(start_paused = true)]
async fn an_error_ends_a_stream() {
    let failing = |_: u64| {
        let mut left = 2;
        Failing(move || {
            left -= 1;
            match left {
                1 => Ok(7_u64),
                _ => Err(ErrorObject::new(9, "no more")),
            }
        })
    };
    let server = Router::new().method_fn("fail", failing).build().unwrap();
    let client = Client::builder("").in_process(&server).build().unwrap();
    let mut numbers = client.subscribe::<u64>("fail", (1,)).await.unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap(), 7);
    match numbers.next().await {
        Some(Err(StreamError::Failed(error))) => assert_eq!(error.code().0, 9),
        other => panic!("{other:?}"),
    }
    assert!(numbers.next().await.is_none());
}

struct Failing<F>(F);

impl<F: FnMut() -> Result<u64, ErrorObject> + Unpin> Stream for Failing<F> {
    type Item = Result<u64, ErrorObject>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some((self.0)()))
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_items_are_reported() {
    let dropping = Method::function("count", Count::to).overflow(Overflow::LatestOnly);
    let server = Router::new().method(dropping).build().unwrap();
    let client = Client::builder("").in_process(&server).build().unwrap();
    let numbers = client.subscribe::<u64>("count", (100_000,)).buffer(4);
    let mut numbers = numbers.await.unwrap();
    sleep(Duration::from_millis(10)).await;
    let (mut seen, mut missed, mut lagged) = (0, 0, false);
    while let Some(next) = numbers.next().await {
        match next {
            Ok(n) => {
                seen += 1;
                assert_eq!(n, seen + missed);
            }
            Err(StreamError::Gap { missed: more }) => missed += more,
            Err(StreamError::Lagged) => lagged = true,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(lagged || seen + missed == 100_000, "{seen} {missed}");
}
