//! Users and permissions of the example in `docs/examples/cluster`.

use std::path::Path;
use std::time::Duration;

use antiphon::client::{Client, ErrorKind};
use antiphon::{Context, Topic};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::broker::{Broker, Serving, router, until_answered};
use crate::support::counter::Counter;
use crate::topic_workers::peer::Peer;
use crate::topic_workers::program::Program;

const LIMIT: Duration = Duration::from_secs(20);

fn settings(_: &Path) -> String {
    let users = include_str!("../../../../../docs/examples/cluster/users.conf");
    users
        .replace("$SERVER_PASSWORD", "s3cret-server")
        .replace("$GATEWAY_PASSWORD", "s3cret-gateway")
}

fn with_jetstream(folder: &Path) -> String {
    let store = format!("jetstream {{ store_dir: \"{}\" }}", folder.display());
    format!("{store}\n{}", settings(folder))
}

#[tokio::test]
async fn the_server_of_the_example_may_keep_topics_in_streams() {
    let Some(broker) = Broker::with(with_jetstream).await else {
        return;
    };
    let url = url(&broker, "server", "shop");
    let start = |url: &str| {
        let url = url.to_owned();
        tokio::task::spawn_blocking(move || Program::behind(&url, 1))
    };
    let (one, two) = (start(&url).await.unwrap(), start(&url).await.unwrap());
    let mut publisher = Peer::connect(&one.address).await;
    let mut subscriber = Peer::connect(&two.address).await;
    subscriber.subscribe("texts", "k", None).await;
    publisher.call("publish", json!(["k", [1, ""]])).await;
    let first = timeout(LIMIT, subscriber.item()).await.unwrap().unwrap();
    publisher.call("publish", json!(["k", [2, ""]])).await;
    let second = timeout(LIMIT, subscriber.item()).await.unwrap().unwrap();
    // The broker has numbered them.
    assert_eq!(
        (second.item[0].as_u64(), second.number),
        (Some(2), first.number + 1)
    );
    publisher.subscribe("texts", "k", Some(&first.cursor)).await;
    let resumed = timeout(LIMIT, publisher.item()).await.unwrap().unwrap();
    assert_eq!(resumed.cursor, second.cursor);
    // Who calls may not publish items.
    let login = |user: &str| (user.to_owned(), format!("s3cret-{user}"));
    let (user, password) = login("gateway");
    let options = async_nats::ConnectOptions::with_user_and_password(user, password);
    let caller = options.connect(format!("nats://127.0.0.1:{}", broker.port()));
    let caller = caller.await.unwrap();
    for subject in ["shop.kept-topic.texts.0.k", "shop.topic.texts.0.k"] {
        caller.publish(subject, "[9,\"\"]".into()).await.unwrap();
    }
    caller.flush().await.unwrap();
    publisher.call("publish", json!(["k", [3, ""]])).await;
    let third = timeout(LIMIT, subscriber.item()).await.unwrap().unwrap();
    assert_eq!(third.item[0], 3);
}

/// The address for one of the users.
fn url(broker: &Broker, user: &str, prefix: &str) -> String {
    format!(
        "nats://{user}:s3cret-{user}@127.0.0.1:{}/{prefix}",
        broker.port()
    )
}

#[tokio::test]
async fn the_permissions_of_the_example_are_enough_and_no_more() {
    let Some(broker) = Broker::with(settings).await else {
        return;
    };
    let topic = Topic::<u64>::builder("prices").history(3).build();
    let (begun, ended) = (Counter::default(), Counter::default());
    let (items, begin, end) = (topic.clone(), begun.clone(), ended.clone());
    let served = router()
        .method_fn("prices", move |key: String| items.subscribe(key))
        .method_fn("count", async |ctx: Context, to: u64| {
            for number in 0..to {
                ctx.progress(&number).await;
            }
            to
        })
        .method_fn("hang", move || {
            let ends = end.guard();
            begin.add();
            async move {
                std::future::pending::<()>().await;
                drop(ends);
            }
        });
    let server = Serving::start(&url(&broker, "server", "shop"), served).await;
    let client = Client::connect(url(&broker, "gateway", "shop")).unwrap();
    until_answered(&client).await;
    let counter = Counter::default();
    let told = counter.clone();
    let call = client.call::<u64>("count", (3,));
    let call = call.on_progress(move |_: u64| told.add());
    assert_eq!(call.await.unwrap(), 3);
    counter.reach(3).await;
    let mut items = client.subscribe::<u64>("prices", ("k",)).await.unwrap();
    topic.publish("k", &7);
    let item = timeout(LIMIT, items.next()).await.unwrap();
    assert_eq!(item.unwrap().unwrap(), 7);
    // It is cancelled, which a caller may say.
    let call = tokio::spawn(client.call::<()>("hang", ()).timeout(None).into_future());
    begun.reach(1).await;
    sleep(Duration::from_millis(400)).await;
    call.abort();
    ended.reach(1).await;
    // Another prefix is another service.
    let elsewhere = Client::connect(url(&broker, "gateway", "bank")).unwrap();
    let call = elsewhere.call::<bool>("is_there", ());
    let error = call.timeout(Duration::from_secs(1)).await.unwrap_err();
    assert!(!matches!(error.kind(), ErrorKind::Local), "{error}");
    drop(items);
    server.stop().await;

    // Who only calls cannot serve, whatever it says.
    let rogue = antiphon::Server::new(router()).bind(url(&broker, "gateway", "shop"));
    let rogue = rogue.listen().await.unwrap();
    let handle = rogue.handle();
    let serving = tokio::spawn(rogue.serve());
    for _ in 0..20 {
        assert!(client.call::<bool>("is_there", ()).await.is_err());
        sleep(Duration::from_millis(10)).await;
    }
    handle.kill();
    let _ = timeout(LIMIT, serving).await.unwrap();
}
