//! HTTP server on a free port, with the methods that the tests call.

use std::net::SocketAddr;
use std::time::Duration;

use antiphon::{Access, Context, Method, Router, ServeError, Server, ServerHandle, Settings};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::counter::{Counter, Gauge};
use crate::support::http1::Http1;
use crate::support::http2::Http2;

/// Counters of the calls on a test server.
#[derive(Clone, Default)]
pub(crate) struct Log {
    /// Calls of `count`, with and without an id.
    pub(crate) counted: Counter,
    /// Calls of `hold` that have begun.
    pub(crate) held: Counter,
    /// Calls of `hold` that were dropped.
    pub(crate) dropped: Counter,
    /// Calls of `sleep` that have begun.
    pub(crate) slept: Counter,
    /// Concurrent calls of `sleep`.
    pub(crate) sleeping: Gauge,
}

/// The methods of a test server.
pub(crate) fn router(log: &Log) -> Router {
    let (counted, sleeps, holds) = (log.counted.clone(), log.clone(), log.clone());
    let whoami = Method::function("whoami", |ctx: Context| {
        json!({
            "local": ctx.is_local(),
            "transport": ctx.transport().to_string(),
            "connection": ctx.connection_id(),
            "peer": ctx.peer_addr().map(|peer| peer.ip().to_string()),
            "client": ctx.client_ip().map(|client| client.to_string()),
            "agent": ctx.headers().and_then(|all| all.get("user-agent")?.to_str().ok()),
            "path": ctx.http().map(|head| head.uri.path().to_owned()),
        })
    });
    Router::new()
        .method_fn("add", |a: i64, b: i64| a + b)
        .method_fn("take", |_anything: Value| true)
        .method_fn("echo", |text: String| text)
        .method_fn("big", |size: usize| "x".repeat(size))
        .method_fn("count", move || counted.add())
        .method_fn("panic", || -> bool { panic!("S3CR3T") })
        .method_fn("sleep", move |ms: u64| {
            let log = sleeps.clone();
            async move {
                let _entered = log.sleeping.enter();
                log.slept.add();
                sleep(Duration::from_millis(ms)).await;
                ms
            }
        })
        .method_fn("hold", move || {
            let guard = holds.dropped.guard();
            holds.held.add();
            async move {
                std::future::pending::<()>().await;
                drop(guard);
            }
        })
        .method(whoami)
        .method(Method::function("secret", || 1).access(Access::Local))
}

/// A server that runs until it is dropped.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    pub(crate) log: Log,
    serving: Option<JoinHandle<Result<(), ServeError>>>,
}

impl TestServer {
    /// Starts a server with default settings.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Starts a server with changed settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let log = Log::default();
        let server = Server::new(router(&log)).configure(change);
        Self::of(server, log).await
    }

    /// Starts a configured server on a free port.
    pub(crate) async fn of(server: Server, log: Log) -> Self {
        let listening = server.bind("127.0.0.1:0").listen().await.unwrap();
        let address = *listening.addresses().first().unwrap();
        let handle = listening.handle();
        let serving = Some(tokio::spawn(listening.serve()));
        Self {
            address,
            handle,
            log,
            serving,
        }
    }

    pub(crate) async fn connect(&self) -> Http1 {
        Http1::connect(self.address).await
    }

    pub(crate) async fn http2(&self) -> Http2 {
        Http2::connect(self.address).await
    }

    /// Waits until the server has ended. No connection may be left.
    pub(crate) async fn ended(&mut self) {
        let serving = self.serving.take().unwrap();
        let ended = timeout(Duration::from_secs(20), serving).await;
        ended.expect("the server does not end").unwrap().unwrap();
        assert_eq!(self.handle.connections(), 0);
    }

    /// Waits until this many connections are open.
    pub(crate) async fn until_open(&self, connections: usize) {
        for _ in 0..4_000 {
            if self.handle.connections() == connections {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!(
            "{} connections are open, not {connections}",
            self.handle.connections()
        );
    }

    /// Checks that the server still serves other connections.
    pub(crate) async fn answers_others(&self) {
        let mut http1 = self.connect().await;
        let answer = http1.call("1", "add", "[3,4]").await;
        assert_eq!(answer["result"], 7);
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.handle.kill();
    }
}
