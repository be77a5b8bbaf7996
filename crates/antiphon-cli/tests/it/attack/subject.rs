//! Server with methods that wait, that answer much, and that never stop telling.
//!
//! What `antiphon serve` offers is quick and small, as it should be. This server is the test
//! binary, executed again: see [`Target::subject`](super::target::Target::subject).

use std::net::SocketAddr;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{LazyLock, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use antiphon::{PublishError, Router, ServeArgs, Server, ServerCommands, Subscription, Topic, rpc};
use clap::Parser;
use futures_core::Stream;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::time::sleep;

/// Variable with the command line, one argument a line. Without it this is no server.
pub(crate) const ARGUMENTS: &str = "ATTACKED_WITH";
/// The whole name of the test that is the server.
pub(crate) const TEST: &str = "attack::subject::server";

#[derive(Parser)]
struct Arguments {
    /// Is a service in an axum application.
    #[arg(long)]
    mounted: bool,
    #[command(flatten)]
    serve: ServeArgs,
}

/// The server. As a test it has nothing to say.
#[test]
#[ignore = "a server that other tests start"]
fn server() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else {
        return;
    };
    let arguments = Arguments::parse_from(["subject"].into_iter().chain(arguments.lines()));
    // The texts are there before the memory is looked at.
    LazyLock::force(&LARGE);
    LazyLock::force(&SMALL);
    LazyLock::force(&ITEM);
    let code = match arguments.mounted {
        true => mounted(),
        false => Server::new(router()).start_with(arguments.serve),
    };
    // The harness has nothing to add: standard output may belong to the protocol.
    std::process::exit(i32::from(code != ExitCode::SUCCESS));
}

fn router() -> Router {
    Router::of(ServerCommands::new()).merge(Subject)
}

struct Subject;

#[rpc(client = false)]
impl Subject {
    /// A text of 10 MB. It is written by a thread of its own, which nothing but a budget stops.
    #[method(blocking)]
    fn rpc_big(&self) -> Text {
        // All calls of a peer run before the first one answers.
        std::thread::sleep(Duration::from_millis(500));
        Text(&LARGE)
    }

    /// Waits, and needs nothing of its message any more.
    async fn rpc_wait(&self, ms: u64) {
        sleep(Duration::from_millis(ms)).await;
    }

    /// The number of values in a value.
    fn rpc_count(&self, value: Value) -> usize {
        count(&value)
    }

    /// Texts of 1 MB, without an end.
    fn rpc_flood(&self) -> impl Stream<Item = Text> {
        Flood
    }

    /// The items of `shout`.
    fn rpc_hear(&self) -> Subscription<Text> {
        with_topic(|topic| topic.subscribe(""))
    }

    /// Publishes a text of 100 KiB; returns its number.
    async fn rpc_shout(&self) -> Result<u64, PublishError> {
        with_topic(|topic| topic.publish("", &Text(&ITEM))).await
    }

    /// Subscribes to so many keys, and publishes an item under each.
    fn rpc_follow_keys(&self, count: usize) -> Value {
        let follow = |n| with_topic(|topic| topic.subscribe(format!("key {n}")));
        *FOLLOWED.lock().unwrap() = (0..count).map(follow).collect();
        self.rpc_publish_keys(count)
    }

    /// Publishes an item under each of so many keys.
    fn rpc_publish_keys(&self, count: usize) -> Value {
        for n in 0..count {
            with_topic(|topic| topic.publish(format!("key {n}"), &Text(&SHORT)));
        }
        self.rpc_topic()
    }

    /// Ends what `follow_keys` has begun, and forgets the history.
    fn rpc_let_go(&self) {
        FOLLOWED.lock().unwrap().clear();
        *TOPIC.lock().unwrap() = topic();
    }

    /// What the topic holds.
    fn rpc_topic(&self) -> Value {
        with_topic(|topic| {
            let (kept, waiting) = topic.held_bytes();
            let (keys, subscribers) = (topic.keys(), topic.all_subscribers());
            json!({"keys": keys, "subscribers": subscribers, "kept": kept, "waiting": waiting})
        })
    }
}

static TOPIC: LazyLock<Mutex<Topic<Text>>> = LazyLock::new(|| Mutex::new(topic()));
static FOLLOWED: Mutex<Vec<Subscription<Text>>> = Mutex::new(Vec::new());

/// A topic with a short history.
fn topic() -> Topic<Text> {
    Topic::builder("subject").history(2).build()
}

fn with_topic<R>(act: impl FnOnce(&Topic<Text>) -> R) -> R {
    act(&TOPIC.lock().unwrap())
}

/// The number of values in a value.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(values) => values.values().map(count).sum(),
        _ => 0_usize,
    }
}

static LARGE: LazyLock<Box<RawValue>> = LazyLock::new(|| text(10_000_000));
static SMALL: LazyLock<Box<RawValue>> = LazyLock::new(|| text(1_000_000));
static ITEM: LazyLock<Box<RawValue>> = LazyLock::new(|| text(100 * 1024));
static SHORT: LazyLock<Box<RawValue>> = LazyLock::new(|| text(100));

fn text(bytes: usize) -> Box<RawValue> {
    RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap()
}

/// A text that costs its method no memory.
#[derive(Clone, Copy, Serialize)]
#[serde(transparent)]
struct Text(&'static RawValue);

/// A stream that is always ready.
struct Flood;

impl Stream for Flood {
    type Item = Text;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Text>> {
        Poll::Ready(Some(Text(&SMALL)))
    }
}

/// The service inside an axum application, with its default settings.
fn mounted() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let service = router().into_service().unwrap();
        let app = axum::Router::new().route_service("/", service);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = tokio::net::TcpListener::bind(nowhere).await.unwrap();
        eprintln!(
            "antiphon listening on http://{}",
            listener.local_addr().unwrap()
        );
        let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        axum::serve(listener, app)
            .with_graceful_shutdown(async move {
                ended.as_mut().unwrap().recv().await;
            })
            .await
            .unwrap();
    });
    ExitCode::SUCCESS
}
