//! Brokers that are killed, frozen, and come back.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use antiphon::client::ErrorKind;
use tokio::time::{Instant, sleep};

use super::broker::{Broker, router};

#[tokio::test]
async fn a_killed_broker_is_told_to_every_call_and_no_call_runs_twice() {
    let Some(mut broker) = Broker::start().await else {
        return;
    };
    let ran = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&ran);
    let served = router().method_fn("wait", move || {
        counter.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>()
    });
    let _server = broker.serve("shop", served).await;
    let client = broker.client("shop");
    let calls: Vec<_> = (0..50)
        .map(|_| tokio::spawn(client.call::<()>("wait", ()).timeout(None).into_future()))
        .collect();
    while ran.load(Ordering::Relaxed) < 50 {
        sleep(Duration::from_millis(5)).await;
    }
    broker.kill();
    for call in calls {
        let error = call.await.unwrap().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unknown), "{error:?}");
    }
    let error = client.call::<bool>("is_there", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error:?}");
    broker.restart().await;
    let until = Instant::now() + Duration::from_secs(30);
    while client.call::<bool>("is_there", ()).await.is_err() {
        assert!(Instant::now() < until, "it does not come back");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ran.load(Ordering::Relaxed), 50);
}

#[tokio::test]
async fn a_rolling_restart_of_three_servers_loses_no_call() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let served = || router().method_fn("double", |number: u64| number * 2);
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(broker.serve("shop", served()).await);
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let callers: Vec<_> = (0..16_u64)
        .map(|caller| {
            let (client, stopped) = (broker.client("shop"), stopped.clone());
            tokio::spawn(async move {
                let mut calls = 0;
                while !*stopped.borrow() {
                    let number = caller * 1_000_000 + calls;
                    let doubled: u64 = client.call("double", (number,)).await.unwrap();
                    assert_eq!(doubled, number * 2);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    for _ in 0..6 {
        sleep(Duration::from_millis(100)).await;
        servers.remove(0).stop().await;
        servers.push(broker.serve("shop", served()).await);
    }
    stop.send_replace(true);
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.unwrap();
    }
    assert!(calls > 0);
}

#[tokio::test]
async fn a_frozen_broker_leaves_no_call_waiting() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let _server = broker.serve("shop", router()).await;
    let client = broker.client("shop");
    assert!(client.call::<bool>("is_there", ()).await.unwrap());
    let signal = |name: &str| {
        let pid = broker.pid().to_string();
        let sent = Command::new("kill").args([name, &pid]).status().unwrap();
        assert!(sent.success());
    };
    signal("-STOP");
    let error = client.call::<bool>("is_there", ()).timeout(None).await;
    assert!(
        matches!(error.as_ref().unwrap_err().kind(), ErrorKind::Unknown),
        "{error:?}"
    );
    signal("-CONT");
}

#[tokio::test]
async fn a_broker_that_was_never_there_is_told_as_not_sent() {
    let client = antiphon::client::Client::connect("nats://127.0.0.1:9/shop").unwrap();
    let error = client.call::<bool>("is_there", ()).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent), "{error:?}");
    let server = antiphon::Server::new(router()).bind("nats://127.0.0.1:9/shop");
    let error = server.listen().await.unwrap_err().to_string();
    assert!(error.contains("nats://127.0.0.1:9/shop"), "{error}");
}
