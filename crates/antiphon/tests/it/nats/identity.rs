//! Identities that cross a broker: signed by who passes them on, or of no effect.

use std::fs;
use std::time::{Duration, SystemTime};

use antiphon::client::{Client, ErrorKind};
use antiphon::{Context, Identity, Method, Router};
use async_nats::HeaderMap;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::time::timeout;

use super::broker::{Broker, Serving, until_answered};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// How long a test waits for what has to happen, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

fn accounts() -> Router {
    let who = |cx: Context| {
        let identity = cx.identity();
        identity.map_or_else(|| "nobody".to_owned(), |one| one.subject().to_owned())
    };
    Router::new()
        .method(Method::function("is_there", || true).public())
        .method(Method::function("anybody", who).public())
        .method_fn("known", who)
        .method(Method::function("write", who).scope("write"))
        .method(
            Method::function("numbers", || futures_util::stream::iter([1, 2, 3])).scope("write"),
        )
}

/// The address of a service with keys for identities.
fn with_key(broker: &Broker, name: &str, key: &str) -> String {
    let path = broker.folder.join(name);
    fs::write(&path, key).unwrap();
    format!("{}?identity={}", broker.url("shop"), path.display())
}

fn code<T: std::fmt::Debug>(outcome: Result<T, antiphon::client::Error>) -> i64 {
    outcome.unwrap_err().code().unwrap().0
}

#[tokio::test]
async fn a_signed_identity_has_its_rights_and_no_other_has_any() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let address = with_key(&broker, "keys", KEY);
    let _server = Serving::start(&address, accounts()).await;
    until_answered(&broker.client("shop")).await;
    let client = |address: &str, identity: Option<Identity>| {
        let builder = Client::builder(address);
        match identity {
            Some(identity) => builder.identity(identity).build().unwrap(),
            None => builder.build().unwrap(),
        }
    };
    let alice = || Identity::new("alice").scope("write");
    let past = SystemTime::now() - Duration::from_secs(1);
    let other = with_key(
        &broker,
        "other",
        "another key of thirty-two or more characters",
    );
    let ok = |text: &'static str| Ok::<_, i64>(text);
    // The client; what `anybody`, `known` and `write` answer.
    for (client, expected) in [
        (
            client(&address, Some(alice())),
            [ok("alice"), ok("alice"), ok("alice")],
        ),
        (
            client(&address, Some(Identity::new("bob"))),
            [ok("bob"), ok("bob"), Err(-32007)],
        ),
        (
            client(&address, None),
            [ok("nobody"), Err(-32006), Err(-32006)],
        ),
        (
            client(&broker.url("shop"), None),
            [ok("nobody"), Err(-32006), Err(-32006)],
        ),
        (
            client(&address, Some(alice().until(past))),
            [ok("nobody"), Err(-32006), Err(-32006)],
        ),
        (
            client(&other, Some(alice())),
            [Err(-32006), Err(-32006), Err(-32006)],
        ),
    ] {
        for (method, expected) in ["anybody", "known", "write"].into_iter().zip(expected) {
            let answer = client.call::<String>(method, ()).await;
            let answer = answer.map_err(|error| error.code().map_or(0, |code| code.0));
            assert_eq!(answer, expected.map(str::to_owned), "{method}");
        }
    }
    let mut items = client(&address, Some(alice()))
        .subscribe::<u64>("numbers", ())
        .await
        .unwrap();
    for expected in 1..=3 {
        assert_eq!(items.next().await.unwrap().unwrap(), expected);
    }
    let refused = client(&address, None).subscribe::<u64>("numbers", ()).await;
    assert_eq!(code(refused), -32006);
    let refused = client(&other, Some(alice()))
        .subscribe::<u64>("numbers", ())
        .await;
    assert!(matches!(refused.unwrap_err().kind(), ErrorKind::NotSent));
}

#[tokio::test]
async fn the_caller_of_a_method_is_passed_on_by_the_client_in_it() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let address = with_key(&broker, "keys", KEY);
    let _server = Serving::start(&address, accounts()).await;
    until_answered(&broker.client("shop")).await;
    let onwards = Client::builder(&address)
        .forward_identity()
        .build()
        .unwrap();
    let outside = onwards.call::<String>("anybody", ()).await.unwrap_err();
    assert!(outside.has_no_caller(), "{outside:?}");
    let front = {
        let onwards = onwards.clone();
        Router::new().method(
            Method::function("front", move |method: String| {
                let onwards = onwards.clone();
                async move {
                    let answer = onwards.call::<String>(&method, ()).await;
                    answer.map_err(|error| antiphon::ErrorObject::new(error.code().unwrap(), "no"))
                }
            })
            .public(),
        )
    };
    // A server in front, which knows its callers by the same keys.
    let url = format!("{}/front", broker.url("x").trim_end_matches("/x"));
    let keys = broker.folder.join("keys");
    let url = format!("{url}?identity={}", keys.display());
    let front = front.method(Method::function("is_there", || true).public());
    let _front = Serving::start(&url, front).await;
    until_answered(&Client::connect(&url).unwrap()).await;
    let alice = Identity::new("alice").scope("write");
    let alice = Client::builder(&url).identity(alice).build().unwrap();
    let nobody = Client::connect(&url).unwrap();
    let ask = async |client: &Client, method: &str| {
        let answer = client.call::<String>("front", (method,)).await;
        answer.map_err(|error| error.code().unwrap().0)
    };
    assert_eq!(ask(&alice, "write").await, Ok("alice".to_owned()));
    assert_eq!(ask(&nobody, "anybody").await, Ok("nobody".to_owned()));
    assert_eq!(ask(&nobody, "write").await, Err(-32006));
}

#[tokio::test]
async fn a_message_that_is_sent_again_or_elsewhere_is_refused() {
    let Some(broker) = Broker::start().await else {
        return;
    };
    let address = with_key(&broker, "keys", KEY);
    let _server = Serving::start(&address, accounts()).await;
    until_answered(&broker.client("shop")).await;
    let url = broker.url("x");
    let raw = async_nats::connect(url.strip_suffix("/x").unwrap())
        .await
        .unwrap();
    // Somebody who may read everything.
    let mut overheard = raw.subscribe("shop.rpc.write").await.unwrap();
    raw.flush().await.unwrap();
    let alice = Identity::new("alice").scope("write");
    let client = Client::builder(&address).identity(alice).build().unwrap();
    let answer: String = client.call("write", ()).await.unwrap();
    assert_eq!(answer, "alice");
    let message = timeout(PATIENCE, overheard.next()).await.unwrap().unwrap();
    let (headers, reply) = (message.headers.unwrap(), message.reply.unwrap());
    let mut answers = raw.subscribe(reply.clone()).await.unwrap();
    let mut ask = async |subject: &str, headers: HeaderMap| {
        let (reply, text) = (reply.clone(), message.payload.clone());
        let asking = raw.publish_with_reply_and_headers(subject.to_owned(), reply, headers, text);
        asking.await.unwrap();
        let answer = timeout(PATIENCE, answers.next()).await.unwrap().unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        answer["error"]["code"].as_i64().unwrap()
    };
    let without = |name: &str| {
        let mut map = HeaderMap::new();
        for (one, values) in headers.iter() {
            if one.to_string() != name {
                map.insert(one.clone(), values[0].clone());
            }
        }
        map
    };
    assert_eq!(ask("shop.rpc.write", headers.clone()).await, -32006);
    assert_eq!(ask("shop.rpc.known", headers.clone()).await, -32006);
    assert_eq!(
        ask("shop.rpc.write", without("rpc-signature")).await,
        -32006
    );
}

#[test]
fn an_identity_is_passed_on_where_it_is_signed_only() {
    let path = std::env::temp_dir().join(format!("antiphon-keys-{}", std::process::id()));
    fs::write(&path, KEY).unwrap();
    let signed = format!("nats://127.0.0.1/shop?identity={}", path.display());
    let alice = || Identity::new("alice");
    for (address, own, forwards, expected) in [
        (&*signed, true, false, true),
        (&*signed, false, true, true),
        (&*signed, false, false, true),
        (&*signed, true, true, false),
        ("nats://127.0.0.1/shop", true, false, false),
        ("nats://127.0.0.1/shop", false, true, false),
        ("http://127.0.0.1", true, false, false),
    ] {
        let mut builder = Client::builder(address);
        if own {
            builder = builder.identity(alice());
        }
        if forwards {
            builder = builder.forward_identity();
        }
        assert_eq!(
            builder.build().is_ok(),
            expected,
            "{address} {own} {forwards}"
        );
    }
    fs::remove_file(path).unwrap();
}
