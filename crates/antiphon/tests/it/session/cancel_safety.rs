//! Tests of cancel safety: every future of a client may be dropped at any await.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon::client::{Client, ClientBuilder};
use antiphon::{Router, SessionLimits, call};
use futures_core::Stream;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::raw::SessionServer;
use crate::support::counter::{Counter, Guard};

/// Time limit after which a test counts as hung.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Limit of concurrent calls, less than the number of dropped futures. So a leaked permit shows.
const MAX_CALLS: usize = 4;

/// Pseudo-random numbers (xorshift), the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Counters of the calls and streams that have begun and ended at the server.
#[derive(Clone, Default)]
struct MethodCounters {
    begun: Counter,
    over: Counter,
}

impl MethodCounters {
    fn begin(&self) -> Guard {
        self.begun.add();
        self.over.guard()
    }

    /// Waits until everything that has begun has ended.
    async fn settled(&self, name: &str) {
        for _ in 0..4_000 {
            if self.begun.get() == self.over.get() {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!(
            "{name}: {} of {} are over",
            self.over.get(),
            self.begun.get()
        );
    }
}

/// A stream of some numbers that then stays pending.
struct Numbers(u64, u64, #[allow(dead_code)] Guard); // kept, not looked at

impl Stream for Numbers {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u64>> {
        if self.0 == self.1 {
            return Poll::Pending;
        }
        self.0 += 1;
        Poll::Ready(Some(self.0))
    }
}

fn router(seen: &MethodCounters) -> Router {
    let (holds, sleeps, streams) = (seen.clone(), seen.clone(), seen.clone());
    Router::new()
        .method_fn("add", |a: i64, b: i64| a + b)
        .method_fn("hold", move || {
            let guard = holds.begin();
            async move {
                std::future::pending::<()>().await;
                drop(guard);
            }
        })
        .method_fn("sleep", move |ms: u64| {
            let guard = sleeps.begin();
            async move {
                sleep(Duration::from_millis(ms)).await;
                drop(guard);
                ms
            }
        })
        .method_fn("numbers", move |last: u64| {
            Numbers(0, last, streams.begin())
        })
}

fn limited(builder: ClientBuilder) -> Client {
    let mut limits = SessionLimits::default();
    limits.max_calls = MAX_CALLS;
    builder.session_limits(limits).build().unwrap()
}

/// Polls a future at most this many times, and then drops it.
async fn partly<F: Future>(future: F, polls: u64, random: &mut Random) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        // Other tasks make a random amount of progress.
        for _ in 0..random.below(4) {
            yield_now().await;
        }
        if random.below(8) == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    None
}

/// Runs a future of the kind with this number.
async fn step(client: &Client, kind: u64, polls: u64, random: &mut Random) {
    match kind {
        0 => {
            let sum = partly(call!(client.add(3, 4)).into_future(), polls, random).await;
            assert!(sum.is_none_or(|sum: Result<i64, _>| sum.unwrap() == 7));
        }
        1 => {
            let held = call!(client.hold()).into_future();
            let held: Option<Result<(), _>> = partly(held, polls, random).await;
            assert!(held.is_none());
        }
        2 => {
            let slept = call!(client.sleep(1)).into_future();
            let slept = partly(slept, polls, random).await;
            assert!(slept.is_none_or(|slept: Result<u64, _>| slept.unwrap() == 1));
        }
        3 => {
            let told = partly(client.notify("add", (1, 1)).into_future(), polls, random).await;
            assert!(told.is_none_or(|told| told.is_ok()));
        }
        4 => {
            let mut batch = client.batch();
            let sum = batch.call::<i64>("add", (3, 4));
            batch.notify("add", (1, 1));
            let slow = batch.call::<u64>("sleep", (1,));
            if let Some(responses) = partly(batch.send(), polls, random).await {
                let mut responses = responses.unwrap();
                assert_eq!(responses.take(sum).unwrap(), 7);
                assert_eq!(responses.take(slow).unwrap(), 1);
            }
        }
        5 => {
            let mut batch = client.batch();
            let _ = batch.call::<()>("hold", ());
            let _ = batch.call::<()>("hold", ());
            assert!(partly(batch.send(), polls, random).await.is_none());
        }
        6 => {
            let numbers = client.subscribe::<u64>("numbers", (0,)).into_future();
            drop(partly(numbers, polls, random).await.map(Result::unwrap));
        }
        7 => {
            let numbers = client.subscribe::<u64>("numbers", (20,)).into_future();
            let Some(numbers) = partly(numbers, 2 * polls, random).await else {
                return;
            };
            let mut numbers = numbers.unwrap();
            // Dropping the future of `next` neither loses nor repeats an item.
            let mut expected = 1;
            for _ in 0..polls {
                let few = random.below(3);
                if let Some(next) = partly(numbers.next(), few, random).await {
                    assert_eq!(next.unwrap().unwrap(), expected);
                    expected += 1;
                }
            }
        }
        8 => drop(
            partly(client.ready(), polls, random)
                .await
                .map(Result::unwrap),
        ),
        _ => {
            let mut connection = client.connection();
            drop(partly(connection.changed(), polls, random).await);
        }
    }
}

/// Drops many futures, and then checks that nothing is left of them.
async fn check(name: &str, client: &Client, seen: &MethodCounters, rounds: u64) {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..rounds {
        for polls in 0..64 {
            let kind = random.below(10);
            step(client, kind, polls, &mut random).await;
        }
        // All permits are free: the maximum number of calls can run at the same time.
        let all = (0..MAX_CALLS).map(|_| tokio::spawn(call!(client.sleep(1)).into_future()));
        for call in all.collect::<Vec<_>>() {
            let slept = timeout(TEST_TIMEOUT, call).await;
            let slept: Result<u64, _> = slept.expect("a place is lost").unwrap();
            assert_eq!(slept.ok(), Some(1), "{name}, round {round}");
        }
    }
    seen.settled(name).await;
}

#[tokio::test(start_paused = true)]
async fn futures_may_be_dropped_in_process() {
    let seen = MethodCounters::default();
    let server = router(&seen).build().unwrap();
    let client = limited(Client::builder("").in_process(&server));
    check("in process", &client, &seen, 100).await;
    assert_eq!(server.in_flight(), 0);
}

/// The connection itself is opened and dropped repeatedly.
#[tokio::test(start_paused = true)]
async fn clients_may_be_dropped_in_process() {
    let seen = MethodCounters::default();
    let server = router(&seen).build().unwrap();
    let mut random = Random(42);
    for kind in 0..10 {
        for polls in 0..64 {
            let client = limited(Client::builder("").in_process(&server));
            step(&client, kind, polls, &mut random).await;
        }
    }
    seen.settled("new clients").await;
    assert_eq!(server.in_flight(), 0);
}

#[tokio::test]
async fn futures_may_be_dropped_over_tcp() {
    let seen = MethodCounters::default();
    let server = SessionServer::raw(antiphon::Server::new(router(&seen))).await;
    let client = limited(Client::builder(&server.url));
    check("tcp", &client, &seen, 20).await;
    drop(client);
    server.until_open(0).await;
}

/// Many futures at a time, on several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn futures_may_be_dropped_on_several_threads() {
    let seen = MethodCounters::default();
    let server = SessionServer::raw(antiphon::Server::new(router(&seen))).await;
    let client = limited(Client::builder(&server.url).timeout(TEST_TIMEOUT));
    let droppers: Vec<_> = (1..=8_u64)
        .map(|seed| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut random = Random(seed << 20);
                for polls in (0..64).chain(0..64) {
                    let kind = random.below(10);
                    step(&client, kind, polls, &mut random).await;
                }
            })
        })
        .collect();
    for dropper in droppers {
        dropper.await.unwrap();
    }
    check("several threads", &client, &seen, 2).await;
    drop(client);
    server.until_open(0).await;
}
