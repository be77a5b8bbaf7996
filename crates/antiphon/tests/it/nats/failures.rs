//! What callers are told when servers, brokers and the ways between them fail.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon::Router;
use antiphon::client::{Client, Error};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::broker::{Broker, Serving, free_port, router, until_answered};
use super::proxy::Proxy;
use super::server_process::{Record, ServerProcess, Told, agree, signal};

/// How long a test waits for what has to happen, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

type Outcome = Result<u64, Error>;

/// Starts calls of `run` with ids from here on. They have no deadline of their own.
fn start(
    client: &Client,
    ids: std::ops::Range<u64>,
    milliseconds: u64,
) -> Vec<JoinHandle<Outcome>> {
    let call = |id: u64| {
        let call = client.call::<u64>("run", (id, milliseconds));
        tokio::spawn(call.timeout(None).into_future())
    };
    ids.map(call).collect()
}

/// What callers are told, in the end.
async fn told(first: u64, calls: Vec<JoinHandle<Outcome>>) -> HashMap<u64, Told> {
    let mut all = HashMap::new();
    for (id, call) in (first..).zip(calls) {
        let outcome = timeout(PATIENCE, call).await.expect("nobody is told");
        all.insert(id, Told::of(id, &outcome.unwrap()));
    }
    all
}

fn count(told: &HashMap<u64, Told>, one: Told) -> usize {
    told.values().filter(|told| **told == one).count()
}

#[tokio::test]
async fn the_calls_of_a_killed_server_are_told_and_the_next_ones_go_to_another() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let record = Record::in_folder(&broker.folder);
    let client = broker.client("shop");
    let mut first = ServerProcess::start(&broker.url("shop"), &record.0);
    until_answered(&client).await;
    // Some are acknowledged, others are not yet.
    let mut calls = start(&client, 0..20, 600_000);
    record.until_begun(20).await;
    sleep(Duration::from_millis(500)).await;
    calls.extend(start(&client, 20..40, 600_000));
    record.until_begun(40).await;
    let _second = ServerProcess::start(&broker.url("shop"), &record.0);
    first.kill();
    let mut all = told(0, calls).await;
    assert_eq!(count(&all, Told::Unknown), 40);
    until_answered(&client).await;
    all.extend(told(40, start(&client, 40..60, 1)).await);
    assert_eq!(count(&all, Told::Answered), 20);
    agree(&all, &record.begun());
}

#[tokio::test]
async fn a_server_that_was_frozen_drops_what_nobody_waits_for() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let record = Record::in_folder(&broker.folder);
    let client = broker.client("shop");
    let server = ServerProcess::start(&broker.url("shop"), &record.0);
    until_answered(&client).await;
    let mut calls = start(&client, 0..10, 600_000);
    record.until_begun(10).await;
    sleep(Duration::from_millis(500)).await;
    server.signal("STOP");
    // They wait at the server, which does not run.
    calls.extend(start(&client, 10..20, 10));
    let all = told(0, calls).await;
    assert_eq!(count(&all, Told::Unknown), 20);
    server.signal("CONT");
    // Calls of which nobody waits for an answer are cancelled; late answers reach nobody.
    let until = tokio::time::Instant::now() + PATIENCE;
    while record.dropped().len() < 10 {
        assert!(tokio::time::Instant::now() < until, "they go on");
        sleep(Duration::from_millis(20)).await;
    }
    until_answered(&client).await;
    let mut more = told(20, start(&client, 20..30, 1)).await;
    assert_eq!(count(&more, Told::Answered), 10);
    more.extend(all);
    agree(&more, &record.begun());
}

#[tokio::test]
async fn a_frozen_broker_and_an_interrupted_way_are_told_and_nothing_runs_twice() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let record = Record::in_folder(&broker.folder);
    let (near, far) = (
        Proxy::before(broker.port()).await,
        Proxy::before(broker.port()).await,
    );
    let _server = ServerProcess::start(&far.url("shop"), &record.0);
    let client = Client::connect(near.url("shop")).unwrap();
    until_answered(&client).await;
    let mut all = HashMap::new();
    let mut next = 0;
    let freeze = |is_frozen: bool| {
        signal(broker.pid(), if is_frozen { "STOP" } else { "CONT" });
    };
    let interruptions: [(&str, &dyn Fn(bool)); 3] = [
        ("of the client", &|is_cut| near.interrupt(is_cut)),
        ("of the server", &|is_cut| far.interrupt(is_cut)),
        ("at the broker", &freeze),
    ];
    for (what, interrupt) in interruptions {
        let begun = record.begun().len();
        let mut calls = start(&client, next..next + 10, 600_000);
        record.until_begun(begun + 10).await;
        sleep(Duration::from_millis(400)).await;
        interrupt(true);
        calls.extend(start(&client, next + 10..next + 20, 1));
        let cut = told(next, calls).await;
        // Who has lost the broker in the meantime sends nothing.
        let unknown = count(&cut, Told::Unknown);
        assert!(
            unknown >= 10 && count(&cut, Told::Answered) == 0,
            "{what}: {cut:?}"
        );
        all.extend(cut);
        interrupt(false);
        until_answered(&client).await;
        let after = told(next + 20, start(&client, next + 20..next + 30, 1)).await;
        assert_eq!(count(&after, Told::Answered), 10, "{what}");
        all.extend(after);
        next += 30;
    }
    // What was on its way arrives late, or never.
    sleep(Duration::from_millis(300)).await;
    agree(&all, &record.begun());
}

/// A cluster of three brokers.
async fn cluster() -> Option<Vec<Broker>> {
    let ports: Vec<_> = (0..3).map(|_| free_port()).collect();
    let routes = ports
        .iter()
        .map(|port| format!("nats-route://127.0.0.1:{port}"));
    let routes = routes.collect::<Vec<_>>().join(", ");
    let mut brokers = Vec::new();
    for port in ports {
        let settings =
            format!("cluster {{ name: shop, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}");
        brokers.push(Broker::with(|_| settings).await?);
    }
    Some(brokers)
}

#[tokio::test]
async fn one_broker_of_three_may_be_killed_and_come_back() {
    let Some(mut brokers) = cluster().await else {
        return;
    };
    let places = |first: usize| {
        let ports = (0..3).map(|index| brokers[(first + index) % 3].port());
        let places = ports.map(|port| format!("127.0.0.1:{port}"));
        format!("nats://{}/shop", places.collect::<Vec<_>>().join(","))
    };
    let addresses: Vec<_> = (0..3).map(places).collect();
    let begun = Arc::<Mutex<HashMap<u64, u32>>>::default();
    let served = || {
        let begun = Arc::clone(&begun);
        router().merge(
            Router::new().method_fn("run", move |id: u64, milliseconds: u64| {
                *begun.lock().unwrap().entry(id).or_default() += 1;
                async move {
                    sleep(Duration::from_millis(milliseconds)).await;
                    id
                }
            }),
        )
    };
    let mut servers = Vec::new();
    for address in &addresses {
        servers.push(Serving::start(address, served()).await);
    }
    let next = Arc::new(AtomicU64::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for caller in 0..6 {
        let client = Client::connect(&addresses[caller % 3]).unwrap();
        until_answered(&client).await;
        let (next, is_over) = (Arc::clone(&next), Arc::clone(&is_over));
        callers.push(tokio::spawn(async move {
            let mut all = HashMap::new();
            let mut answered_at_last = false;
            while !is_over.load(Ordering::Relaxed) || !answered_at_last {
                let id = next.fetch_add(1, Ordering::Relaxed);
                let call = client.call::<u64>("run", (id, id % 7)).timeout(None);
                let outcome = timeout(PATIENCE, call.into_future()).await;
                let told = Told::of(id, &outcome.expect("nobody is told"));
                answered_at_last = told == Told::Answered;
                all.insert(id, told);
                if !answered_at_last {
                    sleep(Duration::from_millis(5)).await;
                }
            }
            all
        }));
    }
    for broker in &mut brokers {
        sleep(Duration::from_millis(300)).await;
        broker.kill();
        sleep(Duration::from_millis(300)).await;
        broker.restart().await;
    }
    is_over.store(true, Ordering::Relaxed);
    let mut all = HashMap::new();
    for caller in callers {
        all.extend(timeout(PATIENCE, caller).await.unwrap().unwrap());
    }
    assert!(count(&all, Told::Answered) > 100, "{}", all.len());
    agree(&all, &begun.lock().unwrap());
}
