//! Servers behind a NATS server as an upstream: calls, subscriptions, and whatever fails on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon::client::{Balanced, Client, ErrorKind, Remote};
use antiphon::{Context, Gateway, Router, Topic};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::load::Load;
use super::{LIMIT, Serving, client, methods, serve};
use crate::nats::broker::{Broker, until_answered};
use crate::support::counter::Counter;
use crate::support::test_server::TestServer;
use crate::support::until;

/// A server of this router behind a broker.
async fn behind(broker: &Broker, router: Router) -> Serving {
    let router = router.method_fn("is_there", || true);
    let serving = Serving::of(router, &broker.url("shop")).await;
    until_answered(&broker.client("shop")).await;
    serving
}

/// A gateway whose only upstream is behind a broker.
async fn in_front(broker: &Broker) -> TestServer {
    let remote = Remote::of(broker.client("shop"));
    let remote = remote.check(Duration::from_millis(200)).progress("count");
    let gateway = serve(Gateway::new().upstream(remote)).await;
    until_answered(&client(&gateway)).await;
    gateway
}

/// The data of the error of a call that a gateway could not forward.
fn may_have_run(outcome: Result<Value, antiphon::client::Error>) -> Option<bool> {
    let error = outcome.unwrap_err();
    let ErrorKind::Refused(refused) = error.kind() else {
        panic!("{error:?}");
    };
    assert_eq!(refused.code().0, -32000, "{error:?}");
    let data: Value = refused.data_as().unwrap();
    data["mayHaveRun"].as_bool()
}

#[tokio::test]
async fn servers_behind_a_broker_are_an_upstream_like_any_other() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let topic = Topic::builder("prices").history(3).build();
    let count = async |ctx: Context, to: u64| {
        for number in 0..to {
            ctx.progress(&number).await;
        }
        to
    };
    let router = methods("there", &Counter::default(), &topic).method_fn("count", count);
    let _server = behind(&broker, router).await;
    let gateway = in_front(&broker).await;
    let client = client(&gateway);
    let sum: i64 = client.call("add", (3, 4)).await.unwrap();
    assert_eq!(sum, 7);
    let error = client.call::<Value>("fail", ()).await.unwrap_err();
    assert_eq!(error.code().map(|code| code.0), Some(7));
    let mut batch = client.batch();
    let name = batch.call::<String>("name", ());
    let pong = batch.call::<String>("ping", ());
    let mut answers = batch.send().await.unwrap();
    assert_eq!(answers.take(name).unwrap(), "there");
    assert_eq!(answers.take(pong).unwrap(), "pong");

    let (noted, told) = (Counter::default(), Arc::new(AtomicU64::new(0)));
    let (note, sum) = (noted.clone(), Arc::clone(&told));
    let call = client
        .call::<u64>("count", (4,))
        .on_progress(move |number: u64| {
            sum.fetch_add(number, Ordering::Relaxed);
            note.add();
        });
    assert_eq!(call.await.unwrap(), 4);
    noted.reach(4).await;
    assert_eq!(told.load(Ordering::Relaxed), 6);

    let document: Value = client.call("rpc.discover", ()).await.unwrap();
    let methods = document["methods"].as_array().unwrap();
    let of = |name: &str| {
        methods
            .iter()
            .find(|method| method["name"] == name)
            .unwrap()
    };
    assert_eq!(of("name")["x-served-by"], json!("upstream"));
    assert_eq!(of("name")["summary"], json!("Who answers."));

    let mut items = client.subscribe::<u64>("prices", ("k",)).await.unwrap();
    for number in 1..=3 {
        topic.publish("k", &number);
        let item = timeout(LIMIT, items.next()).await.unwrap();
        assert_eq!(item.unwrap().unwrap(), number);
    }
    drop(items);
    until(|| topic.subscribers("k") == 0, "it ends there").await;
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_ends_behind_the_broker() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let (begun, ended) = (Counter::default(), Counter::default());
    let (begin, end) = (begun.clone(), ended.clone());
    let hang = move || {
        let ends = end.guard();
        begin.add();
        async move {
            std::future::pending::<()>().await;
            drop(ends);
        }
    };
    let _server = behind(&broker, Router::new().method_fn("hang", hang)).await;
    let gateway = in_front(&broker).await;
    let caller = client(&gateway);
    let call = tokio::spawn(caller.call::<()>("hang", ()).timeout(None).into_future());
    begun.reach(1).await;
    call.abort();
    ended.reach(1).await;
    let call = tokio::spawn(caller.call::<()>("hang", ()).timeout(None).into_future());
    begun.reach(2).await;
    // The gateway is gone.
    drop(gateway);
    ended.reach(2).await;
    assert!(timeout(LIMIT, call).await.unwrap().unwrap().is_err());
}

#[tokio::test]
async fn a_broker_that_is_killed_is_told_through_a_gateway_and_nothing_runs_twice() {
    let Some(mut broker) = Broker::start().await else {
        return;
    };
    let ran = Counter::default();
    let noted = ran.clone();
    let wait = move || {
        noted.add();
        std::future::pending::<()>()
    };
    let _server = behind(&broker, Router::new().method_fn("wait", wait)).await;
    let gateway = in_front(&broker).await;
    let caller = client(&gateway);
    let calls: Vec<_> = (0..20)
        .map(|_| tokio::spawn(caller.call::<Value>("wait", ()).timeout(None).into_future()))
        .collect();
    ran.reach(20).await;
    broker.kill();
    for call in calls {
        let outcome = timeout(LIMIT, call).await.unwrap().unwrap();
        assert_eq!(may_have_run(outcome), Some(true));
    }
    let before = Instant::now();
    let outcome = caller.call::<Value>("is_there", ()).await;
    assert_eq!(may_have_run(outcome), Some(false));
    assert!(before.elapsed() < LIMIT);
    broker.restart().await;
    until_answered(&caller).await;
    assert_eq!(ran.get(), 20);
}

#[tokio::test]
async fn a_server_that_has_gone_is_told_as_a_call_that_has_not_run() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let server = behind(&broker, Router::new()).await;
    let gateway = in_front(&broker).await;
    server.handle.stop();
    until(|| server.task.is_finished(), "it has stopped").await;
    let caller = client(&gateway);
    let outcome = caller.call::<Value>("is_there", ()).await;
    assert_eq!(may_have_run(outcome), Some(false));
    let _server = behind(&broker, Router::new()).await;
    until_answered(&caller).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_lost_while_servers_and_gateways_are_restarted() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let (ran, topic) = (Counter::default(), Topic::builder("prices").build());
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(behind(&broker, methods("a", &ran, &topic)).await);
    }
    let gateway = async |bind: &str| {
        let remote = Remote::of(broker.client("shop"));
        let router = Gateway::new().upstream(remote);
        let serving = Serving::of_server(router.server(), bind).await;
        until_answered(&Client::connect(serving.at("ws")).unwrap()).await;
        serving
    };
    let mut gateways = Vec::new();
    for _ in 0..2 {
        gateways.push(gateway("127.0.0.1:0").await);
    }
    let urls: Vec<_> = gateways.iter().map(|one| one.at("ws")).collect();
    let load = Load::begin(|| {
        let balanced = Balanced::of(urls.clone()).first_pause(Duration::from_millis(20));
        balanced.build().unwrap()
    });
    for round in 0..12 {
        load.progress(1_600).await;
        let at = round % 3;
        servers[at].handle.stop();
        until(|| servers[at].task.is_finished(), "a server stops").await;
        load.progress(50).await;
        servers[at] = behind(&broker, methods("a", &ran, &topic)).await;
        let at = round % 2;
        let address = gateways[at].at("http").replace("http://", "");
        gateways[at].handle.stop();
        until(|| gateways[at].task.is_finished(), "a gateway stops").await;
        load.progress(50).await;
        gateways[at] = gateway(&address).await;
    }
    assert!(load.end("a broker").await >= 20_000);
}
