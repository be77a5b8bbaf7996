//! Tests of the memory that a server's session holds for its peer.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use antiphon_proto::{Entry, ErrorObject};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Session, SessionConfig, Wire as _};
use crate::call_origin::{Connection, Transport};
use crate::context::Context;
use crate::memory_budget::account::Accounts;
use crate::router::Router;
use crate::transport::memory::{self, MemoryWire};

/// The peer of a server's session. The connection may hold half of 100,000 bytes of requests.
struct Peer {
    wire: MemoryWire,
    accounts: Accounts,
}

impl Peer {
    fn of(router: Router) -> Self {
        let accounts = Accounts::new(100_000, 1_000_000);
        let (ours, wire) = memory::pair();
        let connection = Connection::new(Transport::Tcp, None, accounts.open());
        let config = SessionConfig::default();
        let dispatcher = router.build().unwrap();
        let session = Session::new(ours, dispatcher, connection, true, &config, |_| {});
        tokio::spawn(session);
        Self { wire, accounts }
    }

    fn used(&self) -> usize {
        self.accounts.budgets.requests.used()
    }

    async fn say(&mut self, message: Value) {
        self.wire.send(&mut message.to_string().into_bytes());
        poll_fn(|cx| self.wire.poll_flush(cx)).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        let next = poll_fn(|cx| match self.wire.poll_flush(cx) {
            Poll::Ready(Err(error)) => panic!("{error}"),
            _ => self.wire.poll_receive(cx),
        });
        let next = timeout(Duration::from_secs(20), next).await;
        let message = next.expect("nothing comes").expect("it has ended");
        serde_json::from_slice(&message.ok().unwrap()).unwrap()
    }

    async fn call(&mut self, method: &str) -> Value {
        self.say(json!({"jsonrpc": "2.0", "id": method, "method": method}))
            .await;
        self.next().await
    }
}

fn result(id: &Value, result: impl Into<Value>) -> Value {
    let result = result.into();
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

#[tokio::test]
async fn answers_that_a_method_has_not_taken_are_reserved() {
    async fn ask(ctx: Context) -> Result<Vec<String>, ErrorObject> {
        let peer = ctx.peer()?;
        let mut calls: Vec<_> = (0..3)
            .map(|_| peer.call::<Value>("q", ()).into_future())
            .collect();
        // The first poll sends a call.
        poll_fn(|cx| {
            for call in &mut calls {
                assert!(Pin::new(call).poll(cx).is_pending());
            }
            Poll::Ready(())
        })
        .await;
        peer.call::<Value>("ready", ()).await?;
        let mut outcomes = Vec::new();
        for call in calls {
            let outcome = call.await;
            outcomes.push(outcome.map_or_else(|error| error.to_string(), |_| "taken".into()));
        }
        Ok(outcomes)
    }
    let router = Router::new().method_fn("ask", ask).method_fn("ok", || true);
    let mut peer = Peer::of(router);
    let mut asked = vec![peer.call("ask").await["id"].clone()];
    for _ in 0..3 {
        asked.push(peer.next().await["id"].clone());
    }
    let ready = asked.pop().unwrap();
    for id in &asked {
        peer.say(result(id, "x".repeat(20_000))).await;
    }
    assert_eq!(peer.call("ok").await["result"], true);
    assert!((40_000..41_000).contains(&peer.used()), "{}", peer.used());
    peer.say(result(&ready, 1)).await;
    let failed = "`q` was sent and may have run: there is no memory for the answer";
    let expected = json!(["taken", "taken", failed]);
    assert_eq!(peer.next().await["result"], expected);
    assert_eq!(peer.call("ok").await["result"], true);
    assert_eq!(peer.used(), 0);
}

#[tokio::test]
async fn items_that_a_method_has_not_taken_are_reserved() {
    async fn watch(ctx: Context) -> Result<Vec<String>, ErrorObject> {
        let peer = ctx.peer()?;
        let mut items = peer.subscribe::<String>("items", ()).await?;
        peer.call::<Value>("ready", ()).await?;
        let mut seen = Vec::new();
        while let Some(item) = items.next().await {
            seen.push(item.map_or_else(|error| error.to_string(), |_| "item".into()));
        }
        Ok(seen)
    }
    let router = Router::new().method_fn("watch", watch);
    let mut peer = Peer::of(router);
    let asked = peer.call("watch").await;
    peer.say(result(&asked["id"], "s")).await;
    let ready = peer.next().await;
    for seq in 1..=4 {
        let params = json!({"subscription": "s", "seq": seq, "result": "x".repeat(20_000)});
        peer.say(json!({"jsonrpc": "2.0", "method": "items", "params": params}))
            .await;
    }
    let unsubscribed = peer.next().await;
    assert_eq!(unsubscribed["method"], "rpc.unsubscribe");
    assert!((40_000..41_000).contains(&peer.used()), "{}", peer.used());
    peer.say(result(&ready["id"], 1)).await;
    let expected = json!(["item", "item", "too many items have waited"]);
    assert_eq!(peer.next().await["result"], expected);
    assert_eq!(peer.used(), 0);
}

#[tokio::test]
async fn entries_of_a_batch_that_runs_are_reserved() {
    let router = Router::new()
        .method_fn("hold", pending::<()>)
        .method_fn("ok", || true);
    let mut peer = Peer::of(router);
    let hold = json!({"jsonrpc": "2.0", "id": 1, "method": "hold"});
    let mut batch = vec![hold];
    batch.resize(100, json!(1));
    peer.say(batch.into()).await;
    assert_eq!(peer.call("ok").await["result"], true);
    let (used, entries) = (peer.used(), 100 * size_of::<Entry>());
    assert!((entries..entries + 1000).contains(&used), "{used}");
    let accounts = peer.accounts.clone();
    drop(peer);
    let ended = async {
        while accounts.budgets.requests.used() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), ended).await.unwrap();
}
