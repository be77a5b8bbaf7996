//! Calls that take longer: acknowledged, cancelled, left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::Router;
use tokio::time::{sleep, timeout};

use super::broker::{Broker, router};

/// Counts calls that run now.
#[derive(Clone, Default)]
struct Running(Arc<AtomicUsize>);

struct One(Running);

impl Running {
    fn enter(&self) -> One {
        self.0.fetch_add(1, Ordering::Relaxed);
        One(self.clone())
    }

    async fn until(&self, expected: usize) {
        for _ in 0..2_000 {
            if self.0.load(Ordering::Relaxed) == expected {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("{} calls run", self.0.load(Ordering::Relaxed));
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn slow(running: &Running) -> Router {
    let running = running.clone();
    router().method_fn("sleep", move |milliseconds: u64| {
        let one = running.enter();
        async move {
            sleep(Duration::from_millis(milliseconds)).await;
            drop(one);
            milliseconds
        }
    })
}

#[tokio::test]
async fn a_call_that_takes_longer_than_servers_may_be_silent_is_answered() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let _server = broker.serve("shop", slow(&Running::default())).await;
    let client = broker.client("shop");
    let slept: u64 = client.call("sleep", (4_000,)).await.unwrap();
    assert_eq!(slept, 4_000);
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_before_or_after_its_acknowledgement() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let running = Running::default();
    let _server = broker.serve("shop", slow(&running)).await;
    let client = broker.client("shop");
    for milliseconds in [100, 600] {
        let call = client.call::<u64>("sleep", (600_000,)).timeout(None);
        let ended = timeout(Duration::from_millis(milliseconds), call.into_future()).await;
        assert!(ended.is_err());
        running.until(0).await;
    }
}

#[tokio::test]
async fn the_calls_of_a_client_that_is_gone_are_cancelled() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let running = Running::default();
    let _server = broker.serve("shop", slow(&running)).await;
    let client = broker.client("shop");
    let own = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    own.spawn(async move { client.call::<u64>("sleep", (600_000,)).timeout(None).await });
    running.until(1).await;
    sleep(Duration::from_millis(500)).await;
    own.shutdown_background();
    running.until(0).await;
}

#[tokio::test]
async fn a_server_that_stops_answers_what_it_has_taken() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let running = Running::default();
    let server = broker.serve("shop", slow(&running)).await;
    let client = broker.client("shop");
    let calls: Vec<_> = (0..20)
        .map(|_| tokio::spawn(client.call::<u64>("sleep", (700,)).into_future()))
        .collect();
    running.until(20).await;
    server.stop().await;
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), 700);
    }
    let error = client.call::<u64>("sleep", (1,)).await.unwrap_err();
    assert_eq!(error.code().unwrap().0, -32000);
}
