//! Tests of subscriptions over a session.

use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon::client::{Client, StreamError};
use antiphon::{ErrorObject, Method, Overflow, Router};
use futures_core::Stream;
use futures_util::stream::unfold;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::{Interval, interval, sleep, timeout};

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
            Err(StreamError::Gap { missed: Some(more) }) => missed += more,
            Err(StreamError::Lagged) => lagged = true,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(lagged || seen + missed == 100_000, "{seen} {missed}");
}

/// A stream that says so when it is dropped.
struct Farewell(UnboundedSender<u64>);

impl Stream for Farewell {
    type Item = u64;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        Poll::Pending
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        let _ = self.0.send(7);
    }
}

/// Both belong to one session, and the one is dropped while the other is woken.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_may_wake_another_one_of_its_session() {
    let (sender, receiver) = unbounded_channel();
    let receiver = Mutex::new(Some(receiver));
    let server = Router::new()
        .method_fn("leave", move || Farewell(sender.clone()))
        .method_fn("listen", move || {
            let receiver = receiver.lock().unwrap().take();
            unfold(receiver, |mut receiver| async move {
                let item: u64 = receiver.as_mut()?.recv().await?;
                Some((item, receiver))
            })
        })
        .build()
        .unwrap();
    let client = Client::builder("").in_process(&server).build().unwrap();
    let leaves = client.subscribe::<u64>("leave", ()).await.unwrap();
    let mut listens = client.subscribe::<u64>("listen", ()).await.unwrap();
    drop(leaves);
    let heard = timeout(Duration::from_secs(5), listens.next()).await;
    assert_eq!(heard.unwrap().unwrap().unwrap(), 7);
}

/// The loop of the session polls it, and has to read, to answer and to write as well.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_always_ready_leaves_time_for_calls() {
    for overflow in [Overflow::Block, Overflow::LatestOnly, Overflow::DropOldest] {
        let endless = Method::function("count", || Count::to(u64::MAX)).overflow(overflow);
        let server = Router::new()
            .method(endless)
            .method_fn("add", |a: u64, b: u64| a + b)
            .build()
            .unwrap();
        let client = Client::builder("").in_process(&server).build().unwrap();
        let mut numbers = client.subscribe::<u64>("count", ()).await.unwrap();
        assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
        for n in 0..20 {
            let sum: u64 = client.call("add", (n, 1)).await.unwrap();
            assert_eq!(sum, n + 1);
        }
    }
}
