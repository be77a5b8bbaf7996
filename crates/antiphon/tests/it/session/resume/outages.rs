//! Tests of servers that end and begin again.

use std::net::SocketAddr;
use std::time::Duration;

use antiphon::client::Client;
use antiphon::{Router, Server, ServerHandle, Topic};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::super::raw::{SessionServer, TEST_TIMEOUT};
use super::{Numbers, expect, publish, soon};
use crate::support::until;

/// Where the server is, for itself and for clients.
struct Place {
    bind: String,
    url: String,
}

/// A server of a topic.
struct Running {
    handle: ServerHandle,
    serving: JoinHandle<()>,
}

impl Running {
    async fn at(bind: &str, topic: &Topic<u64>) -> Self {
        let server = Server::new(Router::of(Numbers(topic.clone()))).bind(bind);
        let listening = server.listen().await.unwrap();
        Self {
            handle: listening.handle(),
            serving: tokio::spawn(async { listening.serve().await.unwrap() }),
        }
    }

    async fn ended(self) {
        timeout(TEST_TIMEOUT, self.serving).await.unwrap().unwrap();
    }
}

/// A server that ends and begins again, while numbers are published.
async fn check(place: &Place) {
    /// How many are published before, are taken before, and are published while the server is away; whether
    /// it comes back with another topic; and what comes then.
    type Case<'a> = (&'a str, u64, usize, u64, bool, &'a [&'a str]);
    let cases: [Case<'_>; 7] = [
        ("nothing is missed", 3, 3, 0, false, &["99"]),
        (
            "within the history",
            3,
            3,
            4,
            false,
            &["4", "5", "6", "7", "99"],
        ),
        (
            "not all are taken",
            3,
            1,
            2,
            false,
            &["2", "3", "4", "5", "99"],
        ),
        (
            "beyond the history",
            3,
            3,
            8,
            false,
            &["gap 4", "8", "9", "10", "11", "99"],
        ),
        ("another epoch", 3, 3, 2, true, &["gap", "4", "5", "99"]),
        ("nothing had come", 0, 0, 2, false, &["1", "2", "99"]),
        (
            "nothing had come, beyond the history",
            0,
            0,
            6,
            false,
            &["gap 2", "3", "4", "5", "6", "99"],
        ),
    ];
    for (what, before, taken, away, anew, expected) in cases {
        for graceful in [false, true] {
            let what = format!("{}: {what}, graceful: {graceful}", place.bind);
            let mut topic = super::topic(4);
            let server = Running::at(&place.bind, &topic).await;
            let client = Client::builder(&place.url).timeout(TEST_TIMEOUT);
            let client = client.reconnect(soon()).build().unwrap();
            let mut items = client.subscribe::<u64>("of", ("k",)).await.unwrap();
            publish(&topic, 1..=before);
            let first: Vec<_> = (1..=taken).map(|n| n.to_string()).collect();
            let first: Vec<_> = first.iter().map(String::as_str).collect();
            expect(&mut items, &first, &what).await;
            let begins = async {
                while items.cursor().is_none() {
                    let next = timeout(Duration::from_millis(10), items.next()).await;
                    assert!(next.is_err(), "{what}");
                }
            };
            timeout(TEST_TIMEOUT, begins).await.unwrap();
            match graceful {
                true => server.handle.stop(),
                false => server.handle.kill(),
            }
            server.ended().await;
            if anew {
                topic = super::topic(4);
            }
            publish(&topic, before + 1..=before + away);
            let server = Running::at(&place.bind, &topic).await;
            // The client subscribes when somebody waits for an item.
            let later = topic.clone();
            let publishing = tokio::spawn(async move {
                until(|| later.subscribers("k") == 1, "the client is back").await;
                publish(&later, [99]);
            });
            expect(&mut items, expected, &what).await;
            publishing.await.unwrap();
            drop((items, client));
            until(|| topic.all_subscribers() == 0, "nobody is left").await;
            server.handle.kill();
            server.ended().await;
        }
    }
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn a_subscription_goes_on_over_tcp() {
    let url = format!("tcp://{}", free_port());
    check(&Place {
        bind: url.clone(),
        url,
    })
    .await;
}

#[tokio::test]
async fn a_subscription_goes_on_over_web_socket() {
    let address = free_port();
    check(&Place {
        bind: address.to_string(),
        url: format!("ws://{address}"),
    })
    .await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_subscription_goes_on_over_a_unix_socket() {
    let name = format!("antiphon-resume-{}.sock", std::process::id());
    let url = format!("unix:{}", std::env::temp_dir().join(name).display());
    check(&Place {
        bind: url.clone(),
        url,
    })
    .await;
}

#[tokio::test]
async fn without_reconnection_it_ends_and_says_where() {
    for (graceful, end) in [(true, "shutdown"), (false, "lost")] {
        let topic = super::topic(4);
        let serve = async || {
            let router = Router::of(Numbers(topic.clone()));
            SessionServer::raw(Server::new(router)).await
        };
        let mut server = serve().await;
        let client = Client::connect(&server.url).unwrap();
        let mut items = client.subscribe::<u64>("of", ("k",)).await.unwrap();
        assert_eq!(items.cursor(), None);
        publish(&topic, 1..=2);
        expect(&mut items, &["1", "2"], end).await;
        match graceful {
            true => server.handle.stop(),
            false => server.handle.kill(),
        }
        expect(&mut items, &[end, "end"], end).await;
        server.ended().await;
        publish(&topic, 3..=4);
        let server = serve().await;
        let client = Client::connect(&server.url).unwrap();
        let again = client.subscribe::<u64>("of", ("k",));
        let mut again = again.after(items.cursor().cloned()).await.unwrap();
        assert_eq!(again.cursor(), items.cursor());
        expect(&mut again, &["3", "4"], "another client").await;
        assert_ne!(again.cursor(), items.cursor());
    }
}
