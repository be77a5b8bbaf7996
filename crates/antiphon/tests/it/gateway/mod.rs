//! Tests of a gateway in front of servers of several transports.

#[cfg(feature = "nats")]
mod broker;
mod hostile;
mod load;
mod restart;
mod shown;
mod union;

use std::time::Duration;

use antiphon::client::{Client, Remote};
use antiphon::{ErrorObject, Gateway, Method, Router, Server, ServerHandle, Topic};
use serde_json::{Value, json};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::support::counter::Counter;
use crate::support::folder::Folder;
use crate::support::test_server::{Log, TestServer};
use crate::support::until;

/// Time limit after which a test counts as hung.
const LIMIT: Duration = Duration::from_secs(20);

/// A server that runs until it is dropped.
struct Serving {
    url: String,
    handle: ServerHandle,
    task: AbortHandle,
}

impl Serving {
    /// Serves a router at this address.
    async fn of(router: Router, bind: &str) -> Self {
        Self::of_server(Server::new(router), bind).await
    }

    /// Runs a server at this address.
    async fn of_server(server: Server, bind: &str) -> Self {
        let server = server.bind(bind).listen().await.unwrap();
        let (url, handle) = (server.url(), server.handle());
        let task = tokio::spawn(server.serve()).abort_handle();
        Self { url, handle, task }
    }

    /// The address for a client of this scheme.
    fn at(&self, scheme: &str) -> String {
        let (_, rest) = self.url.split_once("://").unwrap_or(("", &self.url));
        match scheme {
            "unix" => self.url.clone(),
            scheme => format!("{scheme}://{}", rest.trim_end_matches('/')),
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.handle.abort();
        self.task.abort();
    }
}

/// The methods of an upstream with a name.
fn methods(name: &'static str, ran: &Counter, topic: &Topic<u64>) -> Router {
    let (noted, topic) = (ran.clone(), topic.clone());
    let fail = || {
        let error = ErrorObject::new(7, "sold out").with_data(&json!({"left": 0}));
        Err::<(), _>(error)
    };
    Router::new()
        .method(Method::function("name", move || name).doc("Who answers."))
        .method_fn("add", |a: i64, b: i64| a + b)
        .method_fn("fail", fail)
        .method_fn("note", move || noted.add())
        .method_fn("sleep", |ms: u64| async move {
            sleep(Duration::from_millis(ms)).await;
            ms
        })
        .method_fn("prices", move |key: String| topic.subscribe(key))
}

/// Serves a gateway.
async fn serve(gateway: Gateway) -> TestServer {
    TestServer::of(gateway.server(), Log::default()).await
}

/// A client of a server, with sessions.
fn client(server: &TestServer) -> Client {
    Client::connect(format!("ws://{}", server.address)).unwrap()
}

/// The code of an outcome, 0 for a result.
fn code(outcome: &Result<Value, antiphon::client::Error>) -> i64 {
    match outcome {
        Ok(_) => 0,
        Err(error) => error.code().map_or(-1, |code| code.0),
    }
}

#[tokio::test]
async fn an_upstream_may_have_any_transport() {
    let folder = Folder::new();
    for scheme in ["http", "ws", "tcp", "unix"] {
        let bind = match scheme {
            "tcp" => "tcp://127.0.0.1:0".to_owned(),
            "unix" => format!("unix:{}", folder.path("s").display()),
            _ => "127.0.0.1:0".to_owned(),
        };
        let (ran, topic) = (
            Counter::default(),
            Topic::builder("prices").history(3).build(),
        );
        let there = Serving::of(methods("there", &ran, &topic), &bind).await;
        let upstream = Client::connect(there.at(scheme)).unwrap();
        let gateway = serve(Gateway::new().upstream_at("far", Remote::of(upstream))).await;
        let client = client(&gateway);
        let sum: i64 = client.call("far.add", (3, 4)).await.unwrap();
        assert_eq!(sum, 7, "{scheme}");
        let error = client.call::<Value>("far.fail", ()).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.0), Some(7), "{scheme}");
        client.notify("far.note", ()).await.unwrap();
        let mut batch = client.batch();
        let name = batch.call::<String>("far.name", ());
        let pong = batch.call::<String>("ping", ());
        let mut answers = batch.send().await.unwrap();
        assert_eq!(answers.take(name).unwrap(), "there", "{scheme}");
        assert_eq!(answers.take(pong).unwrap(), "pong", "{scheme}");
        ran.reach(1).await;
        let subscribed = client.subscribe::<u64>("far.prices", ("k",)).await;
        match (scheme, subscribed) {
            ("http", Err(error)) => assert_eq!(error.code().map(|code| code.0), Some(-32004)),
            (_, Ok(mut items)) => {
                topic.publish("k", &1);
                let first = timeout(LIMIT, items.next()).await.unwrap();
                assert_eq!(first.unwrap().unwrap(), 1, "{scheme}");
                drop(items);
                until(|| topic.subscribers("k") == 0, "it ends there").await;
            }
            (_, outcome) => panic!("{scheme}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn a_slow_notification_of_one_caller_holds_up_no_other() {
    let topic = Topic::builder("prices").history(3).build();
    let (ran, begun) = (Counter::default(), Counter::default());
    let served = || {
        let begin = begun.clone();
        methods("there", &ran, &topic).method_fn("slow", move || {
            begin.add();
            std::future::pending::<()>()
        })
    };
    for scheme in ["ws", "tcp"] {
        let bind = if scheme == "tcp" {
            "tcp://127.0.0.1:0"
        } else {
            "127.0.0.1:0"
        };
        let there = Serving::of(served(), bind).await;
        let upstream = Client::connect(there.at(scheme)).unwrap();
        let gateway = serve(Gateway::new().upstream_at("far", Remote::of(upstream))).await;
        let (one, other) = (client(&gateway), client(&gateway));
        assert_eq!(other.call::<i64>("far.add", (1, 2)).await.unwrap(), 3);
        one.notify("far.slow", ()).await.unwrap();
        begun.reach(if scheme == "ws" { 1 } else { 2 }).await;
        let answer = timeout(LIMIT, other.call::<i64>("far.add", (3, 4)).into_future()).await;
        assert_eq!(answer.expect("it is held up").unwrap(), 7, "{scheme}");
    }
}
